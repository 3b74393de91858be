package main

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// tape records what happens to one pool. Times are since its start.
type tape struct {
	epoch   time.Time
	server  string // its version
	sockets gauge  // connections, from the start of their dial to their end

	// When the first call of the fault had told the pool that its connection was
	// broken; 0 until then.
	reported atomic.Int64

	// When the pool was first seen to know that a dial of the fault had failed; 0
	// until then.
	refused atomic.Int64

	// The fault, written by the scenario before anybody reads.
	began, ended time.Duration

	mu struct {
		sync.Mutex
		struck  bool
		calls   []call
		dials   []dial
		samples []sample
	}
}

// call is one caller's attempt to have a query answered.
type call struct {
	began, got, ended time.Duration // got: when it had a connection; 0: never
	allowed           time.Duration // from began to its deadline
	patient           bool          // it had the time to wait the fault out
	err               error

	// Of its connection.
	held         bool
	born, proved time.Duration
	server       string // who answered
}

// holds writes down what the connection was like when it was lent.
func (c *call) holds(p *passport) {
	c.held, c.born, c.proved = true, p.born, time.Duration(p.proved.Load())
}

// dial is one attempt to open a connection.
type dial struct {
	began, ended time.Duration
	err          error
}

// sample is what there was at one time.
type sample struct {
	at   time.Duration
	open int64
}

func newTape() *tape { return &tape{epoch: time.Now()} }

func (t *tape) now() time.Duration { return time.Since(t.epoch) }

// strike writes down that the fault begins, before it does.
func (t *tape) strike() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.began, t.mu.struck = t.now(), true
}

func (t *tape) struck() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.struck
}

func (t *tape) noteCall(c call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.calls = append(t.mu.calls, c)
}

// noteReported is called when the pool has been told of a call's end.
func (t *tape) noteReported(c *call) {
	if c.err != nil && c.held && t.struck() && t.now() < c.began+c.allowed && t.reported.Load() == 0 {
		t.reported.CompareAndSwap(0, int64(t.now()))
	}
}

const sampleEvery = 20 * time.Millisecond

// sample looks at a pool and at the number of its connections, until the function
// it returns is called.
func (t *tape) sample(s subject) (stop func()) {
	quit := make(chan struct{})
	var sampler sync.WaitGroup
	sampler.Go(func() {
		ticker := time.NewTicker(sampleEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				t.noteSample()
				t.noteRefused(s)
			case <-quit:
				return
			}
		}
	})
	return func() {
		close(quit)
		sampler.Wait()
	}
}

func (t *tape) noteSample() {
	s := sample{t.now(), t.sockets.now()}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.samples = append(t.mu.samples, s)
}

func (t *tape) noteRefused(s subject) {
	if t.refused.Load() == 0 && t.struck() && s.refused() {
		t.refused.Store(int64(t.now()))
	}
}

// dialFailed reports whether a dial has failed.
func (t *tape) dialFailed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(t.mu.dials, func(d dial) bool { return d.err != nil })
}

// calls, dials and samples are valid once nobody writes any more.
func (t *tape) calls() []call     { return t.mu.calls }
func (t *tape) dials() []dial     { return t.mu.dials }
func (t *tape) samples() []sample { return t.mu.samples }

// dialTracer records dials; pgx calls it for both pools.
type dialTracer struct{ tape *tape }

type dialKey struct{}

// decided says when a pool decided on the dial of that context: a busy machine
// may come to it much later.
func decided(ctx context.Context, at time.Duration) context.Context {
	return context.WithValue(ctx, dialKey{}, at)
}

// TraceConnectStart is called when a dial begins.
func (d dialTracer) TraceConnectStart(ctx context.Context, _ pgx.TraceConnectStartData) context.Context {
	if ctx.Value(dialKey{}) != nil {
		return ctx
	}
	return decided(ctx, d.tape.now())
}

// TraceConnectEnd is called when it ends.
func (d dialTracer) TraceConnectEnd(ctx context.Context, data pgx.TraceConnectEndData) {
	began := ctx.Value(dialKey{}).(time.Duration)
	d.tape.mu.Lock()
	defer d.tape.mu.Unlock()
	d.tape.mu.dials = append(d.tape.mu.dials, dial{began, d.tape.now(), data.Err})
}

// TraceQueryStart and TraceQueryEnd make a tracer of it; queries are recorded by
// the callers.
func (dialTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

// TraceQueryEnd does nothing: see TraceQueryStart.
func (dialTracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// gauge counts what there is now, and remembers the most there has been.
type gauge struct{ n, most atomic.Int64 }

func (g *gauge) add(d int64) {
	n := g.n.Add(d)
	for most := g.most.Load(); n > most && !g.most.CompareAndSwap(most, n); most = g.most.Load() {
	}
}

func (g *gauge) now() int64  { return g.n.Load() }
func (g *gauge) peak() int64 { return g.most.Load() }
