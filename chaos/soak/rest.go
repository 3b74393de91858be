package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/connpool/connpool"
)

// What must hold of pools at rest.

// settleLimit is how long the pools may take to settle: the longest time-out of
// theirs is a tenth of a second.
const settleLimit = 30 * time.Second

// await waits until nothing is wrong any more, and complains if that takes too
// long.
func await(wrong func() string, complain func(string)) {
	deadline := time.Now().Add(settleLimit)
	for why := wrong(); why != ""; why = wrong() {
		if time.Now().After(deadline) {
			complain(why)
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// rest lets the pools settle and checks them.
//
// All processors are back while it does. A lost lease was once not found within 30
// s of collections while GOMAXPROCS was low: it looks as if the runtime keeps some
// clean-ups queued with a processor that it has taken away, which is not proved.
func (s *soak) rest() error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(mostProcessors))
	for _, r := range s.rigs {
		r.source.rates.Store(calm)
		r.pool.Resume()
		if err := r.pool.Resize(r.cfg.MaxSize); err != nil {
			return err
		}
	}
	for _, check := range []func(){s.checkSettled, s.checkCapacity, s.checkSettled, s.checkLeftovers} {
		check()
		select {
		case err := <-s.verdict.found:
			return err
		default:
		}
	}
	for _, r := range s.rigs {
		r.source.ceiling.Store(int64(r.cfg.MaxSize))
	}
	return nil
}

// checkSettled waits for all pools to be at rest, with all books balanced.
func (s *soak) checkSettled() {
	for _, r := range s.rigs {
		if r.cfg.ReclaimLost {
			runtime.GC() // lost leases are found by the garbage collector
		}
		await(r.unsettled, func(why string) {
			s.verdict.broken("%s: %s: %s", r.name, why, r.state())
		})
	}
}

// unsettled says what is not at rest, or wrong.
func (r *rig) unsettled() string {
	stats := r.pool.Stats()
	switch {
	case stats.Paused:
		return "it is paused"
	case stats.InUse != 0:
		if r.cfg.ReclaimLost {
			runtime.GC()
		}
		return "leases that nobody has"
	case stats.Waiting != 0:
		return "callers wait that nobody knows"
	case stats.Connecting+stats.Checking+stats.Resetting+stats.Closing != 0:
		return "something is under way"
	case stats.Abandoned != 0:
		return "callbacks are abandoned that have returned"
	case stats.MaxSize != r.cfg.MaxSize || stats.Size > stats.Limit:
		return "it has the wrong size"
	case stats.Idle > stats.MaxIdle:
		return "more are idle than MaxIdle"
	case r.cfg.Budget == nil && stats.Limit == stats.MaxSize && (stats.Idle < r.cfg.MinIdle || stats.Size < r.cfg.MinSize):
		return "less than the minimums are open"
	case r.leased.Load() != 0:
		return "our own count of leases is off"
	}
	return r.unbalanced(stats.Idle)
}

// unbalanced says where our books and the pool's differ, with so many
// connections open.
func (r *rig) unbalanced(open int) string {
	s, stats := r.source, r.pool.Stats()
	switch {
	case s.opened.Load()-s.closed.Load()-s.hijacked.Load() != int64(open):
		return fmt.Sprintf("opened less closed and hijacked should be %d", open)
	case s.slots.Load() != int64(open):
		return fmt.Sprintf("%d slots should be taken", open)
	case stats.Acquires != r.acquired.Load():
		return fmt.Sprintf("it counts %d acquires, we count %d", stats.Acquires, r.acquired.Load())
	case stats.Hijacks != r.hijacks.Load():
		return fmt.Sprintf("it counts %d hijacks, we count %d", stats.Hijacks, r.hijacks.Load())
	case stats.StaleReleases != r.stale.Load():
		return fmt.Sprintf("it counts %d stale releases, we count %d", stats.StaleReleases, r.stale.Load())
	}
	return ""
}

// checkCapacity borrows all that each pool may lend, at once, and then finds
// nothing more.
func (s *soak) checkCapacity() {
	for _, r := range s.rigs {
		if err := r.fillUp(); err != nil {
			s.verdict.broken("%s: %v: %s", r.name, err, r.state())
			return
		}
	}
}

func (r *rig) fillUp() error {
	ctx, cancel := context.WithTimeout(context.Background(), settleLimit)
	defer cancel()
	whole := r.cfg.MaxSize
	if r.cfg.Budget != nil {
		whole = min(whole, r.units)
	}
	var held []lease
	defer func() {
		for _, l := range held {
			r.end()
			l.Release()
		}
	}()
	for range whole {
		l, err := r.pool.Acquire(ctx)
		if err != nil {
			return fmt.Errorf("%d of %d could be borrowed at once: %w", len(held), whole, err)
		}
		r.acquired.Add(1)
		r.begin()
		c := l.Conn()
		c.yield(c.claim("the whole capacity"))
		held = append(held, l)
	}
	return r.nothingLeft()
}

// nothingLeft checks that one more is refused, and why.
func (r *rig) nothingLeft() error {
	l, err := r.pool.TryAcquire(context.Background())
	if err != nil && !errors.Is(err, connpool.ErrNoneIdle) {
		return fmt.Errorf("TryAcquire on an exhausted pool: %w", err)
	}
	if err != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		l, err = r.pool.Acquire(ctx)
	}
	if err == nil {
		l.Release()
		return errors.New("one more than its whole capacity could be borrowed")
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("Acquire on an exhausted pool: %w", err)
	}
	return nil
}
