package connpool

import (
	"context"
	"log/slog"
	"time"
)

// sampler is the Sizer's present window; guarded by Pool.mu.
type sampler struct {
	began, length  time.Duration
	samples        int
	inUse, waiting float64 // sums
	base           Stats   // when the window began
	deciding       bool    // Next is running
}

// samples is how often a window is looked at.
const samples = 20

func (p *Pool[T]) startSizer() {
	if p.cfg.Sizer != nil {
		p.beginWindow(0)
	}
}

// beginWindow begins a window of the given length; 0 is SizeInterval.
func (p *Pool[T]) beginWindow(length time.Duration) {
	if length <= 0 {
		length = p.cfg.SizeInterval
	}
	length = max(length, samples*minPeriod) // a shorter one would do nothing but sample
	base := p.Stats()
	p.mu.Lock()
	now := p.now()
	p.mu.sampler = sampler{began: now, length: length, base: base}
	p.mu.Unlock()
	p.sizing.By(now + length/samples)
}

// sample looks at the pool, and at the end of the window asks the Sizer.
func (p *Pool[T]) sample() {
	s := p.Stats()
	p.mu.Lock()
	w := &p.mu.sampler
	w.samples++
	w.inUse += float64(s.InUse)
	w.waiting += float64(s.Waiting)
	now, window := p.now(), *w
	p.mu.Unlock()

	if now < window.began+window.length {
		p.sizing.By(now + window.length/samples)
		return
	}
	sample := window.result(now-window.began, s)
	var decision SizeDecision
	p.call(p.ctx, call{
		name:    "Sizer",
		timeout: p.cfg.CheckTimeout,
		run:     func(context.Context) error { decision = p.cfg.Sizer.Next(sample); return nil },
		end: func(err error) {
			next := SizeDecision{Limit: sample.Limit}
			if err == nil {
				next = decision
			}
			p.follow(sample, next)
			p.beginWindow(next.Window)
		},
	})
}

// result sums the window up.
func (w *sampler) result(length time.Duration, s Stats) SizeSample {
	n := float64(w.samples)
	sample := SizeSample{
		Window: length,
		Limit:  s.Limit, Min: max(1, s.MinSize), Max: s.MaxSize,
		InUse: w.inUse / n, Waiting: w.waiting / n,
		Releases:      s.releases() - min(s.releases(), w.base.releases()),
		Waits:         s.Waits - w.base.Waits,
		Connects:      s.Connects - w.base.Connects,
		ConnectErrors: s.ConnectErrors - w.base.ConnectErrors,
	}
	if sample.Releases > 0 {
		sample.HoldTime = time.Duration(sample.InUse * float64(length) / float64(sample.Releases))
	}
	return sample
}

// releases returns how many leases have ended.
func (s Stats) releases() uint64 { return s.Acquires - min(s.Acquires, uint64(s.InUse)) }

// follow puts a decision into force, unless a Resize has moved what it was about:
// the next window begins from there.
func (p *Pool[T]) follow(sample SizeSample, d SizeDecision) {
	d.Limit = max(sample.Min, min(d.Limit, sample.Max))
	if d.Limit == sample.Limit || p.closed() {
		return
	}
	p.mu.Lock()
	if p.mu.limit != sample.Limit || p.mu.maxSize != sample.Max {
		p.mu.Unlock()
		return
	}
	claimed := p.limitLocked(d.Limit)
	p.mu.Unlock()
	p.limited(claimed)
	p.event(func() {
		p.log(slog.LevelInfo, "resized", "from", sample.Limit, "to", d.Limit, "reason", d.Reason)
		if t := p.cfg.Trace; t != nil && t.Resized != nil {
			t.Resized(d)
		}
	})
}
