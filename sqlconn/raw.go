package sqlconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
)

// DriverConn returns the driver's own connection behind the Conn of a lease of the
// pool, or behind what a function given to sql.Conn.Raw gets:
//
//	err := conn.Raw(func(c any) error {
//		own, err := sqlconn.DriverConn(ctx, c)
//		if err != nil {
//			return err
//		}
//		return copyInto(own.(*stdlib.Conn).Conn())
//	})
//
// The context is for the wait in the second case: a sql.Conn that has not been used
// yet has no connection. Anything else it returns as it is, so code that calls it
// works with a plain sql.DB too. The connection must not be used after the function
// has returned, or the lease has ended.
func DriverConn(ctx context.Context, c any) (any, error) {
	switch c := c.(type) {
	case *pooled:
		return c.Conn, nil
	case *conn:
		if err := c.borrow(ctx); err != nil {
			return nil, err
		}
		return c.Conn, nil
	}
	return c, nil
}

// Plain runs f with the connection of a sql.Conn as one of a plain handle. What is
// given to its Raw is the driver's own connection, so this is for a driver's
// function that takes a *sql.Conn and asserts its own type in there:
//
//	err := sqlconn.Plain(ctx, conn, func(plain *sql.Conn) error {
//		_, err := sqlite.Limit(plain, sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 100)
//		return err
//	})
//
// The context is for the wait if conn has not been used yet. Until f has returned
// nothing else may use conn, and afterwards nothing may use plain, its statements
// or its rows. If f closes plain, that closes the driver's connection, and conn is
// of no further use. A sql.Conn of a plain handle is given to f as it is.
//
// It returns what f returns, or why conn could not be used. Like a function that is
// given to Raw, f ends conn by returning an error that is driver.ErrBadConn.
func Plain(ctx context.Context, conn *sql.Conn, f func(plain *sql.Conn) error) error {
	ours := true
	err := conn.Raw(func(c any) (err error) {
		ours, err = plainly(ctx, c, f)
		return err
	})
	if ours {
		return err
	}
	return f(conn)
}

func plainly(ctx context.Context, c any, f func(*sql.Conn) error) (ours bool, err error) {
	shell, ours := c.(*conn)
	if !ours {
		return false, nil
	}
	if err := shell.borrow(ctx); err != nil {
		return true, err
	}
	return true, shell.plain(ctx, f)
}

// plain lends f the connection in a handle of its own. That is closed before f runs,
// which ends its goroutine and leaves the connection open, since it is in use.
func (c *conn) plain(ctx context.Context, f func(*sql.Conn) error) error {
	db := sql.OpenDB(single{c.source.Connector, c.Conn})
	plain, err := db.Conn(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	defer func() {
		unused := func(any) error { return nil }
		c.spoiled = c.spoiled || errors.Is(plain.Raw(unused), sql.ErrConnDone)
	}()
	return f(plain)
}

// single is a connector that has one connection, for one Connect.
type single struct {
	driver.Connector
	conn driver.Conn
}

func (s single) Connect(context.Context) (driver.Conn, error) { return s.conn, nil }
