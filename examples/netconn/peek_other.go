//go:build !unix

package main

import (
	"syscall"

	"github.com/connpool/connpool"
)

// peek cannot tell on this system, so the pool makes a round trip (Check) before
// every hand-out.
func peek(syscall.RawConn) error { return connpool.ErrUnsure }
