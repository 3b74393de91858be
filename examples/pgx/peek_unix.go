//go:build unix

package main

import (
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/connpool/connpool"
)

var errUnread = errors.New("the server has said something that nobody asked for")

// peek looks at what the kernel has received on a connection that should have
// nothing to read, without taking it and without waiting: Go's sockets never
// block. Control, unlike Read, works whatever deadline is set.
func peek(conn net.Conn) error {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return connpool.ErrUnsure // TLS, where the bytes below it may be TLS's own
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var n int
	var peekErr error
	err = raw.Control(func(fd uintptr) {
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
