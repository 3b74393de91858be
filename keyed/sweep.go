package keyed

import (
	"context"
	"slices"
	"time"

	"github.com/connpool/connpool"
)

// The sweep removes keys that nobody uses. It runs on a timer, while there are
// keys, four times in IdleKeyTimeout; a use between two sweeps leaves no trace
// but a flag.

// fewest is how many keys are no crowd, whatever MaxTotal is.
const fewest = 64

// crowd is the number of keys from which on those without a connection are
// removed early. There can be no more connections than MaxTotal, so at least half
// of a crowd is empty pools: some 8 KB each, and a place in the Budget's
// deliberations.
func (p *Pool[K, T]) crowd() int { return max(fewest, 2*p.cfg.MaxTotal) }

// crowdedLocked reports whether it is time for an early sweep: the keys are a
// crowd, and enough of them are new for the sweep to be worth its while.
func (p *Pool[K, T]) crowdedLocked() bool {
	return p.keys.n > p.crowd() && p.mu.made > p.keys.n/2
}

func (p *Pool[K, T]) now() time.Duration { return time.Since(p.epoch) }

// shortest keeps the sweep from running without a pause.
const shortest = time.Millisecond

// armLocked has the sweep run, in a while or, if there is a crowd, at once.
func (p *Pool[K, T]) armLocked() {
	if p.cfg.IdleKeyTimeout < 0 || p.mu.closed {
		return
	}
	in := max(p.cfg.IdleKeyTimeout/4, shortest)
	switch crowded := p.crowdedLocked(); {
	case p.mu.armed && !crowded:
		return
	case crowded:
		in, p.mu.made = 0, 0
	}
	p.mu.armed = true
	if p.mu.sweep == nil {
		p.mu.sweep = time.AfterFunc(in, p.sweep)
		return
	}
	p.mu.sweep.Reset(in)
}

// sweep removes the keys whose time has come, or in a crowd all that were empty
// and not asked for since the last sweep.
func (p *Pool[K, T]) sweep() {
	p.sweeping.Lock()
	defer p.sweeping.Unlock()
	limit := p.cfg.IdleKeyTimeout
	p.mu.Lock()
	if p.keys.n > p.crowd() {
		limit = 0
	}
	p.mu.made = 0
	p.mu.Unlock()

	now := p.now()
	for key, e := range p.keys.all() {
		switch {
		case e.look():
			e.busyAt = now
		case now-e.busyAt >= limit:
			p.remove(key, e)
		}
	}
	p.settle()

	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.armed = false
	if p.keys.n+len(p.mu.leaving) > 0 {
		p.armLocked()
	}
}

// remove removes a key that nobody needs; later, if it is still dialling; and not
// if somebody comes for it.
//
// The pool is paused first, and removed only once nothing is open in it, not even
// half. Whoever came before the pause has left a mark. Whoever comes after it
// ends it, or finds it gone: he joins the queue, is told by Close that the pool is
// closed, and asks again, when the table is rid of it. So no connection of a
// removed pool is ever open beside those of the key's next pool, and MaxPerKey
// holds.
func (p *Pool[K, T]) remove(key K, e *entry[T]) {
	e.rest()
	if e.pool.Stats().Size == 0 && p.takeOut(key, e) {
		e.pool.Close()
	}
}

// takeOut moves a resting pool from the table to those that leave. Once the Pool
// is closed, everything stays where it is.
func (p *Pool[K, T]) takeOut(key K, e *entry[T]) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.closed || !e.use.CompareAndSwap(resting, gone) {
		return false
	}
	p.keys.remove(key)
	p.mu.leaving = append(p.mu.leaving, e.pool)
	return true
}

// over is a context that has ended: Shutdown with it does not wait.
var over = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// settle lets go of removed pools of which nothing is left but their counters.
func (p *Pool[K, T]) settle() {
	p.mu.Lock()
	leaving := slices.Clone(p.mu.leaving)
	p.mu.Unlock()
	done := make(map[*connpool.Pool[T]]bool)
	for _, pool := range leaving {
		if pool.Shutdown(over) == nil {
			done[pool] = true
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.leaving = slices.DeleteFunc(p.mu.leaving, func(pool *connpool.Pool[T]) bool { return done[pool] })
	for pool := range done {
		p.mu.departed.Removed++
		p.mu.departed.addCounters(pool.Stats())
	}
}
