package history

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/connpool/connpool"
)

// conn is a connection: a number, never used again.
type conn struct{ id int64 }

// lease is what the users of a history need of a lease.
type lease interface {
	Conn() *conn
	Release()
	Discard(cause error)
}

// pool is what they need of a pool: the one under test, or one that is broken on
// purpose.
type pool interface {
	acquire(ctx context.Context) (lease, error)
	try(ctx context.Context) (lease, error)
	waiting() int
}

// real is the pool under test.
type real struct{ *connpool.Pool[*conn] }

// newReal returns a pool of at most size connections.
func newReal(t *testing.T, size int) real {
	t.Helper()
	var opened atomic.Int64
	p, err := connpool.New(connpool.Config[*conn]{
		MaxSize: size,
		Logger:  slog.New(slog.DiscardHandler),
		Connect: func(context.Context) (*conn, error) { return &conn{id: opened.Add(1)}, nil },
		Close:   func(context.Context, *conn) error { return nil },
		Check:   func(context.Context, *conn) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := p.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return real{p}
}

func (p real) acquire(ctx context.Context) (lease, error) {
	l, err := p.Acquire(ctx)
	return l, err
}

func (p real) try(ctx context.Context) (lease, error) {
	l, err := p.TryAcquire(ctx)
	return l, err
}

func (p real) waiting() int { return p.Stats().Waiting }
