package connpool

import "context"

// Warm opens connections until MinSize and MinIdle of them are open, one at
// least unless MaxIdle keeps none, and returns nil; or else the first connect error, or ctx's error, as an
// *AcquireError.
func (p *Pool[T]) Warm(ctx context.Context) error {
	b := borrower[T]{pool: p, ctx: mustContext(ctx)}
	return b.warm(max(p.cfg.MinSize, p.cfg.MinIdle, 1))
}

// warm opens connections until so many are open, or as many as may stay.
func (b *borrower[T]) warm(want int) error {
	p := b.pool
	began, failures := p.now(), p.count.connectErrors.Load()
	want = p.beginWarming(want)
	defer p.endWarming()
	for {
		p.grow()
		live, failing, refused, changed := p.warmth()
		switch b.waited = p.now() - began; {
		case p.closed():
			return b.fail(StageWait, ErrClosed)
		case live >= want:
			return nil
		case refused || failing != nil && p.count.connectErrors.Load() > failures:
			return b.fail(StageConnect, failing)
		}
		select {
		case <-changed:
		case <-b.ctx.Done():
			b.waited = p.now() - began
			return b.fail(StageWait, b.ended())
		}
	}
}

func (p *Pool[T]) beginWarming(most int) (want int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	want = min(most, p.mu.limit, p.maxIdleLocked())
	p.mu.warmers++
	p.mu.warm = max(p.mu.warm, want)
	return want
}

func (p *Pool[T]) endWarming() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.warmers--; p.mu.warmers == 0 {
		p.mu.warm = 0
	}
}

// warmth returns what is open, what the dials suffer from, whether to try again is
// no use for now, and a channel that is closed when that may have changed. What is
// open while the server is down, and will not come back, counts for nothing.
func (p *Pool[T]) warmth() (live int, failing error, refused bool, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pace, now := &p.mu.pace, p.now()
	live, failing = p.liveLocked(), pace.Failing()
	if hopeful, _ := p.hopefulLocked(now); p.mu.outages.on && !hopeful {
		live = 0
	}
	return live, failing, p.refusedLocked() && pace.Fresh(now), p.changedLocked()
}

// changedLocked returns a channel that announceLocked closes.
func (p *Pool[T]) changedLocked() <-chan struct{} {
	if p.mu.changed == nil {
		p.mu.changed = make(chan struct{})
	}
	return p.mu.changed
}
