package sqlconn

import (
	"context"
	"database/sql/driver"
)

// shape is the set of optional interfaces whose very presence changes what
// database/sql does, so that a connection must have them if and only if the
// driver's has. All others conn has always, with a fallback that database/sql
// cannot tell from their absence.
type shape struct{ execs, queries, resets bool }

func shapeOf(c driver.Conn) shape {
	return shape{canExec(c), canQuery(c), keepsOnRollback(c)}
}

// canExec reports whether the connection runs a query without preparing it. If
// not, database/sql must not think so: it would convert the arguments first,
// without the statement's ColumnConverter or NamedValueChecker.
func canExec(c driver.Conn) bool {
	switch c.(type) {
	case driver.ExecerContext, driver.Execer:
		return true
	}
	return false
}

func canQuery(c driver.Conn) bool {
	switch c.(type) {
	case driver.QueryerContext, driver.Queryer:
		return true
	}
	return false
}

// keepsOnRollback reports whether the driver has both ResetSession and IsValid.
// For database/sql that means that a connection may live on when the context of
// its transaction ends. As conn always has IsValid, it must not have ResetSession
// unless both are the driver's.
func keepsOnRollback(c driver.Conn) bool {
	_, resets := c.(driver.SessionResetter)
	_, validates := c.(driver.Validator)
	return resets && validates
}

// shaped returns the connection with the interfaces of its shape.
func shaped(c *conn) driver.Conn {
	e, q, r := execs{c}, queries{c}, resets{c}
	switch c.shape {
	case shape{}:
		return c
	case shape{execs: true}:
		return connE{c, e}
	case shape{queries: true}:
		return connQ{c, q}
	case shape{execs: true, queries: true}:
		return connEQ{c, e, q}
	case shape{resets: true}:
		return connR{c, r}
	case shape{execs: true, resets: true}:
		return connER{c, e, r}
	case shape{queries: true, resets: true}:
		return connQR{c, q, r}
	}
	return connEQR{c, e, q, r}
}

type (
	connE struct {
		*conn
		execs
	}
	connQ struct {
		*conn
		queries
	}
	connR struct {
		*conn
		resets
	}
	connEQ struct {
		*conn
		execs
		queries
	}
	connER struct {
		*conn
		execs
		resets
	}
	connQR struct {
		*conn
		queries
		resets
	}
	connEQR struct {
		*conn
		execs
		queries
		resets
	}
)

// The fields have names of their own, lest their methods' owners be promoted.
type (
	execs   struct{ execConn *conn }
	queries struct{ queryConn *conn }
	resets  struct{ resetConn *conn }
)

// ExecContext runs a query without preparing it.
func (e execs) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c := e.execConn
	var result driver.Result
	err := c.do(ctx, func() (err error) {
		result, err = exec(ctx, c.Conn, query, args)
		return err
	})
	return result, err
}

// QueryContext runs a query without preparing it.
func (q queries) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c := q.queryConn
	var rows driver.Rows
	err := c.do(ctx, func() (err error) {
		rows, err = runQuery(ctx, c.Conn, query, args)
		return err
	})
	if err != nil {
		return nil, err
	}
	return c.watch(rows, nil), nil
}

// ResetSession is called only where the user has database/sql keep idle
// connections of its own.
func (r resets) ResetSession(ctx context.Context) error {
	c := r.resetConn
	c.sound = false
	return c.resetSession(ctx)
}
