//go:build unix

package main

import (
	"io"
	"syscall"

	"github.com/connpool/connpool"
)

// peek looks at what the kernel has received on a connection that should have
// nothing to read, without taking it and without waiting: Go's sockets never
// block. Control, unlike Read, asks for no deadline.
func peek(raw syscall.RawConn) error {
	var n int
	var peekErr error
	err := raw.Control(func(fd uintptr) {
		var buf [1]byte
		n, _, peekErr = syscall.Recvfrom(int(fd), buf[:], syscall.MSG_PEEK)
	})
	if err != nil {
		return err // closed at this end
	}
	return verdict(n, peekErr)
}

// verdict says what it means that n bytes can be read.
func verdict(n int, err error) error {
	switch {
	case err == syscall.EAGAIN || err == syscall.EWOULDBLOCK:
		return nil // nothing to read: the connection is open and silent
	case err == syscall.EINTR:
		return connpool.ErrUnsure
	case err != nil:
		return err
	case n == 0:
		return io.EOF // the server has hung up
	}
	return errUnread
}
