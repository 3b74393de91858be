//go:build explore

package connpool

import (
	"context"
	"testing"
	"time"

	"github.com/connpool/connpool/internal/explore"
	"github.com/connpool/connpool/internal/idle"
	"github.com/connpool/connpool/internal/slot"
)

// The seams of waiting, releasing and cancelling, each taken through every
// schedule with up to three preemptions. A scenario of so many threads that only
// two can be afforded has a sibling with three, in which what leads up to the seam
// happens in one order.

var background = context.Background()

// seam 1
func TestExplore01_WhoJoinsWhileAConnectionReturnsGetsIt(t *testing.T) {
	exploreHouse(t, 1, 3, func(r *explore.Run, h *house) {
		lease := h.leased(1)[0]
		r.Go("releaser", func() { h.release(lease) })
		r.Go("waiter", h.borrow)
		r.Finally(func() { h.settled(1) })
	})
}

func TestExplore01_TwoJoinWhileTwoConnectionsReturn(t *testing.T) {
	exploreHouse(t, 2, 2, func(r *explore.Run, h *house) {
		leases := h.leased(2)
		for i, name := range []string{"one", "two"} {
			r.Go("releaser "+name, func() { h.release(leases[i]) })
			r.Go("waiter "+name, h.borrow)
		}
		r.Finally(func() { h.settled(2) })
	})
}

func TestExplore01_TwoWhoReturnServeTwoWhoWait(t *testing.T) {
	exploreHouse(t, 2, 3, func(r *explore.Run, h *house) {
		leases := h.leased(2)
		r.Go("first", h.borrow)
		r.Go("second", h.borrow)
		r.Rest()
		r.Go("releaser", func() { h.release(leases[0]) })
		r.Go("another", func() { h.release(leases[1]) })
		r.Finally(func() { h.settled(2) })
	})
}

func TestExplore01_WhoJoinsWhileAConnectionReturnsToAQueueGetsIt(t *testing.T) {
	exploreHouse(t, 1, 3, func(r *explore.Run, h *house) {
		h.idle, h.due = idle.NewQueue(), idle.NewQueue()
		h.idle.Grow(firstChunk)
		h.due.Grow(firstChunk)
		lease := h.leased(1)[0]
		r.Go("releaser", func() { h.release(lease) })
		r.Go("waiter", h.borrow)
		r.Go("another", h.borrow)
		r.Finally(func() { h.settled(1) })
	})
}

// seam 2
func TestExplore02_TheSweepAndBorrowersDoNotHaveTheSameSlot(t *testing.T) {
	for _, bits := range []uint32{0, gateHooked} { // any bit sends borrowers off the common path
		exploreHouse(t, 2, 3, func(r *explore.Run, h *house) {
			h.gate.Set(bits, true)
			h.cfg.IdleTimeout, h.cfg.MinSize = time.Nanosecond, 1
			for _, s := range h.opened(2) {
				s.seenTurn, s.seenAt = s.word.Load().Turn(), -time.Hour
			}
			r.Go("sweep", func() { h.sweep(h.now()) })
			r.Go("one", h.borrow)
			r.Go("two", h.borrow)
			r.Finally(func() { h.settled(2 - int(h.count.closes[ClosedIdle].Load())) })
		})
	}
}

// seam 3
func TestExplore03_ACancelThatLosesGivesTheGrantBack(t *testing.T) {
	exploreHouse(t, 1, 3, func(r *explore.Run, h *house) {
		lease := h.leased(1)[0]
		ctx, cancel := context.WithCancel(background)
		r.Go("waiter", h.borrowOr(ctx, context.Canceled))
		r.Go("releaser", func() { h.release(lease) })
		r.Go("canceller", cancel)
		r.Finally(func() { h.settled(1) })
	})
}

// seam 4
func TestExplore04_AGrantGoesPastTheCancelledToTheNext(t *testing.T) {
	exploreHouse(t, 1, 2, func(r *explore.Run, h *house) {
		lease := h.leased(1)[0]
		ctx, cancel := context.WithCancel(background)
		r.Go("impatient", h.borrowOr(ctx, context.Canceled))
		r.Go("patient", h.borrow)
		r.Go("releaser", func() { h.release(lease) })
		r.Go("canceller", cancel)
		r.Finally(func() { h.settled(1) })
	})
}

