package pgtest

import (
	"context"
	"errors"
	"os"
)

// TB is the part of testing.TB that New needs. Programs that only Start a
// server need not link the testing package.
type TB interface {
	Helper()
	Skipf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// New starts a server for a test and stops it when the test ends. Where
// PostgreSQL is not installed the test is skipped; but with the environment
// variable CI set it fails, so that nobody believes it ran.
func New(tb TB, options Options) *Server {
	tb.Helper()
	s, err := Start(context.Background(), options)
	switch {
	case err == nil:
	case maySkip(err):
		tb.Skipf("this test needs a PostgreSQL server: %v", err)
		return nil
	default:
		tb.Fatalf("starting a PostgreSQL server: %v", err)
		return nil
	}
	tb.Cleanup(func() {
		tb.Helper()
		if err := s.Stop(); err != nil {
			tb.Fatalf("stopping the PostgreSQL server: %v", err)
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
