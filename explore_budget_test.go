//go:build explore

package connpool

import (
	"context"
	"testing"

	"github.com/connpool/connpool/internal/explore"
)

// The seams between pools that share a Budget, each taken through every schedule
// with few preemptions.

// newSharers returns houses that dial, under one Budget.
func newSharers(r *explore.Run, units, n int) (sharers []*house) {
	b := NewBudget(units)
	for range n {
		sharers = append(sharers, newDiallingHouse(r, units, func(c *Config[*thing]) { c.Budget = b }))
	}
	return sharers
}

// holdsAUnit returns a slot that is opening, with a unit of the Budget. From then
// on the house dials by itself no more.
func (h *house) holdsAUnit() *seat[*thing] {
	h.mu.Lock()
	taken := h.cfg.Budget.take(h.Pool)
	h.mu.Unlock()
	h.run.Require(taken, "there is no unit")
	h.strays.Store(1 << 20) // it dials no other
	h.cfg.Close = nil
	return h.dialling()
}

// requireShared checks that what is open is idle and booked.
func requireShared(r *explore.Run, sharers []*house) {
	open := 0
	for _, h := range sharers {
		s := h.gauges()
		r.Require(s.Idle == s.Size && s.Waiting == 0, "%d open and %d idle", s.Size, s.Idle)
		open += s.Size
	}
	b := &sharers[0].cfg.Budget.mu
	r.Require(b.used == open && b.yielding == 0, "%d units used, %d yielding, %d open", b.used, b.yielding, open)
}

// seam 23: what was dialled for a caller that gives up goes to the pool that
// waits.
func TestFault84_ExploreACallerThatGivesUpLeavesTheUnitToTheOtherPool(t *testing.T) {
	explore.All(t, 2, func(r *explore.Run) {
		sharers := newSharers(r, 1, 2)
		dialling := sharers[0].holdsAUnit()
		ctx, cancel := context.WithCancel(background)
		r.Go("impatient", sharers[0].borrowOr(ctx, context.Canceled))
		r.Rest()
		r.Go("patient", sharers[1].borrow)
		r.Rest()
		r.Go("dialler", func() { sharers[0].dialled(dialling, new(thing), 0) })
		r.Go("canceller", cancel)
		r.Finally(func() { requireShared(r, sharers) })
	})
}