func TestExplore04_AGrantGoesPastOneWhoIsJustCancelled(t *testing.T) {
	exploreHouse(t, 1, 3, func(r *explore.Run, h *house) {
		lease := h.leased(1)[0]
		ctx, cancel := context.WithCancel(background)
		r.Go("impatient", h.borrowOr(ctx, context.Canceled))
		r.Rest()
		r.Go("patient", h.borrow)
		r.Rest() // until both wait, in this order
		r.Go("releaser", func() { h.release(lease) })
		r.Go("canceller", cancel)
		r.Finally(func() { h.settled(1) })
	})
}

// seam 5: closed where it lies
func TestExplore05_ASlotClosedWhereItLiesIsNotLent(t *testing.T) {
	exploreHouse(t, 2, 3, func(r *explore.Run, h *house) {
		open := h.opened(2)
		closed := 0
		r.Go("closer", func() {
			if s := open[1]; s.claimIdle(s.word.Load(), slot.Closing) {
				closed++
				h.shut(s, ClosedIdle, nil)
			}
		})
		r.Go("borrower", h.borrow)
		r.Finally(func() { h.settled(2 - closed) })
	})
}

// seam 5: checked where it lies
func TestExplore05_ASlotCheckedWhereItLiesIsNeitherLostNorListedTwice(t *testing.T) {
	exploreHouse(t, 1, 3, func(r *explore.Run, h *house) {
		s := h.opened(1)[0]
		r.Go("checker", func() {
			if s.claimIdle(s.word.Load(), slot.Checking) {
				explore.Point()
				h.publish(s, slot.Fresh)
			}
		})
		r.Go("one", h.borrow)
		r.Go("two", h.borrow)
		r.Finally(func() { h.settled(1) })
	})
}

// seam 5: lent where it lies
func TestExplore05_ASlotLentWhereItLiesIsPutBackIfItsNumberIsPopped(t *testing.T) {
	exploreHouse(t, 1, 3, func(r *explore.Run, h *house) {
		h.withCells(1)
		h.opened(1)
		r.Go("one", h.borrow)
		r.Go("two", h.borrow)
		r.Finally(func() { h.settled(1) })
	})
}

func TestExplore05_ThreeBorrowersShareACellAndAStack(t *testing.T) {
	exploreHouse(t, 2, 3, func(r *explore.Run, h *house) {
		h.withCells(1)
		h.opened(2)
		for _, name := range []string{"one", "two", "three"} {
			r.Go(name, h.borrow)
		}
		r.Finally(func() { h.settled(2) })
	})
}

// seam 5: the number is in neither cell nor stack for a moment
func TestExplore05_WhoJoinsWhileANumberIsMovedIsServed(t *testing.T) {
	exploreHouse(t, 1, 3, func(r *explore.Run, h *house) {
		h.withCells(1)
		h.opened(1)
		r.Go("sweep", func() { h.sweep(h.now()) })
		r.Go("borrower", h.borrow)
		r.Finally(func() { h.settled(1) })
	})
}

// nearlyMissed gives a pool's list so many misses that the next one empties a cell.
func (h *house) nearlyMissed() {
	for range 63 {
		h.idle.Missed()
	}
}

func TestExplore05_WhoMissesTooOftenEmptiesTheCellAndNobodySleepsOverIt(t *testing.T) {
	exploreHouse(t, 1, 3, func(r *explore.Run, h *house) {
		h.withCells(1)
		h.opened(1)
		h.nearlyMissed()
		r.Go("one", h.borrow)
		r.Go("two", h.borrow)
		r.Finally(func() { h.settled(1) })
	})
}

// seam 6
func TestExplore06_ASlotIsEmptiedOnceAndOpensAgainWhereItLies(t *testing.T) {
	exploreHouse(t, 2, 3, func(r *explore.Run, h *house) {
		h.withCells(1)
		s := h.opened(1)[0]
		lease := h.leasedNow()
		r.Go("discarder", func() {
			h.end(lease, func(l Lease[*thing]) { l.Discard(nil) })
			h.dialled(h.dialling(), new(thing), 0)
		})
		r.Go("borrower", func() {
			// Whoever meets the number where it lies, whatever has become of its slot.
			if _, _, fate := h.take(nil, nil, leaveThem); fate == taken {
				h.lent++
				h.count.withdrawn.Add(^uint64(0)) // as lend does
				h.release(h.named(s))
			}
		})
		r.Finally(func() { h.settled(1) })
	})
}

