//go:build unix

package pool

import (
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/connpool/connpool"
)

// ErrUnread is what Peek says of a connection with something to read on it.
var ErrUnread = errors.New("pool: the server has said something that nobody has read")

// Peek reports whether an idle connection is open and silent, without a round
// trip and without taking anything from it. It is an Alive and a Clean. Of what
// is no socket it cannot tell.
func Peek(conn net.Conn) error {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return connpool.ErrUnsure
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var n int
	var peeked error
	// Control and not Read, which does nothing once a deadline has passed.
	err = raw.Control(func(fd uintptr) {
		var one [1]byte
		n, _, peeked = syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	})
	switch {
	case err != nil:
		return err
	case peeked == syscall.EAGAIN:
		return nil
	case peeked != nil:
		return peeked
	case n == 0:
		return io.EOF
	}
	return ErrUnread
}
