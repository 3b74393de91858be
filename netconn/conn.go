package netconn

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/connpool/connpool"
)

// Conn is a net.Conn that notes what becomes of it: what was read and written last,
// and whether that failed. Pools of PoolConfig lend one, and their Close of it, or
// yours, closes the connection for good. A Dialer hands one out, and its Close
// gives the connection back; after that, all its methods but the addresses fail
// with net.ErrClosed and cannot touch the next user's connection.
//
// However its use ends, in the Close of a Dialer's or the end of a pool's lease,
// with an error or without, a connection is closed for good if
//
//   - a Read or Write has failed, the end of the stream and timeouts included;
//   - a Read or Write is under way in another goroutine, which returns at once;
//   - the last call was a Write: the reply to it may be on its way. Not so if that
//     was under Do and the request returned nil, nor with Options.OneWay;
//   - a goodbye was said (Options.Goodbye);
//   - the context of a Do ended and its request failed when something had been
//     read or written;
//   - it is dead, or bytes have arrived on it that nobody has read.
//
// Dialers close it also if a deadline that was set has passed and has not been
// lifted, or if the Dialer is closed; pools by what the work's error says, see
// IsBad. What none of them notices is a reply of which only a part has been read
// and the rest has not arrived yet. So a user that stops in the middle of a reply
// must call Discard, or return the error that a failed Read or Do has given it.
//
// It is safe for concurrent use as far as the connection below is.
type Conn struct {
	inner   net.Conn
	options *Options
	lease   connpool.Lease[net.Conn]
	branch  *branch // nil for one of a pool

	mu struct {
		sync.Mutex
		closed          bool
		using           int   // calls under way on inner
		fault           error // of the first call that failed
		open            bool  // something was read or written since a whole exchange
		asked           bool  // the last call was a write
		sent, received  line
		over            bool // a goodbye was said
		readBy, writeBy time.Time
	}
}

// Why a connection is not given back. That makes no other connection suspect.
var (
	errInUse      = errors.New("netconn: returned while in use")
	errExpired    = errors.New("netconn: closed after a deadline had passed")
	errDiscarded  = errors.New("netconn: discarded by its user")
	errUnanswered = errors.New("netconn: returned with nothing read since the last write")
	errGoodbye    = errors.New("netconn: returned after a goodbye")
	errCut        = errors.New("netconn: a context ended in the middle of an exchange")
)

// begin begins a call on the connection below.
func (c *Conn) begin(op string, writes bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closed {
		return c.closedError(op)
	}
	c.mu.using++
	c.mu.open, c.mu.asked = true, writes
	return nil
}

// end ends a call that moved some bytes. After a goodbye the end of the stream is
// as it should be.
func (c *Conn) end(side *line, moved []byte, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.using--
	if side.says(moved, c.options.Goodbye) {
		c.mu.over = true
	}
	if c.mu.fault == nil && !c.mu.over {
		c.mu.fault = err
	}
}

func (c *Conn) closedError(op string) error {
	return &net.OpError{Op: op, Net: c.RemoteAddr().Network(), Addr: c.RemoteAddr(), Err: net.ErrClosed}
}

// Read reads from the connection.
func (c *Conn) Read(b []byte) (n int, err error) {
	if err := c.begin("read", false); err != nil {
		return 0, err
	}
	defer func() { c.end(&c.mu.received, b[:n], err) }()
	return c.inner.Read(b)
}

// Write writes to the connection.
func (c *Conn) Write(b []byte) (n int, err error) {
	if err := c.begin("write", true); err != nil {
		return 0, err
	}
	defer func() { c.end(&c.mu.sent, b[:n], err) }()
	return c.inner.Write(b)
}

// LocalAddr returns the address of this end.
func (c *Conn) LocalAddr() net.Addr { return c.inner.LocalAddr() }

// RemoteAddr returns the address of the other end.
func (c *Conn) RemoteAddr() net.Addr { return c.inner.RemoteAddr() }

// NetConn returns the connection below, such as a *tls.Conn or *net.TCPConn, to
// be asked or configured, not to be read, written or closed, which would go
// unnoticed. It must not be used after Close.
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

