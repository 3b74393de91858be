//go:build unix && !aix

package netconn

import (
	"io"
	"net"
	"syscall"

	"github.com/connpool/connpool"
)

// peekTCP, peekUnix and peek do the same. The first two do it without an
// allocation, because the compiler sees which Control they call and so that
// nothing escapes from it. Through the interface it cannot.
//
// Control, unlike RawConn.Read, looks at no deadline (an expired one would keep
// the function from being run) and waits for nobody who is reading.

func peekTCP(conn *net.TCPConn) (err error) {
	raw, controlErr := conn.SyscallConn()
	if controlErr == nil {
		controlErr = raw.Control(func(fd uintptr) { err = peekFD(fd) })
	}
	if controlErr != nil {
		return controlErr // closed at this end
	}
	return err
}

func peekUnix(conn *net.UnixConn) (err error) {
	raw, controlErr := conn.SyscallConn()
	if controlErr == nil {
		controlErr = raw.Control(func(fd uintptr) { err = peekFD(fd) })
	}
	if controlErr != nil {
		return controlErr
	}
	return err
}

func peek(conn syscall.Conn) (err error) {
	raw, controlErr := conn.SyscallConn()
	if controlErr == nil {
		controlErr = raw.Control(func(fd uintptr) { err = peekFD(fd) })
	}
	if controlErr != nil {
		return controlErr
	}
	return err
}

// arrived returns the first of what the kernel has received, as far as buf holds
// it, without taking it, and nothing for connections that hide their socket. What
// ails a socket is left to whoever reads from it.
func arrived(conn net.Conn, buf []byte) []byte {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	n := 0
	_ = raw.Control(func(fd uintptr) {
		n, _, _ = syscall.Recvfrom(int(fd), buf, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	})
	return buf[:max(n, 0)]
}

// peekFD looks at what the kernel has received without taking it. Go's sockets
// do not block, but one whose File was asked for may: hence MSG_DONTWAIT.
func peekFD(fd uintptr) error {
	var buf [1]byte
	n, _, err := syscall.Recvfrom(int(fd), buf[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return verdict(n, err)
}

// verdict says what it means for a connection that should be silent that n bytes
// can be read.
func verdict(n int, err error) error {
	switch {
	case err == syscall.EAGAIN || err == syscall.EWOULDBLOCK:
		return nil // nothing to read: open and silent
	case err == syscall.EINTR:
		return connpool.ErrUnsure
	case err != nil:
		return err
	case n == 0:
		return io.EOF // the other end has closed it
	}
	return ErrUnread
}
