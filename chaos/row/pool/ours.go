package pool

import (
	"context"
	"log/slog"

	"github.com/connpool/connpool"
)

type ours struct{ *connpool.Pool[*Conn] }

// The configuration is the default one but for what the scenario sets.
func openOurs(f *Factory) (Pool, error) {
	s := f.setup
	cfg := connpool.Config[*Conn]{
		Connect:        f.dial,
		Close:          func(_ context.Context, c *Conn) error { return f.close(c) },
		MaxSize:        s.Max,
		IdleTimeout:    s.Idle,
		MaxLifetime:    s.Lifetime,
		LifetimeJitter: s.Jitter,
		Logger:         slog.New(slog.DiscardHandler),
	}
	if s.Lend != nil {
		cfg.Prepare = func(_ context.Context, c *Conn) error { return s.Lend(c) }
	}
	if s.Return != nil {
		cfg.Reset = func(_ context.Context, c *Conn) error { return s.Return(c) }
	}
	if s.Edit != nil {
		s.Edit(&cfg)
	}
	p, err := connpool.New(cfg)
	return ours{p}, err
}

func (p ours) Acquire(ctx context.Context) (Lease, error) {
	lease, err := p.Pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	return oursLease{lease}, nil
}

func (p ours) Close()       { _ = p.Pool.Close() } // always nil
func (p ours) Size() int    { return p.Stats().Size }
func (p ours) Resize(n int) { _ = p.Pool.Resize(n) } // fails for sizes that no scenario asks for

type oursLease struct{ connpool.Lease[*Conn] }

func (l oursLease) Conn() (*Conn, error) { return l.Lease.Conn(), nil }
func (l oursLease) Discard()             { l.Lease.Discard(nil) }

// Own returns our pool, for what only it has, or nil.
func (o *Opened) Own() *connpool.Pool[*Conn] {
	own, _ := o.Pool.(ours)
	return own.Pool
}
