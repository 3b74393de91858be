//go:build !unix

package connpool_test

import (
	"net"

	"github.com/connpool/connpool"
)

// peek cannot tell on this system, so that a Check does.
func peek(net.Conn) error { return connpool.ErrUnsure }
