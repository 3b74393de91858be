package sqlconn

import (
	"context"
	"database/sql/driver"
)

// stmt is a statement of a shell: a query, and, while the shell has a connection,
// the driver's statement on that. Closing it gives that back to the connection,
// which keeps it for the next that asks for the same query; while it is out,
// another that asks gets a second.
type stmt struct {
	c      *conn
	query  string
	closed bool // by database/sql

	own    driver.Stmt // the driver's; nil while there is none, and so for the rest
	kept   *keptStmt   // the same, if the connection has kept it before
	rows   int         // results not closed yet
	failed bool        // not to be kept: the server may have dropped it, or changed its meaning
	prev   *stmt
	next   *stmt // in conn.open
}

// prepare has the statement be prepared on the shell's connection.
func (s *stmt) prepare(ctx context.Context) error {
	c := s.c
	if s.closed {
		return driver.ErrBadConn
	}
	if err := c.borrow(ctx); err != nil || s.own != nil {
		return err
	}
	if s.kept = c.kept.lend(s.query); s.kept != nil {
		s.own = s.kept.Stmt
	} else if err := c.call(func() (err error) {
		s.own, err = prepare(ctx, c.Conn, s.query)
		return err
	}); err != nil {
		s.own = nil
		return err
	}
	s.link()
	return nil
}

// Close closes the statement for database/sql, but not before its last rows: until
// then nobody else can have it.
func (s *stmt) Close() error {
	s.closed = true
	if s.c.over || s.own == nil || s.rows > 0 && s.c.kept != nil {
		return nil
	}
	return s.giveBack()
}

// giveBack returns the statement to the connection, or closes it, or the one that
// has to make room for it.
func (s *stmt) giveBack() error {
	surplus := s.shelve()
	s.unlink()
	s.own, s.kept, s.rows, s.failed = nil, nil, 0, false
	if surplus == nil {
		return nil
	}
	return s.c.call(surplus.Close)
}

// shelve has the connection keep the statement for the next, and returns the one
// that must be closed, or nil.
func (s *stmt) shelve() driver.Stmt {
	switch fit := !s.failed && s.c.bad == nil; {
	case fit && s.kept != nil:
		s.kept.lent = false
		return nil
	case fit:
		return s.c.kept.add(s.query, s.own)
	case s.kept != nil:
		return s.c.kept.drop(s.kept)
	}
	return s.own
}

func (s *stmt) link() {
	s.next = s.c.open
	if s.next != nil {
		s.next.prev = s
	}
	s.c.open = s
}

func (s *stmt) unlink() {
	if s.prev != nil {
		s.prev.next = s.next
	} else {
		s.c.open = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	}
	s.prev, s.next = nil, nil
}

// do converts the arguments and has the driver do something with them.
func (s *stmt) do(
	ctx context.Context, args []driver.NamedValue,
	call func(driver.Stmt, []driver.NamedValue) error,
) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	args, err := s.c.convert(s.own, args)
	if err != nil {
		return err
	}
	err = s.c.call(func() error { return call(s.own, args) })
	s.failed = s.failed || err != nil
	return err
}

// ExecContext runs the statement.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	var result driver.Result
	err := s.do(ctx, args, func(own driver.Stmt, args []driver.NamedValue) (err error) {
		result, err = execStmt(ctx, own, args)
		return err
	})
	return result, err
}

// QueryContext runs the statement.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	var rows driver.Rows
	err := s.do(ctx, args, func(own driver.Stmt, args []driver.NamedValue) (err error) {
		rows, err = queryStmt(ctx, own, args)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.c.watch(rows, s), nil
}

// Exec is there because driver.Stmt has it; database/sql calls ExecContext.
func (s *stmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }

// Query is there because driver.Stmt has it; database/sql calls QueryContext.
func (s *stmt) Query([]driver.Value) (driver.Rows, error) { return nil, driver.ErrSkip }

func execStmt(ctx context.Context, s driver.Stmt, args []driver.NamedValue) (driver.Result, error) {
	if e, ok := s.(driver.StmtExecContext); ok {
		return e.ExecContext(ctx, args)
	}
	values, err := positional(ctx, args)
	if err != nil {
		return nil, err
	}
	return s.Exec(values)
}

func queryStmt(ctx context.Context, s driver.Stmt, args []driver.NamedValue) (driver.Rows, error) {
	if q, ok := s.(driver.StmtQueryContext); ok {
		return q.QueryContext(ctx, args)
	}
	values, err := positional(ctx, args)
	if err != nil {
		return nil, err
	}
	return s.Query(values)
}
