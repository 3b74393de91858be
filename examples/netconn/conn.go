package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/netconn"
)

// newPool returns a pool whose connections are known to be alive when they are
// lent.
func newPool(addr string, size int, downAfter time.Duration, trace *connpool.Trace) (*connpool.Pool[*conn], error) {
	return connpool.New(connpool.Config[*conn]{
		Name:    "netconn",
		Connect: func(ctx context.Context) (*conn, error) { return connect(ctx, addr) },

		// Before every hand-out, a look at what the kernel knows: it has been told
		// when the server hung up. It costs a system call, about a microsecond.
		Alive: (*conn).alive,
		// The kernel is not told when a machine loses its power. A round trip finds
		// that out, so one is made once a connection has been idle for a while.
		Check:          func(ctx context.Context, c *conn) error { return c.ping(ctx) },
		CheckAfterIdle: 200 * time.Millisecond,
		// When a connection comes back: an answer that nobody has read would be
		// taken for the answer to the next user's request.
		Clean: (*conn).clean,
		// The server's saying no breaks nothing. After any other error nobody knows
		// what is still on its way.
		IsBad: func(err error) bool { return !errors.Is(err, errRefused) },

		// A restart is waited out: dials that fail fail no caller until they have
		// failed for so long, and a caller waits for up to a minute.
		DownAfter:      downAfter,
		AcquireTimeout: time.Minute,
		// A local server can be tried often.
		BackoffMax: 100 * time.Millisecond,

		MaxSize: size,
		Trace:   trace,
		Logger:  slog.New(slog.DiscardHandler), // the diary says the same
	})
}

// conn is a connection with the state that belongs to it.
type conn struct {
	net.Conn
	replies *bufio.Reader

	// vouched is when somebody last began to look whether the connection is alive.
	// It is what the example judges failed requests by; a program has no need of
	// it.
	vouched time.Time
}

const (
	greeting = "READY"
	// replyTimeout bounds the wait for one reply. The wait for a connection is
	// another matter.
	replyTimeout = 2 * time.Second
)

// errRefused is an answer: the server says no.
var errRefused = errors.New("refused")

// connect dials, and waits for the server's greeting: a connection that only the
// server's kernel has accepted is none yet.
func connect(ctx context.Context, addr string) (*conn, error) {
	var dialer net.Dialer
	tcp, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: tcp, replies: bufio.NewReader(tcp)}
	if err := netconn.Do(ctx, c, func() error { return c.expect(greeting) }); err != nil {
		tcp.Close()
		return nil, err
	}
	return c, nil
}

// alive finds out without a round trip whether the connection can be lent.
func (c *conn) alive() error {
	c.vouched = time.Now()
	return c.silent()
}

// clean finds out the same when the connection comes back. Where only a round
// trip could tell, that is left to the next hand-out.
func (c *conn) clean() error {
	if err := c.silent(); !errors.Is(err, connpool.ErrUnsure) {
		return err
	}
	return nil
}

// silent returns an error if the server has hung up, or has said something that
// nobody asked for.
func (c *conn) silent() error {
	if c.replies.Buffered() > 0 {
		return netconn.ErrUnread
	}
	return netconn.Alive(c.Conn)
}

// ping makes a round trip.
func (c *conn) ping(ctx context.Context) error {
	c.vouched = time.Now()
	return netconn.Do(ctx, c, func() error {
		if _, err := fmt.Fprintln(c, "PING"); err != nil {
			return err
		}
		return c.expect("PONG")
	})
}

// get asks for the value of a key.
func (c *conn) get(ctx context.Context, key string) (value string, err error) {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	err = netconn.Do(ctx, c, func() error {
		if _, err := fmt.Fprintln(c, "GET", key); err != nil {
			return err
		}
		value, err = c.reply()
		return err
	})
	return value, err
}

// reply reads one line. "ERR why" is a refusal.
func (c *conn) reply() (string, error) {
	line, err := c.replies.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSuffix(line, "\n")
	if why, no := strings.CutPrefix(line, "ERR "); no {
		return "", fmt.Errorf("%w: %s", errRefused, why)
	}
	return line, nil
}

func (c *conn) expect(want string) error {
	got, err := c.reply()
	if err == nil && got != want {
		err = fmt.Errorf("netconn: the server said %q, not %q", got, want)
	}
	return err
}
