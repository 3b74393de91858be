package pool

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
)

type sqlPool struct{ *sql.DB }

func openSQL(f *Factory) (Pool, error) {
	s := f.setup
	db := sql.OpenDB(connector{f})
	db.SetMaxOpenConns(s.Max)
	db.SetMaxIdleConns(s.Max)
	db.SetConnMaxIdleTime(s.Idle)
	db.SetConnMaxLifetime(s.Lifetime) // it has no jitter
	return sqlPool{db}, nil
}

func (p sqlPool) Acquire(ctx context.Context) (Lease, error) {
	conn, err := p.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return sqlLease{conn}, nil
}

func (p sqlPool) Close()       { _ = p.DB.Close() } // the error is of its driver's Close
func (p sqlPool) Size() int    { return p.Stats().OpenConnections }
func (p sqlPool) Resize(n int) { p.SetMaxOpenConns(n) }

type sqlLease struct{ lent *sql.Conn }

func (l sqlLease) Conn() (c *Conn, err error) {
	err = l.lent.Raw(func(conn any) error {
		c = conn.(*driverConn).Conn
		return nil
	})
	return c, err
}

func (l sqlLease) Release() { _ = l.lent.Close() } // ErrConnDone: it has been released

// Discard is how database/sql is told that a connection is broken.
func (l sqlLease) Discard() {
	_ = l.lent.Raw(func(any) error { return driver.ErrBadConn })
	_ = l.lent.Close()
}

// connector is the driver's side.
type connector struct{ *Factory }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.dial(ctx)
	if conn == nil || err != nil {
		return nil, err
	}
	return &driverConn{conn, c.Factory}, nil
}

func (c connector) Driver() driver.Driver { return nothing{} }

type nothing struct{}

var errNothing = errors.New("pool: the connections lead nowhere")

func (nothing) Open(string) (driver.Conn, error) { return nil, errNothing }

type driverConn struct {
	*Conn
	factory *Factory
}

func (c *driverConn) Prepare(string) (driver.Stmt, error) { return nil, errNothing }
func (c *driverConn) Begin() (driver.Tx, error)           { return nil, errNothing }
func (c *driverConn) Close() error                        { return c.factory.close(c.Conn) }

// ResetSession is called when a connection is lent again.
func (c *driverConn) ResetSession(context.Context) error {
	for _, hook := range []func(*Conn) error{c.factory.setup.Return, c.factory.setup.Lend} {
		if hook == nil {
			continue
		}
		if err := hook(c.Conn); err != nil {
			return err
		}
	}
	return nil
}
