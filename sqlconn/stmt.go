package sqlconn

import (
	"context"
	"database/sql/driver"
)

// stmt is a statement as long as database/sql has it. Closing it gives it back to
// the connection, which keeps it for the next who prepares the same query; while
// it is out, whoever prepares the query gets another.
type stmt struct {
	driver.Stmt // the driver's own

	c      *conn
	query  string
	kept   *keptStmt // the same, if the connection has kept it before
	rows   int       // results not closed yet
	failed bool      // not to be kept: the server may have dropped it, or changed what it means
	closed bool      // by database/sql
	prev   *stmt
	next   *stmt // in conn.open
}

// statement returns a statement of the driver's for database/sql, with
// ColumnConverter if the driver's has it: database/sql converts arguments in
// another way then, which no fallback could imitate.
func (c *conn) statement(query string, s driver.Stmt, kept *keptStmt) driver.Stmt {
	w := &stmt{Stmt: s, c: c, query: query, kept: kept, next: c.open}
	if c.open != nil {
		c.open.prev = w
	}
	c.open = w
	if columns, ok := s.(driver.ColumnConverter); ok {
		return columnStmt{w, columns}
	}
	return w
}

type columnStmt struct {
	*stmt
	columns driver.ColumnConverter
}

// ColumnConverter returns what converts an argument.
func (s columnStmt) ColumnConverter(index int) driver.ValueConverter {
	return s.columns.ColumnConverter(index)
}

// Close closes the statement for database/sql, but not before its last rows:
// until then nobody else can have it.
func (s *stmt) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	if s.c.closed || s.rows > 0 && s.c.kept != nil {
		return nil
	}
	return s.giveBack()
}

// giveBack returns the statement to the connection, or closes it, or the one that
// has to make room for it.
func (s *stmt) giveBack() error {
	s.closed = true
	s.unlink()
	surplus := s.shelve()
	if surplus == nil {
		return nil
	}
	return s.c.call(surplus.Close)
}

// shelve has the connection keep the statement for the next, and returns the one
// that must be closed, or nil.
func (s *stmt) shelve() driver.Stmt {
	switch fit := !s.failed && !s.c.lost && !s.c.bad; {
	case fit && s.kept != nil:
		s.kept.lent = false
		return nil
	case fit:
		return s.c.kept.add(s.query, s.Stmt)
	case s.kept != nil:
		return s.c.kept.drop(s.kept)
	}
	return s.Stmt
}

func (s *stmt) unlink() {
	if s.prev != nil {
		s.prev.next = s.next
	} else if s.c.open == s {
		s.c.open = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	}
	s.prev, s.next = nil, nil
}

// do has the driver do something with the statement.
func (s *stmt) do(ctx context.Context, call func() error) error {
	if s.closed {
		return driver.ErrBadConn
	}
	err := s.c.do(ctx, call)
	s.failed = s.failed || err != nil
	return err
}

// ExecContext runs the statement.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	var result driver.Result
	err := s.do(ctx, func() (err error) {
		result, err = execStmt(ctx, s.Stmt, args)
		return err
	})
	return result, err
}

// QueryContext runs the statement.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	var rows driver.Rows
	err := s.do(ctx, func() (err error) {
		rows, err = queryStmt(ctx, s.Stmt, args)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.c.watch(rows, s), nil
}

// CheckNamedValue converts an argument: the statement's way comes before the
// connection's, in database/sql too.
func (s *stmt) CheckNamedValue(value *driver.NamedValue) error {
	if checker, ok := s.Stmt.(driver.NamedValueChecker); ok {
		return s.c.check(checker, value)
	}
	return s.c.CheckNamedValue(value)
}

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
