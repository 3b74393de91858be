//go:build !unix

package pool

import (
	"errors"
	"net"

	"github.com/connpool/connpool"
)

// ErrUnread is what Peek says of a connection with something to read on it.
var ErrUnread = errors.New("pool: the server has said something that nobody has read")

// Peek cannot tell on this system.
func Peek(net.Conn) error { return connpool.ErrUnsure }
