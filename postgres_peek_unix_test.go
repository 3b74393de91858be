//go:build unix

package connpool_test

import (
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/connpool/connpool"
)

var errUnread = errors.New("the server has said something that nobody has read")

// peek looks at what the kernel has received on a connection that should have
// nothing to read, without taking it and without waiting: Go's sockets never
// block. Control, unlike Read, works whatever deadline is set.
func peek(conn net.Conn) error {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return connpool.ErrUnsure // TLS: the bytes below it may be of no concern to us
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var n int
	var peekErr error
	if err := raw.Control(func(fd uintptr) {
		n, _, peekErr = syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK)
	}); err != nil {
		return err
	}
	switch {
	case peekErr == syscall.EAGAIN:
		return nil // nothing to read: the connection is open and silent
	case peekErr != nil:
		return peekErr
	case n == 0:
		return io.EOF // the server has hung up
	}
	return errUnread
}
