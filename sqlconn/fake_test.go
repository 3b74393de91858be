package sqlconn_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
)

// server is a fake database. It writes down what is asked of it, by which
// connection, and can be told to fail.
type server struct {
	shape connShape // of its connections
	stmts stmtShape
	rows  rowsShape

	mu     sync.Mutex
	log    []string
	opened int
	open   map[int]bool
	faults map[string][]error // by method, each used once
	values int                // rows of each result
	dead   int                // connections up to this number are dead
}

func newServer() *server {
	return &server{shape: plainConn, stmts: plainStmt, rows: plainRows, open: map[int]bool{}, faults: map[string][]error{}, values: 2}
}

// fail makes the next calls of a method fail, one after the other. A nil error
// lets one pass.
func (s *server) fail(method string, errs ...error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[method] = append(s.faults[method], errs...)
}

func (s *server) called(conn int, method string, args ...any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, fmt.Sprint(conn, " ", method, args))
	if queue := s.faults[method]; len(queue) > 0 {
		s.faults[method] = queue[1:]
		switch queue[0] {
		case errPanic:
			panic(errPanic)
		case errExit:
			runtime.Goexit()
		}
		return queue[0]
	}
	return nil
}

var (
	errPanic = errors.New("the driver panics")
	errExit  = errors.New("the driver calls runtime.Goexit")
)

// calls returns the log so far, of the given methods or of all.
func (s *server) calls(methods ...string) (calls []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, call := range s.log {
		if len(methods) == 0 || isOneOf(call, methods) {
			calls = append(calls, call)
		}
	}
	return calls
}

func isOneOf(call string, methods []string) bool {
	var conn int
	var method string
	fmt.Sscanf(call, "%d %s", &conn, &method)
	for _, m := range methods {
		if len(method) > len(m) && method[:len(m)] == m && method[len(m)] == '[' {
			return true
		}
	}
	return false
}

// die kills all connections that are open.
func (s *server) die() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = s.opened
}

func (s *server) openNow() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// Connect makes the server a driver.Connector.
func (s *server) Connect(context.Context) (driver.Conn, error) {
	s.mu.Lock()
	s.opened++
	c := &fakeConn{server: s, id: s.opened}
	s.open[c.id] = true
	s.mu.Unlock()
	if err := s.called(c.id, "Connect"); err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.open, c.id)
		return nil, err
	}
	return s.shape(c), nil
}

func (s *server) Driver() driver.Driver { return fakeDriver{s} }

type fakeDriver struct{ *server }

func (d fakeDriver) Open(string) (driver.Conn, error) { return d.Connect(context.Background()) }

// fakeConn has what every driver.Conn has.
type fakeConn struct {
	*server
	id      int
	prepped int
	busy    atomic.Bool
}

func (c *fakeConn) Close() error {
	c.mu.Lock()
	if !c.open[c.id] {
		panic(fmt.Sprint("connection ", c.id, " is closed twice"))
	}
	delete(c.open, c.id)
	c.mu.Unlock()
	return c.called(c.id, "Close")
}

// ask is called for all work: nobody may use a connection that is closed.
func (c *fakeConn) ask(method string, args ...any) error {
	c.mu.Lock()
	closed, dead := !c.open[c.id], c.id <= c.dead
	c.mu.Unlock()
	if !c.busy.CompareAndSwap(false, true) {
		panic(fmt.Sprint(method, " on connection ", c.id, ", which is in another's hands"))
	}
	defer c.busy.Store(false)
	if dead {
		return errors.Join(c.called(c.id, "Dead"), driver.ErrBadConn)
	}
	if closed {
		panic(fmt.Sprint(method, " on connection ", c.id, ", which is closed"))
	}
	return c.called(c.id, method, args...)
}

func (c *fakeConn) Prepare(query string) (driver.Stmt, error) { return c.prepare("Prepare", query) }
func (c *fakeConn) Begin() (driver.Tx, error)                 { return c.begin("Begin") }

func (c *fakeConn) prepare(method, query string) (driver.Stmt, error) {
	if err := c.ask(method, query); err != nil {
		return nil, err
	}
	c.prepped++
	return c.stmts(&fakeStmt{c: c, id: c.prepped, query: query}), nil
}

func (c *fakeConn) begin(method string, args ...any) (driver.Tx, error) {
	if err := c.ask(method, args...); err != nil {
		return nil, err
	}
	return fakeTx{c}, nil
}

func (c *fakeConn) run(method, query string, args any) (driver.Result, error) {
	if err := c.ask(method, query, args); err != nil {
		return nil, err
	}
	return driver.RowsAffected(1), nil
}

func (c *fakeConn) read(method, query string, args any) (driver.Rows, error) {
	if err := c.ask(method, query, args); err != nil {
		return nil, err
	}
	return c.rows(&fakeRows{c: c, left: c.values}), nil
}

type fakeTx struct{ c *fakeConn }

func (t fakeTx) Commit() error   { return t.c.ask("Commit") }
func (t fakeTx) Rollback() error { return t.c.ask("Rollback") }

// fakeStmt has what every driver.Stmt has.
type fakeStmt struct {
	c      *fakeConn
	id     int
	query  string
	closed bool
}

func (s *fakeStmt) name() string { return fmt.Sprint("#", s.id, " ", s.query) }

func (s *fakeStmt) Close() error {
	if s.closed {
		panic(fmt.Sprint("statement ", s.name(), " is closed twice"))
	}
	s.closed = true
	return s.c.ask("Stmt.Close", s.name())
}

// NumInput is the number of question marks in the query.
func (s *fakeStmt) NumInput() (n int) {
	for _, r := range s.query {
		if r == '?' {
			n++
		}
	}
	return n
}

func (s *fakeStmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.c.run("Stmt.Exec", s.name(), args)
}

func (s *fakeStmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.c.read("Stmt.Query", s.name(), args)
}

// fakeRows has what every driver.Rows has: rows of one column.
type fakeRows struct {
	c      *fakeConn
	left   int
	closed bool
}

func (r *fakeRows) Columns() []string { return []string{"n"} }

func (r *fakeRows) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	return r.c.ask("Rows.Close")
}

func (r *fakeRows) Next(row []driver.Value) error {
	if err := r.c.ask("Rows.Next"); err != nil {
		return err
	}
	if r.left == 0 {
		return io.EOF
	}
	row[0] = int64(r.left)
	r.left--
	return nil
}