// leasedNow leases an idle slot.
func (h *house) leasedNow() Lease[*thing] {
	lease, err := h.acquire(background)
	if err != nil {
		panic(err)
	}
	return lease
}

// named returns the lease of a slot that is leased to the caller.
func (h *house) named(s *seat[*thing]) Lease[*thing] {
	(*s.conn.Load()).users++
	return Lease[*thing]{seat: s, word: s.word.Load().Lease()}
}

// tryToBorrow is a thread that uses a connection if one is idle.
func (h *house) tryToBorrow() {
	if lease, err := h.TryAcquire(background); err == nil {
		h.begin(lease)
		h.release(lease)
	}
}

// seams 7 and 9
func TestExplore07_WhatIsReturnedWhileThePoolClosesIsClosed(t *testing.T) {
	exploreHouse(t, 2, 3, func(r *explore.Run, h *house) {
		h.withCells(1)
		leases := h.leased(2)
		r.Go("releaser", func() { h.release(leases[0]) })
		r.Go("another", func() { h.release(leases[1]) })
		r.Go("closer", func() { h.Close() })
		r.Finally(func() { h.settled(0) })
	})
}

func TestExplore07_AWaiterOfAClosingPoolIsServedOrRefused(t *testing.T) {
	exploreHouse(t, 1, 3, func(r *explore.Run, h *house) {
		lease := h.leased(1)[0]
		r.Go("releaser", func() { h.release(lease) })
		r.Go("waiter", h.borrowOr(background, ErrClosed))
		r.Go("closer", func() { h.Close() })
		r.Finally(func() { h.settled(0) })
	})
}

// seam 8
func TestExplore08_NobodyJoinsTheQueueOfAClosedPool(t *testing.T) {
	exploreHouse(t, 1, 3, func(r *explore.Run, h *house) {
		h.leased(1)
		r.Go("waiter", h.borrowOr(background, ErrClosed))
		r.Go("closer", func() { h.Close() })
		r.Finally(func() { r.Require(h.queue.Len() == 0, "somebody waits at a closed pool") })
	})
}

// seam 9
func TestExplore09_ADialThatEndsWhileThePoolClosesIsClosed(t *testing.T) {
	exploreHouse(t, 1, 3, func(r *explore.Run, h *house) {
		s := h.dialling()
		r.Go("dialler", func() { h.dialled(s, new(thing), 0) })
		r.Go("closer", func() { h.Close() })
		r.Finally(func() { h.settled(0) })
	})
}

func TestExplore09_ACheckThatEndsWhileThePoolClosesIsClosed(t *testing.T) {
	exploreHouse(t, 1, 3, func(r *explore.Run, h *house) {
		s := h.opened(1)[0]
		s.claimIdle(s.word.Load(), slot.Checking)
		r.Go("checker", func() { h.publish(s, slot.Fresh) })
		r.Go("closer", func() { h.Close() })
		r.Go("borrower", h.tryToBorrow)
		r.Finally(func() { h.settled(0) })
	})
}

// seam 10
func TestExplore10_TheDialOfACallerWhoHasGoneGoesToTheNext(t *testing.T) {
	exploreHouse(t, 1, 2, func(r *explore.Run, h *house) {
		s := h.dialling()
		ctx, cancel := context.WithCancel(background)
		r.Go("impatient", h.borrowOr(ctx, context.Canceled))
		r.Go("patient", h.borrow)
		r.Go("dialler", func() { h.dialled(s, new(thing), 0) })
		r.Go("canceller", cancel)
		r.Finally(func() { h.settled(1) })
	})
}

