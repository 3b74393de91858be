package connpooltest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/connpool/connpool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder is a test that is told of faults and goes on.
type recorder struct {
	testing.TB
	mu     sync.Mutex
	faults []string
	logged []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

func (r *recorder) Logf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.logged = append(r.logged, fmt.Sprintf(format, args...))
}

// what returns the first line of each fault, without the package's name.
func (r *recorder) what() (lines []string) {
	for _, fault := range r.faults {
		line, _, _ := strings.Cut(fault, "\n")
		lines = append(lines, strings.TrimPrefix(line, "connpooltest: "))
	}
	return lines
}

// session is a connection to nowhere.
type session struct {
	id     int64
	closed atomic.Bool
	broken *atomic.Bool // shared by some
}

var errClosed = errors.New("session is closed")

func (s *session) state() error {
	if s.closed.Load() || s.broken != nil && s.broken.Load() {
		return errClosed
	}
	return nil
}

// use is a session's work.
func (s *session) use(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.state()
}

// server is where sessions are opened, and counts them.
type server struct {
	opened, closed atomic.Int64
	release        chan struct{} // what hangs does so until it is closed
}

func newServer() *server { return &server{release: make(chan struct{})} }

// config is a Config without a fault.
func (s *server) config() connpool.Config[*session] {
	return connpool.Config[*session]{
		Connect: s.connect,
		Close:   s.close,
		Alive:   (*session).state,
		Check:   func(ctx context.Context, c *session) error { return c.use(ctx) },
		Clean:   (*session).state,
		Prepare: func(ctx context.Context, c *session) error { return c.use(ctx) },
		Reset:   func(ctx context.Context, c *session) error { return c.use(ctx) },
		Logger:  slog.New(slog.DiscardHandler),
	}
}

func (s *server) connect(ctx context.Context) (*session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &session{id: s.opened.Add(1)}, nil
}

// slowly takes a while over a connection, if its context lasts as long.
func (s *server) slowly(ctx context.Context) (*session, error) {
	select {
	case <-time.After(100 * time.Millisecond):
		return s.connect(ctx)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *server) close(_ context.Context, c *session) error {
	if !c.closed.Swap(true) {
		s.closed.Add(1)
	}
	return nil
}
