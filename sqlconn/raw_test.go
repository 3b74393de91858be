package sqlconn_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/sqlconn"
)

// limit is a driver's function: it takes a sql.Conn and wants its own type in Raw.
func limit(c *sql.Conn) (id int, err error) {
	err = c.Raw(func(c any) error {
		own, ok := c.(*fakeConn)
		if !ok {
			return errFake
		}
		id = own.id
		return own.ask("Raw")
	})
	return id, err
}

func TestFault103_ADriversFunctionThatCallsRawFindsItsOwnType(t *testing.T) {
	s := newServer()
	db, pool := open(t, s, oneConn, sqlconn.Options{})
	for name, prepare := range map[string]func(*sql.Conn) error{
		"unused": func(*sql.Conn) error { return nil },
		"used":   func(c *sql.Conn) error { return c.PingContext(ctx) },
	} {
		conn, err := db.Conn(ctx)
		require.NoError(t, err)
		must(t, prepare(conn))
		must(t, sqlconn.Plain(ctx, conn, func(plain *sql.Conn) error {
			id, err := limit(plain)
			require.Equal(t, 1, id, name)
			_, execErr := plain.ExecContext(ctx, "a")
			must(t, execErr)
			return err
		}))
		_, err = conn.ExecContext(ctx, "b")
		require.NoError(t, err, "conn goes on")
		must(t, conn.Close())
		require.Zero(t, pool.Stats().InUse)
	}
	require.Equal(t, 1, s.opened)
	require.Equal(t, 1, pool.Stats().Idle)
}

func TestFault103_PlainGivesAPlainHandlesConnAsItIs(t *testing.T) {
	s := newServer()
	db := openPlain(s)
	conn, err := db.Conn(ctx)
	require.NoError(t, err)
	must(t, sqlconn.Plain(ctx, conn, func(plain *sql.Conn) error {
		require.Same(t, conn, plain)
		_, err := limit(plain)
		return err
	}))
	must(t, conn.Close())
	require.ErrorIs(t, sqlconn.Plain(ctx, conn, func(*sql.Conn) error { return nil }), sql.ErrConnDone)
	must(t, db.Close())
}

// None of these may be lent again.
func TestFault103_AConnectionThatPlainSpoiledDoesNotReturn(t *testing.T) {
	for name, f := range map[string]func(*sql.Conn) error{
		"closes it": (*sql.Conn).Close,
		"calls it bad": func(*sql.Conn) error {
			return driver.ErrBadConn
		},
		"panics":    func(*sql.Conn) error { panic(errFake) },
		"meets bad": func(c *sql.Conn) error { return c.Raw(func(any) error { return driver.ErrBadConn }) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer()
			s.shape = closable
			db, _ := open(t, s, oneConn, sqlconn.Options{})
			conn := take(t, db, 1)[0]
			func() {
				defer func() { _ = recover() }()
				_ = sqlconn.Plain(ctx, conn, f)
			}()
			_ = conn.Close()
			next(t, s, db)
		})
	}
}

// closable returns a connection that may be closed twice, as that of most drivers may.
func closable(c *fakeConn) driver.Conn { return &closedOnce{fakeConn: c} }

type closedOnce struct {
	*fakeConn
	closed bool
}

func (c *closedOnce) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	return c.fakeConn.Close()
}

func TestDriverConnAndPlainFailAsTheAcquireFails(t *testing.T) {
	db, pool := open(t, newServer(), config{MaxSize: 1}, sqlconn.Options{})
	lease, err := pool.Acquire(ctx)
	require.NoError(t, err)
	defer lease.Release()
	conn, err := db.Conn(ctx)
	require.NoError(t, err)
	ended, end := context.WithCancel(ctx)
	end()
	err = sqlconn.Plain(ended, conn, func(*sql.Conn) error { panic("there is none") })
	require.IsType(t, new(connpool.AcquireError), err)
	must(t, conn.Raw(func(c any) error {
		_, err := sqlconn.DriverConn(ended, c)
		require.IsType(t, new(connpool.AcquireError), err)
		return nil
	}))
	must(t, conn.Close())
}
