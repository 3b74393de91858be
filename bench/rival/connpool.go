package rival

import (
	"context"
	"log/slog"

	"github.com/connpool/connpool"
)

// Connpool is the pool of this repository with its default settings.
func Connpool() Rival {
	r := connpoolWith("connpool", nil)
	r.Note = "This tree, with its default settings. Each borrow checks the context and each return the lease's turn; " +
		"statistics are on, and stacks are captured under pressure. Only warnings are discarded."
	return r
}

// Variants returns this pool with one setting changed each, the defaults first.
func Variants() []Rival {
	return []Rival{
		connpoolWith("defaults", nil),
		connpoolWith("LeakStacks: StacksNever", func(c *connpool.Config[*Conn]) { c.LeakStacks = connpool.StacksNever }),
		connpoolWith("LeakStacks: StacksAlways", func(c *connpool.Config[*Conn]) { c.LeakStacks = connpool.StacksAlways }),
		connpoolWith("ReclaimLost", func(c *connpool.Config[*Conn]) { c.ReclaimLost = true }),
		connpoolWith("Trace, no callback of a lease", func(c *connpool.Config[*Conn]) {
			c.Trace = &connpool.Trace{Closed: func(connpool.ClosedInfo) {}}
		}),
		connpoolWith("Trace: Acquired and Released", func(c *connpool.Config[*Conn]) {
			c.Trace = &connpool.Trace{
				Acquired: func(context.Context, connpool.AcquiredInfo) {},
				Released: func(context.Context, connpool.ReleasedInfo) {},
			}
		}),
		connpoolWith("Alive", func(c *connpool.Config[*Conn]) { c.Alive = func(*Conn) error { return nil } }),
		connpoolWith("Clean", func(c *connpool.Config[*Conn]) { c.Clean = func(*Conn) error { return nil } }),
	}
}

func connpoolWith(name string, edit func(*connpool.Config[*Conn])) Rival {
	return Rival{Name: name, Kind: Fair, Bounded: true, New: func(s Setup) (Pool, error) {
		o := opener{dial: s.Dial}
		cfg := connpool.Config[*Conn]{
			Connect: o.open,
			MaxSize: s.Max,
			MinSize: s.Min,
			Logger:  slog.New(slog.DiscardHandler),
		}
		if edit != nil {
			edit(&cfg)
		}
		pool, err := connpool.New(cfg)
		if err != nil {
			return nil, err
		}
		return ours{pool}, nil
	}}
}

type ours struct{ *connpool.Pool[*Conn] }

func (p ours) Cycle(ctx context.Context, n int) error {
	for range n {
		lease, err := p.Acquire(ctx)
		if err != nil {
			return err
		}
		lease.Release()
	}
	return nil
}

func (p ours) Use(ctx context.Context, hold func()) error {
	lease, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	defer lease.Release()
	hold()
	return nil
}

func (p ours) Waits() uint64 { return p.Stats().Waits }

func (p ours) Fill(ctx context.Context) error { return p.Warm(ctx) }

func (p ours) Close() { _ = p.Shutdown(context.Background()) }
