//go:build !unix

package main

import (
	"net"

	"github.com/connpool/connpool"
)

// peek cannot tell on this system, so the pool makes a round trip (Check) before
// every hand-out.
func peek(net.Conn) error { return connpool.ErrUnsure }