// seam 14
func TestExplore14_OneOfManyEndsOfALeaseWins(t *testing.T) {
	exploreHouse(t, 1, 3, func(r *explore.Run, h *house) {
		lease := h.leased(1)[0]
		lease.Conn().users--
		r.Go("releaser", lease.Release)
		r.Go("again", lease.Release)
		r.Go("next", h.borrow)
		r.Finally(func() {
			r.Require(h.count.staleReleases.Load() == 1, "%d stale releases", h.count.staleReleases.Load())
			h.settled(1)
		})
	})
}

func TestExplore14_AReleaseAndADestructionDoNotBothHappen(t *testing.T) {
	exploreHouse(t, 1, 3, func(r *explore.Run, h *house) {
		lease := h.leased(1)[0]
		lease.Conn().users--
		r.Go("releaser", lease.Release)
		r.Go("discarder", func() { lease.Discard(nil) })
		r.Go("closer", func() { h.Close() })
		r.Finally(func() { h.settled(0) })
	})
}

func TestExplore14_AStaleLeaseNeverSeesTheNextConnection(t *testing.T) {
	exploreHouse(t, 1, 3, func(r *explore.Run, h *house) {
		lease := h.leased(1)[0]
		own := lease.Conn()
		own.users--
		r.Go("late", func() {
			defer func() { _ = recover() }() // it may say that the lease has ended
			got := lease.Conn()
			r.Require(got == own, "the lease shows another's connection")
		})
		r.Go("discarder", func() {
			lease.Discard(nil)
			h.dialled(h.dialling(), new(thing), 0)
			h.borrow()
		})
		r.Finally(func() { h.settled(1) })
	})
}

// seam 20
func TestExplore20_SettledHearsOfALeaseThatReturns(t *testing.T) {
	exploreHouse(t, 1, 3, func(r *explore.Run, h *house) {
		h.cfg.Clean, h.plain = func(*thing) error { return nil }, false
		lease := h.leased(1)[0]
		r.Go("releaser", func() { h.release(lease) })
		r.Go("settler", func() { r.Require(h.Settled(background) == nil, "not settled") })
		r.Finally(func() { h.settled(1) })
	})
}

func TestExplore20_SettledWaitsForWhatIsClosed(t *testing.T) {
	exploreDialling(t, 1, 3, func(r *explore.Run, h *house) {
		lease := h.held()
		r.Go("releaser", func() {
			h.end(lease, func(l Lease[*thing]) { l.Discard(nil) })
			r.Require(h.Settled(background) == nil, "not settled")
			r.Require(h.gauges().Closing == 0, "still closing")
		})
		r.Finally(func() { h.settled(0) })
	})
}

// unsaid is a context that is done and does not say why.
type unsaid struct{ context.Context }

func (unsaid) Err() error { return nil }

// seam 3
func TestFault86_ExploreAWaitThatEndsWithoutAnErrorGetsNoLease(t *testing.T) {
	exploreHouse(t, 1, 2, func(r *explore.Run, h *house) {
		lease := h.leased(1)[0]
		ctx, cancel := context.WithCancel(background)
		r.Go("waiter", h.borrowOr(unsaid{ctx}, context.Canceled))
		r.Go("releaser", func() { h.release(lease) })
		r.Go("canceller", cancel)
		r.Finally(func() { h.settled(1) })
	})
}

func TestExplore03_AWaitThatTimesOutAsItIsServedLosesNothing(t *testing.T) {
	exploreHouse(t, 1, 2, func(r *explore.Run, h *house) {
		lease := h.leased(1)[0]
		h.cfg.AcquireTimeout = time.Second
		r.Go("first", h.borrowOr(background, context.DeadlineExceeded))
		r.Go("second", h.borrowOr(background, context.DeadlineExceeded))
		r.Go("releaser", func() { h.release(lease) })
		r.Finally(func() { h.settled(1) })
	})
}

// One that nobody serves waits until its time is over, and no longer.
func TestExplore03_AWaitEndsWhenItsTimeIsOver(t *testing.T) {
	exploreHouse(t, 1, 2, func(r *explore.Run, h *house) {
		h.leased(1)
		h.cfg.AcquireTimeout = time.Second
		r.Go("first", h.borrowOr(background, context.DeadlineExceeded))
		r.Go("second", h.borrowOr(background, context.DeadlineExceeded))
		r.Finally(func() { r.Require(h.queue.Len() == 0, "somebody still waits") })
	})
}