// IsBad reports whether an error that the work on a pool's connection ended with
// means that the connection is broken; the pool asks it (see
// connpool.Config.IsBad). It goes by what happened on the connection, and not by
// the error's type: another system's refused connection, or its timeout, is no
// concern of this connection. It is true if
//
//   - err matches connpool.ErrBadConn;
//   - a Read or Write has failed or is under way, the connection was closed, or a
//     deadline that was set has passed;
//   - err is a context's, other than in a connpool.AcquireError, and something has
//     been read or written of which Do does not know that it is over. Do knows if it
//     has returned since and its own context had not ended; any other exchange may
//     have been left in the middle.
//
// Where it is false, the connection is still closed for the reasons that do not
// depend on an error.
func (c *Conn) IsBad(err error) bool {
	if errors.Is(err, connpool.ErrBadConn) {
		return true
	}
	ended := isContextErr(err)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.closed || c.brokenLocked() != nil || c.expiredLocked() || c.mu.open && ended
}

func isContextErr(err error) bool {
	var elsewhere *connpool.AcquireError
	return !errors.As(err, &elsewhere) &&
		(errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded))
}

func (c *Conn) brokenLocked() error {
	if c.mu.fault == nil && c.mu.using > 0 {
		return errInUse
	}
	return c.mu.fault
}

// spentLocked returns why the connection cannot be lent again, if so.
func (c *Conn) spentLocked() error {
	switch broken := c.brokenLocked(); {
	case broken != nil:
		return broken
	case c.mu.over:
		return errGoodbye
	case c.mu.asked && !c.options.OneWay:
		return errUnanswered
	}
	return nil
}

func (c *Conn) expiredLocked() bool {
	now := time.Now()
	return errors.Is(c.mu.fault, os.ErrDeadlineExceeded) ||
		passed(c.mu.readBy, now) || passed(c.mu.writeBy, now)
}

func passed(deadline, now time.Time) bool { return !deadline.IsZero() && !now.Before(deadline) }

// exchanged notes how a request under Do has ended. Without an error the exchange
// is whole. With one, and the context still there, it is the reply's or somebody
// else's, unless nobody has begun to read the reply. Once the context has ended
// nobody knows, not even if the user makes another error of it.
func (c *Conn) exchanged(err error, interrupted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil:
		c.mu.open, c.mu.asked = false, false
	case !interrupted:
		c.mu.open = c.mu.asked
	case c.mu.open && c.mu.fault == nil:
		c.mu.fault = errCut
	}
}

// renew makes a connection that comes back into a pool ready for the next user, or
// returns why it is not.
func (c *Conn) renew() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closed {
		return c.closedError("return")
	}
	if err := c.spentLocked(); err != nil {
		return err
	}
	c.mu.open, c.mu.asked = false, false
	c.mu.sent, c.mu.received = line{}, line{}
	c.mu.readBy, c.mu.writeBy = time.Time{}, time.Time{}
	return nil
}

// Close gives a Dialer's connection back, and closes a pool's. A second Close does
// nothing and returns an error that matches net.ErrClosed, as that of other
// net.Conns does.
func (c *Conn) Close() error { return c.close(nil) }

// Discard is Close, but closes the connection for good.
func (c *Conn) Discard() error { return c.close(errDiscarded) }

func (c *Conn) close(cause error) error {
	cause, first := c.shut(cause)
	switch {
	case !first:
		return c.closedError("close")
	case c.branch == nil:
		return c.inner.Close()
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
	switch {
	case cause != nil:
		return cause, true
	case c.expiredLocked():
		return errExpired, true
	}
	return c.spentLocked(), true
}

// below returns the connection below a Conn, and other connections as they are.
func below(conn net.Conn) net.Conn {
	if c, ok := conn.(*Conn); ok {
		return c.inner
	}
	return conn
}

// noted returns the Conn that a connection is, or stands on; nil if there is none,
// or it is out of sight.
func noted(conn net.Conn) *Conn {
	for {
		switch c := conn.(type) {
		case *Conn:
			return c
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return nil
		}
	}
}
