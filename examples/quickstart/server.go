package main

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/connpool/connpool/examples/internal/tcpserver"
)

// greeting is what the server says when a connection is ready to be used.
const greeting = "ready\n"

// startServer starts an echo server that lets each new connection wait for the
// time of a handshake, as a TLS or database server does. Connections do not wait
// for each other.
func startServer(handshake time.Duration) (*tcpserver.Server, error) {
	return tcpserver.Start("127.0.0.1:0", func(ctx context.Context, conn net.Conn) {
		if !sleep(ctx, handshake) {
			return
		}
		if _, err := io.WriteString(conn, greeting); err == nil {
			io.Copy(conn, conn) // until the client hangs up
		}
	})
}

// sleep reports whether it slept so long, rather than until ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
