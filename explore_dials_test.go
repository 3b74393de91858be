//go:build explore

package connpool

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/connpool/connpool/internal/explore"
)

// The seams of dialling and closing: the pool's own goroutines and timers are
// threads here too.

// seam 6
func TestExplore06_ASlotOpensAgainOnlyWhenItsConnectionHasLeftIt(t *testing.T) {
	exploreDialling(t, 1, 3, func(r *explore.Run, h *house) {
		lease := h.held()
		r.Go("waiter", h.borrow)
		r.Go("discarder", func() { h.end(lease, func(l Lease[*thing]) { l.Discard(nil) }) })
		r.Finally(func() { h.settled(1) })
	})
}

// held returns a lease of a connection that the pool has dialled.
func (h *house) held() (lease Lease[*thing]) {
	h.run.Go("holder", func() { lease, _ = h.acquire(background) })
	h.run.Rest()
	return lease
}

// seam 7: Shutdown learns that nothing is left
func TestExplore07_WhoeverIsLastTellsShutdown(t *testing.T) {
	exploreDialling(t, 2, 3, func(r *explore.Run, h *house) {
		lease := h.held()
		r.Go("waiter", h.borrowOr(background, ErrClosed))
		r.Rest()
		r.Go("releaser", func() { h.release(lease) })
		r.Go("closer", func() { h.Close() })
		r.Finally(func() { h.settled(0) })
	})
}

// seam 9: a dial that begins, and one that ends, as the pool closes
func TestExplore09_ADialThatBeginsWhileThePoolClosesLeavesNothingOpen(t *testing.T) {
	exploreDialling(t, 1, 3, func(r *explore.Run, h *house) {
		h.fate = func(int) error { r.Calm(); return nil }
		r.Go("waiter", h.borrowOr(background, ErrClosed))
		r.Go("closer", func() { h.Close() })
		r.Finally(func() { h.settled(0) })
	})
}

func TestExplore09_ADialThatIsAnsweredWhileThePoolClosesLeavesNothingOpen(t *testing.T) {
	exploreDialling(t, 1, 3, func(r *explore.Run, h *house) {
		answer := h.awaitsAnswer()
		r.Go("waiter", h.borrowOr(background, ErrClosed))
		r.Rest()
		answer()
		r.Go("closer", func() { h.Close() })
		r.Finally(func() { h.settled(0) })
	})
}

// awaitsAnswer has the first dial last until the returned function is called.
// What comes after it is a dial like any other.
func (h *house) awaitsAnswer() (answer func()) {
	ready := make(chan struct{}, 1)
	fate := h.fate
	h.fate = func(n int) error {
		if n > 1 {
			h.run.Calm()
			return fate(n)
		}
		ready, _ := explore.Wait(ready, nil)
		<-ready
		return fate(n)
	}
	return func() { ready <- struct{}{} }
}

// useOnce is a thread that gets a connection, which is what the scenario is about.
func (h *house) useOnce() {
	lease, err := h.acquire(background)
	if err != nil {
		h.run.Failf("acquire: %v", err)
		return
	}
	h.run.Calm()
	h.release(lease)
}

// seam 10
func TestExplore10_ACallerWhoGoesLeavesItsDialToTheNext(t *testing.T) {
	exploreDialling(t, 1, 3, func(r *explore.Run, h *house) {
		answer := h.awaitsAnswer()
		ctx, cancel := context.WithCancel(background)
		r.Go("impatient", h.borrowOr(ctx, context.Canceled))
		r.Rest()
		r.Go("patient", h.useOnce)
		r.Rest()
		answer()
		r.Go("canceller", cancel)
		r.Finally(func() {
			r.Require(h.dials == 1, "%d dials", h.dials)
			h.settled(1)
		})
	})
}

var errUnreachable = errors.New("unreachable")

// failsFirst is the fate of dials of which the first fails. What comes after it is
// a dial like any other.
func (h *house) failsFirst(n int) error {
	if n == 1 {
		return errUnreachable
	}
	h.run.Calm()
	return nil
}

// seam 11
func TestExplore11_AFailedDialIsTriedAgainAndNobodySleepsOverIt(t *testing.T) {
	exploreDialling(t, 1, 3, func(r *explore.Run, h *house) {
		h.fate = h.failsFirst
		r.Go("waiter", h.useOnce)
		r.Finally(func() { h.settled(1) })
	})
}

func TestExplore11_WhoJoinsWhileADialFailsIsServedToo(t *testing.T) {
	exploreDialling(t, 1, 2, func(r *explore.Run, h *house) {
		h.fate = h.failsFirst
		answer := h.awaitsAnswer()
		r.Go("first", h.useOnce)
		r.Rest()
		answer()
		r.Go("second", h.useOnce)
		r.Finally(func() { h.settled(1) })
	})
}

func TestExplore11_WhoJoinsWhileThePauseEndsIsServedToo(t *testing.T) {
	exploreDialling(t, 1, 3, func(r *explore.Run, h *house) {
		h.fate = h.failsFirst
		r.Go("first", h.useOnce)
		r.Rest() // until the dial has failed and the pause lasts
		r.Go("second", h.useOnce)
		r.Finally(func() { h.settled(1) })
	})
}

// seam 12
func TestExplore12_ADialThatPanicsCostsNoSlot(t *testing.T) {
	exploreDialling(t, 1, 3, func(r *explore.Run, h *house) {
		h.fate = func(n int) error {
			if h.failsFirst(n) != nil {
				panic("a factory on fire")
			}
			return nil
		}
		answer := h.awaitsAnswer()
		r.Go("waiter", h.useOnce)
		r.Rest()
		answer()
		r.Finally(func() { h.settled(1) })
	})
}

