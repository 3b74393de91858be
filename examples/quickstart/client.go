package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/connpool/connpool"
)

// requestTimeout bounds a request, with its wait for a connection.
const requestTimeout = 5 * time.Second

// newPool returns a pool of connections to addr. For most protocols this is all
// it takes; the other fields of Config have defaults.
func newPool(addr string, size int) (*connpool.Pool[net.Conn], error) {
	return connpool.New(connpool.Config[net.Conn]{
		Name:    "quickstart",
		Connect: func(ctx context.Context) (net.Conn, error) { return dial(ctx, addr) },
		Check:   func(ctx context.Context, conn net.Conn) error { return exchange(ctx, conn, "check") },
		MaxSize: size,
	})
}

// requestPooled does one request on a connection from the pool.
func requestPooled(ctx context.Context, pool *connpool.Pool[net.Conn]) error {
	lease, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	err = exchange(ctx, lease.Conn(), "hello")
	lease.ReleaseErr(err) // a connection that broke is not lent again
	return err
}

// requestUnpooled does the same on a connection of its own.
func requestUnpooled(ctx context.Context, addr string) error {
	conn, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	return errors.Join(exchange(ctx, conn, "hello"), conn.Close())
}

// dial opens a connection and waits for the server's greeting: only then can the
// connection be used.
func dial(ctx context.Context, addr string) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if err := within(ctx, conn, func() error { return expect(conn, greeting) }); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// exchange sends a line and reads the echo.
func exchange(ctx context.Context, conn net.Conn, line string) error {
	return within(ctx, conn, func() error {
		line += "\n"
		if _, err := io.WriteString(conn, line); err != nil {
			return err
		}
		return expect(conn, line)
	})
}

// within runs io under the context's deadline, and clears the deadline after
// it: one that stays would end the request of whoever is lent the connection
// next.
func within(ctx context.Context, conn net.Conn, io func() error) error {
	deadline, _ := ctx.Deadline() // zero, which means none, if there is none
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	return errors.Join(io(), conn.SetDeadline(time.Time{}))
}

// expect reads what the server has to answer. Any other answer means that the
// two ends are out of step, and such a connection must not be lent again.
func expect(conn net.Conn, want string) error {
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil {
		return err
	}
	if string(got) != want {
		return fmt.Errorf("%w: the server answered %q to %q", connpool.ErrBadConn, got, want)
	}
	return nil
}
