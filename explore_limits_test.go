//go:build explore

package connpool

import (
	"context"
	"testing"
	"time"

	"github.com/connpool/connpool/internal/explore"
	"github.com/connpool/connpool/internal/slot"
)

// The seams of the pool's controls, each taken through every schedule.

// seam 15
func TestExplore15_AShrinkIsPaidOnceByWhatReturns(t *testing.T) {
	exploreHouse(t, 3, 3, func(r *explore.Run, h *house) {
		leases := h.leased(3)
		h.setMaxSize(2)
		for i, name := range []string{"one", "two", "three"} {
			r.Go(name, func() { h.release(leases[i]) })
		}
		r.Finally(func() { h.settled(2) })
	})
}

func TestExplore15_AShrinkThatIsTakenBackClosesNoMoreThanItMust(t *testing.T) {
	exploreHouse(t, 2, 3, func(r *explore.Run, h *house) {
		leases := h.leased(2)
		h.setMaxSize(1)
		r.Go("releaser", func() { h.release(leases[0]) })
		r.Go("another", func() { h.release(leases[1]) })
		r.Go("resizer", func() { h.setMaxSize(2) })
		r.Finally(func() {
			closed := int(h.count.closes[ClosedResized].Load())
			r.Require(closed <= 1, "%d closed", closed)
			h.settled(2 - closed)
		})
	})
}

// seam 15
func TestExplore15_WhatReturnsDuringAShrinkPaysForItOnce(t *testing.T) {
	exploreHouse(t, 2, 3, func(r *explore.Run, h *house) {
		leases := h.leased(2)
		r.Go("releaser", func() { h.release(leases[0]) })
		r.Go("another", func() { h.release(leases[1]) })
		r.Go("resizer", func() { h.setMaxSize(1) })
		r.Finally(func() { h.settled(1) })
	})
}

func TestExplore15_NoMarkOfAShrinkStaysOnWhatIsIdle(t *testing.T) {
	exploreHouse(t, 2, 3, func(r *explore.Run, h *house) {
		leases := h.leased(2)
		r.Go("releaser", func() { h.release(leases[0]) })
		r.Go("resizer", func() { h.setMaxSize(1); h.setMaxSize(2) })
		r.Finally(func() {
			h.release(leases[1])
			closed := int(h.count.closes[ClosedResized].Load())
			r.Require(closed <= 1, "%d closed", closed)
			h.settled(2 - closed)
		})
	})
}

// seam 15, from two sides
func TestExplore15_ASizersDecisionDoesNotUndoAResize(t *testing.T) {
	exploreHouse(t, 2, 3, func(r *explore.Run, h *house) {
		lease := h.leased(2)
		before := SizeSample{Limit: 2, Min: 1, Max: 2}
		r.Go("sizer", func() { h.follow(before, SizeDecision{Limit: 1}) })
		r.Go("resizer", func() { h.setMaxSize(3) })
		r.Go("releaser", func() { h.release(lease[0]) })
		r.Finally(func() {
			h.release(lease[1])
			r.Require(h.mu.limit == 3 && h.mu.maxSize == 3, "the limit is %d", h.mu.limit)
			h.settled(2 - int(h.count.closes[ClosedResized].Load()))
		})
	})
}

// seam 16
func TestExplore16_NoAcquireAfterARetireGetsAnOldConnection(t *testing.T) {
	exploreHouse(t, 2, 3, func(r *explore.Run, h *house) {
		lease := h.leased(1)[0]
		dialling := h.dialling()
		r.Go("releaser", func() { h.release(lease) })
		r.Go("dialler", func() { h.dialled(dialling, new(thing), 0) })
		r.Go("retirer", func() {
			h.Retire()
			if _, err := h.TryAcquire(background); err == nil {
				r.Failf("lent an old connection after Retire")
			}
		})
		r.Finally(func() { h.settled(0) })
	})
}

// seam 17
func TestExplore17_NothingIsGrantedInAPauseAndEverythingAfterIt(t *testing.T) {
	exploreHouse(t, 1, 3, func(r *explore.Run, h *house) {
		lease := h.leased(1)[0]
		paused := false
		r.Go("waiter", func() {
			began := paused
			got, err := h.acquire(background)
			if err != nil {
				r.Failf("acquire: %v", err)
				return
			}
			r.Require(!began || !paused, "lent in a pause")
			h.release(got)
		})
		r.Go("releaser", func() { h.release(lease) })
		r.Go("pauser", func() {
			h.Pause()
			paused = true
			explore.Point()
			explore.Point()
			paused = false
			h.Resume()
		})
		r.Finally(func() { h.settled(1) })
	})
}

// Marks of the sweep come while a slot is lent where it lies and returned.
func TestExplore_AMarkDoesNotUndoALease(t *testing.T) {
	exploreHouse(t, 1, 3, func(r *explore.Run, h *house) {
		h.withCells(1)
		s := h.opened(1)[0]
		r.Go("marker", func() { s.word.Mark(slot.Quiet); s.word.Unmark(slot.Quiet) })
		r.Go("one", h.borrow)
		r.Go("two", h.borrow)
		r.Finally(func() { h.settled(1) })
	})
}

