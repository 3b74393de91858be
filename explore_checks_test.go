//go:build explore

package connpool

import (
	"context"
	"testing"

	"github.com/connpool/connpool/internal/explore"
	"github.com/connpool/connpool/internal/slot"
)

// The seams of checks: slots that are due or suspect, Alive that is unsure, and
// the counts of what is on its way.

// checking sets the house up with a Check, whose calls each last until answered,
// and an Alive that is always unsure.
func (h *house) checking(answered ...int) (answer func(n int)) {
	answers := map[int]chan struct{}{}
	for _, n := range answered {
		answers[n] = make(chan struct{}, 1)
	}
	checks := 0
	h.cfg.Check = func(context.Context, *thing) error {
		checks++
		if waits := answers[checks]; waits != nil {
			ready, _ := explore.Wait(waits, nil)
			<-ready
		}
		return nil
	}
	h.cfg.Alive = func(*thing) error { return ErrUnsure }
	h.gate.Set(gateHooked, true)
	return func(n int) { answers[n] <- struct{}{} }
}

// seam 21
//
// A check has handed its slot on and is still counted as coming. The next borrower
// finds that slot unsure and leaves it to that check, while it moves its number
// from one list to the other and the check's end sees both empty.
func TestFault83_ExploreNobodySleepsWhoLeavesADueSlotToACheckThatIsEnding(t *testing.T) {
	exploreHouse(t, 1, 2, func(r *explore.Run, h *house) {
		answer := h.checking(1)
		h.opened(1)[0].word.Mark(slot.Due)
		r.Go("first", h.borrow)
		r.Rest()
		r.Go("second", h.borrow)
		r.Rest()
		answer(1)
		r.Finally(func() { h.settled(1) })
	})
}

// A borrower that does not wait takes the one slot to its check, which hangs. It is
// counted as coming; a waiter does not count on it, and is dialled for.
func TestFault83_ExploreNobodyCountsOnTheCheckOfASuspect(t *testing.T) {
	explore.All(t, 2, func(r *explore.Run) {
		h := newDiallingHouse(r, 2, nil)
		answer := h.checking(1)
		h.cfg.Alive = nil
		h.release(h.held())
		h.eachLocked(func(s *seat[*thing]) { s.word.Mark(slot.Suspect) })
		r.Go("hasty", h.tryToBorrow)
		r.Go("waiter", func() { h.useOnce(); answer(1) })
		r.Finally(func() { h.settled(h.gauges().Idle) })
	})
}

// What is proved where it lies aside can be had although another check hangs.
func TestFault90_ExploreWhatIsProvedAsideIsNotHidden(t *testing.T) {
	exploreHouse(t, 2, 2, func(r *explore.Run, h *house) {
		answer := h.checking(1)
		open := h.opened(2)
		open[0].word.Mark(slot.Due)
		open[1].word.Mark(slot.Due)
		r.Go("waiter", func() { h.useOnce(); answer(1) })
		r.Go("sweep", func() {
			for _, s := range open {
				if w := s.word.Load(); s.claimIdle(w, slot.Checking) {
					h.publish(s, slot.Fresh)
					return
				}
			}
			answer(1) // both are the waiter's
		})
		r.Finally(func() { h.settled(2) })
	})
}

// One that is proved aside and due again before it is lent lies aside once.
func TestFault90_ExploreANumberLiesAsideOnce(t *testing.T) {
	exploreHouse(t, 1, 2, func(r *explore.Run, h *house) {
		h.checking()
		h.cfg.Alive = nil
		s := h.opened(1)[0]
		s.word.Mark(slot.Due)
		h.take(nil, nil, leaveThem)
		s.claimIdle(s.word.Load(), slot.Checking)
		h.publish(s, slot.Fresh)
		r.Require(s.word.Load().Has(slot.Listed) && s.word.Load().Has(slot.Aside), "the word is %x", s.word.Load())
		r.Go("marker", func() { s.word.Mark(slot.Due) })
		r.Go("hasty", h.tryToBorrow)
		r.Go("waiter", h.borrow)
		r.Finally(func() { h.settled(1) })
	})
}
