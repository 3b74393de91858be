//go:build explore

package connpool

import (
	"errors"
	"testing"
	"time"

	"github.com/connpool/connpool/internal/explore"
)

// The seams of an outage: while a dial hangs and nothing will come back, each caller
// that waits must be told, in whatever order it joins, a dial fails, time passes, and
// the last connection goes.

// exploreOutage takes a scenario in a pool that tells of outages through its
// schedules. Of its dials so many succeed, the next one fails, and the one after it
// succeeds when answer has been called.
func exploreOutage(
	t *testing.T, size, good, preemptions int, scenario func(r *explore.Run, h *house, answer func()),
) {
	t.Helper()
	explore.All(t, preemptions, func(r *explore.Run) {
		h := newDiallingHouse(r, size, func(c *Config[*thing]) {
			c.BackoffMin, c.BackoffMax, c.DownAfter = time.Millisecond, time.Millisecond, time.Second
		})
		ready := make(chan struct{}, 1)
		h.fate = func(n int) error {
			switch {
			case n <= good:
				return nil
			case n == good+1:
				return errUnreachable
			case n == good+2:
				ready, _ := explore.Wait(ready, nil)
				<-ready
			}
			return nil
		}
		scenario(r, h, func() { ready <- struct{}{} })
	})
}

// isTold is a thread whose acquire must fail for an outage.
func (h *house) isTold(then func()) func() {
	return func() {
		_, err := h.Acquire(background)
		h.run.Require(errors.Is(err, ErrUnreachable), "acquire: %v", err)
		h.run.Calm()
		then()
	}
}

// seam 24
func TestExplore24_WhoWaitsOrJoinsInAnOutageIsToldThoughADialHangs(t *testing.T) {
	exploreOutage(t, 1, 0, 2, func(r *explore.Run, h *house, answer func()) {
		told := 0
		then := func() {
			if told++; told == 2 {
				answer()
			}
		}
		r.Go("one", h.isTold(then))
		r.Rest() // until the dial has failed and the pause lasts
		r.Go("two", h.isTold(then))
		r.Finally(func() {
			r.Require(!h.mu.outages.on, "the outage goes on")
			h.settled(1)
		})
	})
}

func TestExplore24_WhoWaitsIsToldWhenTheLastConnectionIsClosed(t *testing.T) {
	exploreOutage(t, 2, 1, 2, func(r *explore.Run, h *house, answer func()) {
		lease := h.held()
		r.Go("waiter", h.isTold(answer))
		r.Rest() // as above
		r.Go("discarder", func() { h.end(lease, func(l Lease[*thing]) { l.Discard(nil) }) })
		r.Finally(func() { h.settled(1) })
	})
}

func TestExplore24_WhoWaitsIsToldWhenTheLastLeaseIsToBeKept(t *testing.T) {
	exploreOutage(t, 2, 1, 2, func(r *explore.Run, h *house, answer func()) {
		lease := h.held()
		r.Go("waiter", h.isTold(answer))
		r.Go("keeper", lease.KeepLong)
		r.Finally(func() {
			h.release(lease)
			h.settled(2)
		})
	})
}

func TestExplore24_ADialThatSucceedsAsAnOutageBeginsEndsIt(t *testing.T) {
	exploreOutage(t, 1, 0, 2, func(r *explore.Run, h *house, answer func()) {
		answer()
		r.Go("waiter", h.borrowOr(background, ErrUnreachable))
		r.Finally(func() {
			r.Require(!h.mu.outages.on, "the outage goes on")
			h.settled(1)
		})
	})
}
