package sqlconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
)

// What conn has always: the driver's method, or what database/sql does without
// it.

// Prepare is there because driver.Conn has it; database/sql calls PrepareContext.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// PrepareContext returns a statement that the connection has kept, or prepares it.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	var s driver.Stmt
	var kept *keptStmt
	err := c.do(ctx, func() (err error) {
		if kept = c.kept.lend(query); kept != nil {
			s = kept.Stmt
			return nil
		}
		s, err = prepare(ctx, c.Conn, query)
		return err
	})
	if err != nil {
		return nil, err
	}
	return c.statement(query, s, kept), nil
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
	begun := tx{t, c}
	if _, ok := c.Conn.(driver.ConnBeginTx); !ok && ctx.Err() != nil {
		_ = begun.Rollback() // as in database/sql; if it fails, the connection is not lent again
		return nil, ctx.Err()
	}
	return begun, nil
}

// Ping asks the server, if the driver can.
func (c *conn) Ping(ctx context.Context) error {
	return c.do(ctx, func() error { return ping(ctx, c.Conn) })
}

// CheckNamedValue converts an argument, if the driver has its own way for it.
func (c *conn) CheckNamedValue(value *driver.NamedValue) error {
	checker, _ := c.Conn.(driver.NamedValueChecker)
	return c.check(checker, value)
}

// check has the driver convert an argument. It may call methods of the argument's,
// which may panic.
func (c *conn) check(checker driver.NamedValueChecker, value *driver.NamedValue) error {
	switch {
	case checker == nil:
		return driver.ErrSkip
	case c.closed:
		return driver.ErrBadConn
	}
	return c.call(func() error { return checker.CheckNamedValue(value) })
}

// tx is a transaction that its conn watches.
type tx struct {
	driver.Tx
	c *conn
}

// Commit commits the transaction. Like database/sql, it takes it to have ended
// whatever the error: most servers roll back what they cannot commit.
func (t tx) Commit() error {
	err := t.c.do(context.Background(), t.Tx.Commit)
	t.c.begun = false
	return err
}

// Rollback rolls the transaction back. If that fails, nobody knows whether it is
// still open, and the connection is not lent again.
func (t tx) Rollback() error {
	err := t.c.do(context.Background(), t.Tx.Rollback)
	t.c.begun = err != nil
	return err
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
