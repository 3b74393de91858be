package main

import (
	"context"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/netconn"
)

// poolConfig describes a pool of connections to a server. What is true of every
// connection is netconn's to know: how to dial, TLS, whether the server has hung
// up, whether something has arrived that nobody has read. The client adds what it
// alone knows: whether something is yet to arrive.
func poolConfig(to server) connpool.Config[*conn] {
	base := netconn.PoolConfig("tcp", to.addr, netconn.Options{
		TLS:       to.tls,
		Handshake: func(_ context.Context, over net.Conn) error { return ask(over, to.login()...) },
		Check:     func(_ context.Context, over net.Conn) error { return ask(over, []string{"PING"}) },
	})
	return connpool.Config[*conn]{
		Name: "redis",
		Connect: func(ctx context.Context) (*conn, error) {
			over, err := base.Connect(ctx)
			if err != nil {
				return nil, err
			}
			return newConn(over), nil
		},
		// Before every hand-out, a look at the socket; a PING after a second without
		// use.
		Alive: func(c *conn) error { return base.Alive(c.over) },
		Check: func(ctx context.Context, c *conn) error { return base.Check(ctx, c.over) },
		// On every return: a reply that is on its way cannot be seen by any look at the
		// socket, but its command has been counted.
		Clean: func(c *conn) error {
			if err := c.finished(); err != nil {
				return err
			}
			return base.Clean(c.over)
		},
		// IsBad is connpool's default: after an error of the network the other
		// connections are checked before they are lent; after a refusal nothing is.
		Logger: slog.New(slog.DiscardHandler), // the errors of callers say the same
	}
}

// login is what a new connection has to say, in one round trip. PING is for a
// server that has just started and is still loading its data: it says so. HELLO
// needs Redis 6.
func (s server) login() [][]string {
	hello := []string{"HELLO", "2"}
	if s.password != "" {
		hello = append(hello, "AUTH", s.user, s.password)
	}
	hello = append(hello, "SETNAME", "connpool-example")
	return [][]string{hello, {"SELECT", strconv.Itoa(s.database)}, {"PING"}}
}

// ask sends commands on a connection that nobody has been lent, all of which must
// succeed. netconn sees to time-outs.
func ask(over net.Conn, commands ...[]string) error {
	c := newConn(over)
	replies, err := c.exchange(commands...)
	if err != nil {
		return err
	}
	for _, reply := range replies {
		if no, ok := reply.(refusal); ok {
			return no
		}
	}
	if c.replies.in.Buffered() > 0 {
		return netconn.ErrUnread
	}
	return nil
}

// shutdownTimeout is how long leases have to end when the program ends.
const shutdownTimeout = 10 * time.Second

func shutdown(ctx context.Context, pool *connpool.Pool[*conn]) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	return pool.Shutdown(ctx)
}
