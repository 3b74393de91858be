package pool

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Factory makes the connections of one pool, and counts them.
type Factory struct {
	setup Setup

	Dials    atomic.Int64 // begun
	Opens    atomic.Int64 // of those, ended with a connection
	Closes   atomic.Int64
	Dialling Gauge

	mu struct {
		sync.Mutex
		closed []time.Time
	}
}

// dial is the factory of pools of Conns.
func (f *Factory) dial(ctx context.Context) (*Conn, error) {
	c, err := f.begin(ctx)
	if err != nil || f.setup.Nil {
		return nil, err
	}
	return f.made(c), nil
}

// begin runs what the scenario has a dial do.
func (f *Factory) begin(ctx context.Context) (*Conn, error) {
	f.Dials.Add(1)
	f.Dialling.Add(1)
	defer f.Dialling.Add(-1)
	c := &Conn{Dialled: time.Now()}
	if f.setup.Dial == nil {
		return c, nil
	}
	return c, f.setup.Dial(ctx, c)
}

func (f *Factory) made(c *Conn) *Conn {
	c.ID = f.Opens.Add(1)
	return c
}

// close closes a connection, or nothing where that is what was handed out.
func (f *Factory) close(c *Conn) error {
	if c == nil {
		return nil
	}
	if f.setup.Close != nil {
		f.setup.Close(c)
	}
	c.closes.Add(1)
	f.Closes.Add(1)
	f.mu.Lock()
	f.mu.closed = append(f.mu.closed, time.Now())
	f.mu.Unlock()
	if c.Resource != nil {
		return c.Resource.Close()
	}
	return nil
}

// ClosedAt returns when connections have been closed, the first first.
func (f *Factory) ClosedAt() []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]time.Time(nil), f.mu.closed...)
}

// Gauge counts what there is now, and remembers the most there has been.
type Gauge struct{ now, most atomic.Int64 }

// Add adds to what there is now.
func (g *Gauge) Add(d int64) {
	n := g.now.Add(d)
	for most := g.most.Load(); n > most && !g.most.CompareAndSwap(most, n); most = g.most.Load() {
	}
}

// Most returns the most there has been.
func (g *Gauge) Most() int64 { return g.most.Load() }
