package main

import (
	"context"
	"runtime"
	"time"
)

// meddle does to one pool, at random, what its owner may do while it is in use.
func (s *soak) meddle(ctx context.Context, r *rig, d dice) {
	for ctx.Err() == nil {
		switch d.pick(3, 1, 2, 3, 2, 2, 1) {
		case 0:
			s.resize(r, d)
		case 1:
			r.retire()
		case 2:
			r.pool.Pause()
			time.Sleep(d.upTo(3 * time.Millisecond))
			r.pool.Resume()
		case 3:
			s.read(r)
		case 4:
			s.warm(r, d)
		case 5:
			r.source.rates.Store(d.rates(r))
		case 6:
			r.cfg.Lint()
		}
		time.Sleep(d.upTo(40 * time.Millisecond))
	}
}

func (s *soak) resize(r *rig, d dice) {
	size := max(1, r.cfg.MinSize, r.cfg.MinIdle) + d.IntN(2*r.cfg.MaxSize)
	r.raise(size)
	if err := r.pool.Resize(size); err != nil {
		s.verdict.broken("%s: Resize(%d): %v", r.name, size, err)
	}
}

// read checks what any snapshot must show.
func (s *soak) read(r *rig) {
	stats := r.pool.Stats()
	sum := stats.Idle + stats.InUse + stats.Connecting + stats.Checking + stats.Resetting + stats.Closing
	switch ceiling := int(r.source.ceiling.Load()); {
	case stats.Size != sum:
		s.verdict.broken("%s: a snapshot whose parts make %d: %+v", r.name, sum, stats)
	case stats.Size > ceiling:
		s.verdict.broken("%s: a snapshot of more than the %d allowed: %+v", r.name, ceiling, stats)
	case stats.Limit > stats.MaxSize:
		s.verdict.broken("%s: a limit above MaxSize: %+v", r.name, stats)
	}
	for _, h := range r.pool.Holders() {
		if h.Count < 1 || h.Held < 0 {
			s.verdict.broken("%s: a holder of nothing: %+v", r.name, h)
		}
	}
}

func (s *soak) warm(r *rig, d dice) {
	ctx, cancel := context.WithTimeout(context.Background(), d.upTo(20*time.Millisecond))
	defer cancel()
	if err := r.pool.Warm(ctx); err != nil && !known(err) {
		s.verdict.broken("%s: Warm: %v", r.name, err)
	}
}

// rates draws how badly a source behaves for a while: often not at all, and
// never so badly that nobody is served.
func (d dice) rates(r *rig) *rates {
	if d.chance(0.5) {
		return calm
	}
	rare := func(most float64) float64 { return d.Float64() * most }
	drawn := &rates{
		fail: rare(0.4), slow: rare(0.3), panics: rare(0.1), goexit: rare(0.1), null: rare(0.1),
		check: rare(0.1), die: rare(0.05),
	}
	if !r.source.strict {
		drawn.hang = rare(0.05)
	}
	if r.inline {
		drawn.inline = rare(0.02)
	}
	return drawn
}

// mostProcessors is the highest GOMAXPROCS that a run sees.
const mostProcessors = 4

// unsettle keeps the runtime busy with what moves its goroutines about.
func (s *soak) unsettle(ctx context.Context, d dice) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for ctx.Err() == nil {
		switch d.pick(2, 2, 1) {
		case 0:
			runtime.GC()
		case 1:
			runtime.GOMAXPROCS(1 + d.IntN(mostProcessors))
		case 2:
			waste(d.IntN(1 << 20))
		}
		time.Sleep(d.upTo(100 * time.Millisecond))
	}
}

// waste makes garbage.
func waste(size int) {
	for range 16 {
		runtime.KeepAlive(make([]byte, size))
	}
}
