package servertest

import (
	"context"
	"strconv"
)

// StartRedis starts a Redis that keeps nothing. The caller must Stop it. Without
// the program the error matches ErrNotInstalled.
func StartRedis(ctx context.Context) (*Server, error) {
	return start(ctx, "redis-server", "apt-get install redis-server", func(*Server) error { return nil }, func(s *Server) []string {
		return []string{
			"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.folder,
			"--save", "", "--appendonly", "no", "--daemonize", "no",
		}
	})
}
