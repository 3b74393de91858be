package pgtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are drawn from below the ranges the kernels hand out by themselves
// (32768 and up on Linux, 49152 and up on macOS and the BSDs). A port from
// there could be taken, while the server is down, by any listener on port 0 or
// as the source of a client's dial, even of a dial to that very port, which
// then connects to itself. Restart could not have it back.
const (
	firstPort = 20000
	portCount = 12000
)

const host = "127.0.0.1"

// freePort draws a port that nobody listens on. Somebody may before the server
// does, so a taken port is a reason to draw again.
func freePort(ctx context.Context) (int, error) {
	var last error
	for range 100 {
		port := firstPort + rand.IntN(portCount)
		var listen net.ListenConfig
		listener, err := listen.Listen(ctx, "tcp", address(port))
		if err == nil {
			return port, listener.Close()
		}
		last = err
	}
	return 0, fmt.Errorf("pgtest: finding a free port on %s: %w", host, last)
}

func address(port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
