package servertest

import (
	"context"
	"errors"
	"os"
	"time"
)

// TB is the part of testing.TB that a server for a test needs. Programs that
// only start a server need not link the testing package.
type TB interface {
	Helper()
	Skipf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// NewRedis starts a Redis for a test and stops it when the test ends. Where the
// program is not installed the test is skipped; but with the environment
// variable CI set it fails, so that nobody believes it ran.
func NewRedis(tb TB) *Server {
	tb.Helper()
	s, err := StartRedis(context.Background())
	return adopt(tb, "Redis", s, err)
}

// NewPgBouncer starts a PgBouncer for a test, in front of the server that a DSN
// leads to. It ends and is missed as NewRedis's server is.
func NewPgBouncer(tb TB, dsn string, options PgBouncerOptions) *PgBouncer {
	tb.Helper()
	b, err := StartPgBouncer(context.Background(), dsn, options)
	if err != nil {
		adopt(tb, "PgBouncer", nil, err)
		return nil
	}
	adopt(tb, "PgBouncer", b.Server, nil)
	return b
}

// NewMariaDB starts a MariaDB for a test, with the given settings. It ends and is
// missed as NewRedis's server is.
func NewMariaDB(tb TB, settings map[string]string) *MariaDB {
	tb.Helper()
	m, err := StartMariaDB(context.Background(), settings)
	if err != nil {
		adopt(tb, "MariaDB", nil, err)
		return nil
	}
	adopt(tb, "MariaDB", m.Server, nil)
	return m
}

// NewHAProxy starts an HAProxy for a test, in front of an address. It ends and is
// missed as NewRedis's server is.
func NewHAProxy(tb TB, backend string, idle time.Duration) *Server {
	tb.Helper()
	s, err := StartHAProxy(context.Background(), backend, idle)
	return adopt(tb, "HAProxy", s, err)
}

// adopt has a test own a server that was started for it, or not.
func adopt(tb TB, name string, s *Server, err error) *Server {
	tb.Helper()
	switch {
	case err == nil:
	case maySkip(err):
		tb.Skipf("this test needs a %s server: %v", name, err)
		return nil
	default:
		tb.Fatalf("starting a %s server: %v", name, err)
		return nil
	}
	tb.Cleanup(func() {
		tb.Helper()
		if err := s.Stop(); err != nil {
			tb.Fatalf("stopping the %s server: %v", name, err)
		}
	})
	return s
}

func maySkip(err error) bool {
	if errors.Is(err, ErrNotInstalled) {
		return os.Getenv("CI") == ""
	}
	return errors.Is(err, errors.ErrUnsupported)
}
