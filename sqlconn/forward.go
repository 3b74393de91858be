package sqlconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
)

// What conn has: the driver's method, or what database/sql does without it.

// Prepare is there because driver.Conn has it; database/sql calls PrepareContext.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// PrepareContext returns a statement that the connection has kept, or prepares it.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s := &stmt{c: c, query: query}
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// ExecContext runs a query without preparing it, if the driver can.
func (c *conn) ExecContext(
	ctx context.Context, query string, args []driver.NamedValue,
) (driver.Result, error) {
	var result driver.Result
	err := c.run(ctx, canExec, args, func(args []driver.NamedValue) (err error) {
		result, err = exec(ctx, c.Conn, query, args)
		return err
	})
	return result, err
}

// QueryContext runs a query without preparing it, if the driver can.
func (c *conn) QueryContext(
	ctx context.Context, query string, args []driver.NamedValue,
) (driver.Rows, error) {
	var rows driver.Rows
	err := c.run(ctx, canQuery, args, func(args []driver.NamedValue) (err error) {
		rows, err = runQuery(ctx, c.Conn, query, args)
		return err
	})
	if err != nil {
		return nil, err
	}
	return c.watch(rows, nil), nil
}

// run has the driver run a query without preparing it. If it cannot, database/sql
// prepares the query on the connection that has been borrowed here.
func (c *conn) run(
	ctx context.Context, can func(driver.Conn) bool, args []driver.NamedValue,
	call func([]driver.NamedValue) error,
) error {
	if err := c.borrow(ctx); err != nil {
		return err
	}
	if !can(c.Conn) {
		return driver.ErrSkip
	}
	args, err := c.convert(nil, args)
	if err != nil {
		return err
	}
	return c.call(func() error { return call(args) })
}

// Begin is there because driver.Conn has it; database/sql calls BeginTx.
func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx begins a transaction. With a driver that knows no contexts it may do so
// too late, and rolls back.
func (c *conn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	var t driver.Tx
	err := c.do(ctx, func() (err error) {
		t, err = begin(ctx, c.Conn, options)
		return err
	})
	if err != nil {
		return nil, err
	}
	c.begun = true
	begun := tx{t, c, ctx}
	if _, ok := c.Conn.(driver.ConnBeginTx); !ok && ctx.Err() != nil {
		_ = begun.undo() // as in database/sql; if it fails, the connection is not lent again
		return nil, ctx.Err()
	}
	return begun, nil
}

// Ping asks the server, if the driver can.
func (c *conn) Ping(ctx context.Context) error {
	return c.do(ctx, func() error { return ping(ctx, c.Conn) })
}

// tx is a transaction that its conn watches.
type tx struct {
	driver.Tx
	c   *conn
	ctx context.Context // that it was begun with
}

// Commit commits the transaction. Like database/sql, it takes it to have ended
// whatever the error: most servers roll back what they cannot commit.
func (t tx) Commit() error {
	err := t.c.call(t.Tx.Commit)
	t.c.begun = false
	return err
}

// Rollback rolls the transaction back. If its context has ended, the connection is
// not lent again, unless the driver has both ResetSession and IsValid: to
// database/sql that means that it can live on.
func (t tx) Rollback() error {
	err := t.undo()
	t.c.spoiled = t.c.spoiled || t.ctx.Err() != nil && !t.c.over && !outlivesRollback(t.c.Conn)
	return err
}

// undo rolls back. If that fails, nobody knows whether the transaction is still
// open, and the connection is not lent again.
func (t tx) undo() error {
	err := t.c.call(t.Tx.Rollback)
	t.c.begun = err != nil
	return err
}

func outlivesRollback(c driver.Conn) bool {
	_, resets := c.(driver.SessionResetter)
	_, validates := c.(driver.Validator)
	return resets && validates
}

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

func exec(ctx context.Context, c driver.Conn, query string, args []driver.NamedValue) (driver.Result, error) {
	if e, ok := c.(driver.ExecerContext); ok {
		return e.ExecContext(ctx, query, args)
	}
	e, ok := c.(driver.Execer)
	if !ok {
		return nil, driver.ErrSkip
	}
	values, err := positional(ctx, args)
	if err != nil {
		return nil, err
	}
	return e.Exec(query, values)
}

func runQuery(ctx context.Context, c driver.Conn, query string, args []driver.NamedValue) (driver.Rows, error) {
	if q, ok := c.(driver.QueryerContext); ok {
		return q.QueryContext(ctx, query, args)
	}
	q, ok := c.(driver.Queryer)
	if !ok {
		return nil, driver.ErrSkip
	}
	values, err := positional(ctx, args)
	if err != nil {
		return nil, err
	}
	return q.Query(query, values)
}

func prepare(ctx context.Context, c driver.Conn, query string) (driver.Stmt, error) {
	if p, ok := c.(driver.ConnPrepareContext); ok {
		return p.PrepareContext(ctx, query)
	}
	s, err := c.Prepare(query)
	if err == nil && ctx.Err() != nil {
		return nil, unlessBad(ctx.Err(), s.Close())
	}
	return s, err
}

// unlessBad returns a context's error, which is what database/sql reports when a
// driver that knows no contexts succeeded too late, whatever became of undoing
// it; but a connection that broke over it must not be lent again.
func unlessBad(ctxErr, undone error) error {
	if errors.Is(undone, driver.ErrBadConn) {
		return undone
	}
	return ctxErr
}

// begin begins a transaction. Without BeginTx a driver knows one kind of
// transaction only.
func begin(ctx context.Context, c driver.Conn, options driver.TxOptions) (driver.Tx, error) {
	if b, ok := c.(driver.ConnBeginTx); ok {
		return b.BeginTx(ctx, options)
	}
	switch {
	case options.Isolation != driver.IsolationLevel(sql.LevelDefault):
		return nil, errIsolation
	case options.ReadOnly:
		return nil, errReadOnly
	}
	return c.Begin()
}

// positional returns the arguments for a driver that knows neither names nor
// contexts.
func positional(ctx context.Context, args []driver.NamedValue) ([]driver.Value, error) {
	values := make([]driver.Value, len(args))
	for i, arg := range args {
		if arg.Name != "" {
			return nil, errNamed
		}
		values[i] = arg.Value
	}
	return values, ctx.Err()
}

// The words are database/sql's, whose answers these are.
var (
	errIsolation = errors.New("sql: driver does not support non-default isolation level")
	errReadOnly  = errors.New("sql: driver does not support read-only transactions")
	errNamed     = errors.New("sql: driver does not support the use of Named Parameters")
)