func TestExplore12_ADialThatReturnsAsItIsAbandonedEndsOnce(t *testing.T) {
	exploreAbandoned(t, 2, nil)
	exploreAbandoned(t, 3, (*explore.Run).Calm) // up to what its end brings with it
}

// exploreAbandoned has a dial return as its time is over. ended is called when
// either has ended it.
func exploreAbandoned(t *testing.T, preemptions int, ended func(*explore.Run)) {
	t.Helper()
	explore.All(t, preemptions, func(r *explore.Run) {
		h := newDiallingHouse(r, 1, func(c *Config[*thing]) {
			c.ConnectTimeout = time.Second
			if ended != nil {
				c.Trace = &Trace{Connected: func(context.Context, ConnectedInfo) { ended(r) }}
			}
		})
		h.most = 2 // what is abandoned is open beyond the count
		answer := h.awaitsAnswer()
		r.Go("waiter", h.useOnce)
		r.Rest()
		answer()
		r.Finally(func() {
			r.Require(h.abandoned.Load() == 0 && h.strays.Load() == 0, "%d are said to hang", h.abandoned.Load())
			h.settled(1)
		})
	})
}

// seam 13
func TestExplore13_WhoWaitsForAPauseToEndGetsWhatComesBack(t *testing.T) {
	exploreDialling(t, 2, 3, func(r *explore.Run, h *house) {
		lease := h.held()
		h.fate = func(n int) error { return h.failsFirst(n - 1) }
		r.Go("waiter", h.useOnce)
		r.Rest() // until the dial has failed and the pause lasts
		r.Go("releaser", func() { h.release(lease) })
		r.Finally(func() { h.settled(h.gauges().Idle) })
	})
}

// seam 14: the clean-up of a lost lease
func TestExplore14_OfAReleaseAndACleanUpOneEndsTheLease(t *testing.T) {
	exploreHouse(t, 1, 3, func(r *explore.Run, h *house) {
		lease := h.leased(1)[0]
		lease.Conn().users--
		r.Go("releaser", lease.Release)
		r.Go("clean-up", lease.reclaim)
		r.Finally(func() { h.settled(1 - h.requireOneEnd()) })
	})
}

func TestExplore14_OfAReleaseACleanUpAndAClosingPoolOneEndsTheLease(t *testing.T) {
	exploreHouse(t, 1, 2, func(r *explore.Run, h *house) {
		lease := h.leased(1)[0]
		lease.Conn().users--
		r.Go("releaser", lease.Release)
		r.Go("clean-up", lease.reclaim)
		r.Go("closer", func() { h.Close() })
		r.Finally(func() { h.requireOneEnd(); h.settled(0) })
	})
}

// requireOneEnd checks that a release and a clean-up have ended a lease once, and
// that only the release counts as stale, if it came second. It returns how many
// were lost.
func (h *house) requireOneEnd() (lost int) {
	stale := int(h.count.staleReleases.Load())
	lost = int(h.count.closes[ClosedLost].Load())
	h.run.Require(stale == lost, "%d stale releases, %d lost", stale, lost)
	return lost
}

// seam 15: growing
func TestExplore15_WhoJoinsWhileThePoolGrowsIsDialledFor(t *testing.T) {
	exploreDialling(t, 1, 3, func(r *explore.Run, h *house) {
		h.most = 2
		lease := h.held()
		r.Go("waiter", h.borrow)
		r.Go("resizer", func() { h.setMaxSize(2) })
		r.Finally(func() {
			h.release(lease)
			h.settled(2)
		})
	})
}

// seam 16
func TestExplore16_WhoWaitsForADialThatIsRetiredIsDialledForAgain(t *testing.T) {
	exploreDialling(t, 1, 3, func(r *explore.Run, h *house) {
		answer := h.awaitsAnswer()
		r.Go("waiter", h.useOnce)
		r.Rest()
		answer()
		r.Go("retirer", func() {
			h.Retire()
			lease, err := h.acquire(background)
			if err != nil {
				r.Failf("acquire: %v", err)
				return
			}
			r.Require(lease.Conn().number == 2, "lent an old connection after Retire")
			h.release(lease)
		})
		r.Finally(func() { h.settled(1) })
	})
}

// seam 17: dials
func TestExplore17_WhoWaitsThroughAPauseIsDialledForAfterIt(t *testing.T) {
	exploreDialling(t, 1, 3, func(r *explore.Run, h *house) {
		r.Go("waiter", h.useOnce)
		r.Go("pauser", func() {
			h.Pause()
			explore.Point()
			h.Resume()
		})
		r.Finally(func() { h.settled(1) })
	})
}

// seam 18
func TestExplore18_WhoOnlyTriesDialsIfNothingIsBeingDialled(t *testing.T) {
	exploreDialling(t, 2, 3, func(r *explore.Run, h *house) {
		dialling := 0
		h.fate = func(int) error {
			dialling++
			r.Require(dialling == 1, "%d dials at once", dialling)
			explore.Point()
			dialling--
			return nil
		}
		r.Go("one", h.tryToBorrow)
		r.Go("two", h.tryToBorrow)
		r.Finally(func() {
			r.Require(h.dials > 0, "nothing was dialled for who comes next")
			h.settled(h.dials)
		})
	})
}
