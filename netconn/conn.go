package netconn

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/connpool/connpool"
)

// Conn is a connection that a Dialer has handed out: a net.Conn whose Close gives
// it back. After that, all its methods but the addresses fail with net.ErrClosed
// and cannot touch the next user's connection.
//
// Close closes the connection for good if
//
//   - a Read or Write has failed, the end of the stream and time-outs included;
//   - a deadline that was set has passed and has not been lifted;
//   - a Read or Write is under way in another goroutine, which returns at once;
//   - it is dead, or bytes have arrived on it that nobody has read;
//   - the Dialer is closed.
//
// A reply that has not arrived yet when Close is called is not noticed: who has
// not read his whole reply must call Discard.
type Conn struct {
	inner  net.Conn
	lease  connpool.Lease[net.Conn]
	branch *branch

	mu struct {
		sync.Mutex
		closed          bool
		using           int   // calls under way on inner
		fault           error // of the first call that failed
		readBy, writeBy time.Time
	}
}

// Why a connection is not given back. That makes no other connection suspect.
var (
	errInUse     = errors.New("netconn: closed while in use")
	errExpired   = errors.New("netconn: closed after a deadline had passed")
	errDiscarded = errors.New("netconn: discarded by its user")
)

// begin begins a call on the connection below.
func (c *Conn) begin(op string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closed {
		return c.closedError(op)
	}
	c.mu.using++
	return nil
}

func (c *Conn) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.using--
	if c.mu.fault == nil {
		c.mu.fault = err
	}
}

func (c *Conn) closedError(op string) error {
	return &net.OpError{Op: op, Net: c.branch.network, Addr: c.RemoteAddr(), Err: net.ErrClosed}
}

// Read reads from the connection.
func (c *Conn) Read(b []byte) (n int, err error) {
	if err := c.begin("read"); err != nil {
		return 0, err
	}
	defer func() { c.end(err) }()
	return c.inner.Read(b)
}

// Write writes to the connection.
func (c *Conn) Write(b []byte) (n int, err error) {
	if err := c.begin("write"); err != nil {
		return 0, err
	}
	defer func() { c.end(err) }()
	return c.inner.Write(b)
}

// LocalAddr returns the address of this end.
func (c *Conn) LocalAddr() net.Addr { return c.inner.LocalAddr() }

// RemoteAddr returns the address of the other end.
func (c *Conn) RemoteAddr() net.Addr { return c.inner.RemoteAddr() }

// NetConn returns the connection below, such as a *tls.Conn or *net.TCPConn, to
// be asked or configured, not to be read, written or closed. It must not be used
// after Close.
func (c *Conn) NetConn() net.Conn { return c.inner }

// SetDeadline sets the deadlines of reads and writes.
func (c *Conn) SetDeadline(t time.Time) error {
	return c.setDeadline(t, c.inner.SetDeadline, &c.mu.readBy, &c.mu.writeBy)
}

// SetReadDeadline sets the deadline of reads.
func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.setDeadline(t, c.inner.SetReadDeadline, &c.mu.readBy)
}

// SetWriteDeadline sets the deadline of writes.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	return c.setDeadline(t, c.inner.SetWriteDeadline, &c.mu.writeBy)
}

// setDeadline sets a deadline and notes it. The lock is held meanwhile, so that
// what is noted is what was set last, and so that nobody's cancellation that
// comes late sets one for the next user.
func (c *Conn) setDeadline(t time.Time, set func(time.Time) error, noted ...*time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closed {
		return c.closedError("set")
	}
	for _, by := range noted {
		*by = t
	}
	return set(t)
}

// Close gives the connection back. A second Close does nothing and returns an
// error that matches net.ErrClosed, as that of other net.Conns does.
func (c *Conn) Close() error { return c.close(nil) }

// Discard is Close, but closes the connection for good.
func (c *Conn) Discard() error { return c.close(errDiscarded) }

func (c *Conn) close(cause error) error {
	cause, first := c.shut(cause)
	if !first {
		return c.closedError("close")
	}
	defer c.branch.leave() // also if a callback of the user's panics
	if cause == nil {
		c.lease.Release()
	} else {
		c.lease.Discard(cause)
	}
	return nil
}

// shut ends the use of the connection, and returns why it cannot be lent again,
// if so. It decides between several who close: one is the first. A Read or Write
// that is under way is left alone with the connection below, which nobody else
// gets.
func (c *Conn) shut(cause error) (why error, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closed {
		return nil, false
	}
	c.mu.closed = true
	switch now := time.Now(); {
	case cause != nil:
		return cause, true
	case errors.Is(c.mu.fault, os.ErrDeadlineExceeded) || passed(c.mu.readBy, now) || passed(c.mu.writeBy, now):
		return errExpired, true
	case c.mu.fault != nil:
		return c.mu.fault, true
	case c.mu.using > 0:
		return errInUse, true
	}
	return nil, true
}

func passed(deadline, now time.Time) bool { return !deadline.IsZero() && !now.Before(deadline) }
