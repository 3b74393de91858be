package servertest

import (
	"context"
	"fmt"
	"os"
	"time"
)

// haproxyConfig forwards TCP. A connection on which nothing has passed for the
// idle time is cut.
const haproxyConfig = `defaults
    mode tcp
    timeout connect 5s
    timeout client %[1]dms
    timeout server %[1]dms
listen forward
    bind %[2]s
    server backend %[3]s
`

// StartHAProxy starts an HAProxy in TCP mode in front of an address, which cuts
// connections that have been silent for the idle time. The caller must Stop it.
// Without the program the error matches ErrNotInstalled.
func StartHAProxy(ctx context.Context, backend string, idle time.Duration) (*Server, error) {
	const file = "haproxy.cfg"
	return start(ctx, "haproxy", "apt-get install haproxy", func(s *Server) error {
		config := fmt.Appendf(nil, haproxyConfig, idle.Milliseconds(), s.addr, backend)
		return os.WriteFile(s.file(file), config, 0o600)
	}, func(*Server) []string { return []string{"-db", "-f", file} })
}
