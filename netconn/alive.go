package netconn

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/connpool/connpool"
)

// ErrUnread is what Alive returns for a connection with something to read on it
// that nobody has read: most often the reply to a request that was given up.
var ErrUnread = errors.New("netconn: there are unread bytes on the connection")

// What cannot be told, and why. Both are connpool.ErrUnsure.
var (
	errHidden  = fmt.Errorf("%w: the socket is out of sight", connpool.ErrUnsure)
	errRecords = fmt.Errorf("%w: TLS records have arrived", connpool.ErrUnsure)
)

// longAgo is a deadline that has passed, whatever the clocks do.
var longAgo = time.Unix(1, 0)

// Alive reports without a round trip and without waiting whether a connection
// that nobody is using can be used for the next request: nil if it is open and
// silent, io.EOF if the other end has closed it, ErrUnread if there are bytes on
// it, connpool.ErrUnsure where only a Check can tell (see the package's
// documentation), and otherwise what ails the socket. It takes nothing off the
// connection that could be of use. That this end has shut down its own writing
// (CloseWrite) it does not see.
//
// Deadlines that the last user left are cleared first, expired or not: Alive is
// for connections between two users.
//
// On a *net.TCPConn or *net.UnixConn it costs one system call, some 0.5 µs, and
// allocates nothing. On other types that implement syscall.Conn it allocates 40
// bytes. On a *tls.Conn the look at the socket is as cheap, but tls.Conn may have
// bytes in its own buffers and says so only to a Read: this takes another 0.5 µs
// and 100 bytes, and a Read that waits in another goroutine is ended by a
// time-out. PoolConfig spares its hand-outs that, by looking into the buffers when
// a connection is returned.
func Alive(conn net.Conn) error {
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	conn = below(conn)
	if err := look(conn); err != nil {
		return err
	}
	if secure, ok := conn.(*tls.Conn); ok {
		return leftover(secure)
	}
	return nil
}

// clean is Alive for a connection that comes back. What only a Check can tell is
// left to the next hand-out.
func clean(conn net.Conn) error {
	if c, ok := conn.(*Conn); ok {
		if err := c.renew(); err != nil {
			return err
		}
		conn = c.inner
	}
	if err := Alive(conn); !errors.Is(err, connpool.ErrUnsure) {
		return err
	}
	return nil
}

// look is Alive as far as the kernel knows.
func look(conn net.Conn) error {
	switch c := conn.(type) {
	case *Conn:
		return look(c.inner)
	case *net.TCPConn:
		return peekTCP(c)
	case *net.UnixConn:
		return peekUnix(c)
	case *tls.Conn:
		if err := look(c.NetConn()); err != ErrUnread {
			return err
		}
		return errRecords
	case syscall.Conn:
		return peek(c)
	case interface{ NetConn() net.Conn }:
		if err := look(c.NetConn()); err != nil && err != ErrUnread {
			return err
		}
	}
	return errHidden
}

// leftover reports whether a TLS connection holds bytes that have been taken off
// the socket and not been read. With a deadline in the past a Read serves from
// the buffers alone, and unlike a Write's its time-out does the connection no
// harm.
func leftover(conn *tls.Conn) error {
	if !conn.ConnectionState().HandshakeComplete {
		return errHidden // the Read would begin the handshake
	}
	return probe(conn, longAgo)
}

// probe tries to read one byte by the given time, which nobody should have sent.
// The byte is lost; the connection that it was on is no good anyway.
func probe(conn net.Conn, by time.Time) error {
	if err := conn.SetReadDeadline(by); err != nil {
		return err
	}
	n, err := conn.Read(make([]byte, 1))
	switch {
	case n > 0:
		return ErrUnread
	case errors.Is(err, os.ErrDeadlineExceeded):
		return conn.SetReadDeadline(time.Time{})
	}
	return err
}