// MaxIdle counts what is idle, and nobody sleeps over what it closes.
func TestExplore_TheCountOfTheIdleIsRight(t *testing.T) {
	exploreHouse(t, 2, 3, func(r *explore.Run, h *house) {
		h.counted, h.plain = true, false
		h.cfg.MaxIdle = 1
		leases := h.leasedCounted(2)
		r.Go("releaser", func() { h.release(leases[0]) })
		r.Go("another", func() { h.release(leases[1]) })
		r.Finally(func() {
			idle := int(h.idleCount.Load())
			r.Require(idle == 1, "%d are said to be idle", idle)
			h.settled(1)
		})
	})
}

// seam 22: two connections return while a caller waits for one, and it may give
// up.
func TestExplore22_WhatIsLetInForAWaiterDoesNotStayWhenItHasGone(t *testing.T) {
	exploreHouse(t, 2, 2, func(r *explore.Run, h *house) {
		h.counted, h.plain = true, false
		h.cfg.MaxIdle = 1
		leases := h.leasedCounted(2)
		ctx, cancel := context.WithCancel(background)
		r.Go("waiter", h.borrowOr(ctx, context.Canceled))
		r.Rest()
		r.Go("releaser", func() { h.release(leases[0]) })
		r.Go("another", func() { h.release(leases[1]) })
		r.Go("canceller", cancel)
		r.Finally(func() {
			idle := int(h.idleCount.Load())
			r.Require(idle == 1, "%d are said to be idle", idle)
			h.settled(1)
		})
	})
}

// leasedCounted is leased where MaxIdle would close what is opened ahead.
func (h *house) leasedCounted(n int) (leases []Lease[*thing]) {
	h.gate.Set(gateHooked, true)
	for range n {
		leases = append(leases, h.leased(1)...)
	}
	return leases
}

// keepNone sets a house whose slots are leased to MaxIdle -1.
func (h *house) keepNone() {
	h.counted, h.plain = true, false
	h.cfg.MaxIdle = -1
	h.gate.Set(gateHooked, true)
}

func TestFault89_ExploreOneWaiterDoesNotMakeRoomForTwo(t *testing.T) {
	exploreHouse(t, 2, 2, func(r *explore.Run, h *house) {
		leases := h.leased(2)
		h.keepNone()
		r.Go("waiter", h.borrow)
		r.Rest()
		r.Go("releaser", func() { h.release(leases[0]) })
		r.Go("another", func() { h.release(leases[1]) })
		r.Finally(func() { h.settled(0) })
	})
}

func TestFault89_ExploreWhatAWaiterLeavesBehindIsClosed(t *testing.T) {
	exploreHouse(t, 1, 2, func(r *explore.Run, h *house) {
		lease := h.leased(1)[0]
		h.keepNone()
		ctx, cancel := context.WithCancel(background)
		r.Go("waiter", h.borrowOr(ctx, context.Canceled))
		r.Go("releaser", func() { h.release(lease) })
		r.Go("canceller", cancel)
		r.Finally(func() { h.settled(0) })
	})
}

func TestFault89_ExploreWhatAWaiterLeavesThatTimesOutIsClosed(t *testing.T) {
	exploreHouse(t, 1, 2, func(r *explore.Run, h *house) {
		lease := h.leased(1)[0]
		h.keepNone()
		h.cfg.AcquireTimeout = time.Second
		r.Go("waiter", h.borrowOr(background, context.DeadlineExceeded))
		r.Go("releaser", func() { h.release(lease) })
		r.Finally(func() { h.settled(0) })
	})
}

// MinIdle counts what is lent.
func TestExplore_WhatIsLentIsReplacedForMinIdle(t *testing.T) {
	explore.All(t, 2, func(r *explore.Run) {
		h := newDiallingHouse(r, 2, func(c *Config[*thing]) { c.MinIdle = 1 })
		r.Rest()
		var lease Lease[*thing]
		r.Go("holder", func() { lease, _ = h.acquire(background) })
		r.Finally(func() {
			idle := h.gauges().Idle
			r.Require(idle == 1 && h.idleCount.Load() == 1, "%d are idle, counted %d", idle, h.idleCount.Load())
			h.release(lease)
			h.settled(2)
		})
	})
}

// seam 15
func TestExplore15_OfTwoWhoResizeTheLastIsObeyed(t *testing.T) {
	exploreHouse(t, 2, 2, func(r *explore.Run, h *house) {
		leases := h.leased(2)
		r.Go("smaller", func() { _ = h.Resize(1) })
		r.Go("larger", func() { _ = h.Resize(2) })
		r.Go("releaser", func() { h.release(leases[0]) })
		r.Finally(func() {
			h.release(leases[1])
			open := h.gauges().Size
			r.Require(open <= h.limit(), "%d are open, of %d", open, h.limit())
			h.settled(open)
		})
	})
}

func TestFault89_ExploreWhatAPausedWaiterLeavesBehindIsClosed(t *testing.T) {
	exploreHouse(t, 1, 2, func(r *explore.Run, h *house) {
		lease := h.leased(1)[0]
		h.keepNone()
		ctx, cancel := context.WithCancel(background)
		r.Go("waiter", h.borrowOr(ctx, context.Canceled))
		r.Go("releaser", func() { h.release(lease) })
		r.Go("pauser", func() { h.Pause(); explore.Point(); cancel() })
		r.Finally(func() { h.settled(0) })
	})
}
