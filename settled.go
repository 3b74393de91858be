package connpool

import (
	"context"
	"fmt"

	"github.com/connpool/connpool/internal/explore"
	"github.com/connpool/connpool/internal/slot"
)

// Settled waits until the connections that were being closed, checked or reset
// when it was called are closed, or back in the pool, or given up because their
// callback has overstayed its timeout. Retire, Resize, Discard, ReleaseErr and a
// release above MaxIdle close connections in the background: after one of these
// Settled waits for that. What is leased it does not wait for.
//
// If ctx ends first it returns an error that matches ctx's.
func (p *Pool[T]) Settled(ctx context.Context) error {
	mustContext(ctx)
	p.settling(1)
	defer p.settling(-1)
	for unsettled := p.unsettled(); ; {
		left, changed := p.stillUnsettled(unsettled)
		if len(left) == 0 {
			return nil
		}
		unsettled = left
		_, changed = explore.Wait(nil, changed)
		select {
		case <-changed:
		case <-ctx.Done():
			b := borrower[T]{pool: p, ctx: ctx}
			return fmt.Errorf("connpool %q: not settled: %w: %s", p.cfg.Name, b.ended(), p.Stats().occupancy())
		}
	}
}

// passing is a slot on its way from a lease or a check to wherever it goes.
type passing[T any] struct {
	seat *seat[T]
	turn uint64
}

func (p *Pool[T]) unsettled() (all []passing[T]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.eachLocked(func(s *seat[T]) {
		if w := s.word.Load(); isPassing(w) {
			all = append(all, passing[T]{s, w.Turn()})
		}
	})
	return all
}

func isPassing(w slot.Word) bool {
	return w.State() == slot.Checking || w.State() == slot.Resetting || w.State() == slot.Closing
}

// stillUnsettled returns those that have not arrived, and a channel that is closed
// when one may have.
//
// Seam 20: Settled sets its bit in the gate and then looks at the words; a check,
// a reset or a release that ends moves the word and then looks at the gate.
// Whichever comes second sees the other.
func (p *Pool[T]) stillUnsettled(all []passing[T]) (left []passing[T], changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range all {
		if w := s.seat.word.Load(); isPassing(w) && w.Turn() == s.turn {
			left = append(left, s)
		}
	}
	return left, p.changedLocked()
}

// settling counts the calls of Settled.
func (p *Pool[T]) settling(calls int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.settled += calls
	p.gate.Set(gateSettled, p.mu.settled > 0)
}
