//go:build explore

package waitq

import (
	"errors"
	"testing"

	"github.com/connpool/connpool/internal/explore"
)

var errOver = errors.New("over")

// await returns what comes of a wait that may be given up. A waiter that has
// left without success takes its grant.
func await(q *Queue, w *Waiter, giveUp <-chan struct{}) (g Grant, granted bool) {
	ready, done := explore.Wait(w.Ready(), giveUp)
	select {
	case <-ready:
		return w.Granted(), true
	case <-done:
	}
	if q.Leave(w) {
		return Grant{}, false
	}
	ready, _ = explore.Wait(w.Ready(), nil)
	<-ready
	return w.Granted(), true
}

// requireEmpty checks that the queue and its gate know of nobody who waits.
func requireEmpty(r *explore.Run, q *Queue, gate *Gate) {
	r.Require(q.Len() == 0, "%d are still in the queue", q.Len())
	r.Require(gate.Load()&Waiting == 0, "the gate says that somebody waits")
}

// A granter that finds nobody keeps what it has; otherwise exactly one has it.
func TestExplore_AGrantReachesOneOrNobody(t *testing.T) {
	explore.All(t, 3, func(r *explore.Run) {
		q, gate := newQueue(0)
		giveUp := make(chan struct{})
		kept, had := 0, 0
		for _, name := range []string{"first", "second"} {
			w := newWaiter(0)
			r.Go(name, func() {
				if q.Join(w) != Joined {
					r.Failf("turned away")
				}
				if _, ok := await(q, w, giveUp); ok {
					had++
				}
			})
		}
		r.Go("granter", func() {
			if w := q.Match(anything); w != nil {
				w.Wake(Grant{Number: 1})
			} else {
				kept++
			}
		})
		r.Go("canceller", func() { explore.Point(); close(giveUp) })
		r.Finally(func() {
			r.Require(had+kept == 1, "had by %d, kept by %d", had, kept)
			requireEmpty(r, q, gate)
		})
	})
}

// Who joins while the queue closes is refused or failed.
func TestExplore_NobodySleepsInAClosedQueue(t *testing.T) {
	explore.All(t, 3, func(r *explore.Run) {
		q, gate := newQueue(0)
		for _, name := range []string{"first", "second"} {
			w := newWaiter(0)
			r.Go(name, func() {
				if q.Join(w) == Refused {
					return
				}
				g, _ := await(q, w, nil)
				r.Require(g.Err == errOver, "granted %+v", g)
			})
		}
		r.Go("closer", func() { q.Close(errOver) })
		r.Finally(func() { requireEmpty(r, q, gate) })
	})
}

// Between the return of Pause and the call of its end nothing is granted.
func TestExplore_NothingIsGrantedInAPause(t *testing.T) {
	explore.All(t, 3, func(r *explore.Run) {
		q, gate := newQueue(0)
		w := newWaiter(0)
		q.Join(w)
		paused, granted := false, false
		grant := func() {
			began := paused
			if w := q.Match(anything); w != nil {
				r.Require(!began || !paused, "granted in a pause")
				granted = true
				w.Wake(Grant{})
			}
		}
		r.Go("granter", grant)
		r.Go("pauser", func() {
			q.Pause(true)
			paused = true
			explore.Point()
			paused = false
			q.Pause(false)
			grant()
		})
		r.Finally(func() {
			r.Require(granted, "the waiter was forgotten")
			requireEmpty(r, q, gate)
		})
	})
}

// The gate says that somebody waits exactly when somebody does.
func TestExplore_TheGateKnowsWhoWaits(t *testing.T) {
	explore.All(t, 3, func(r *explore.Run) {
		q, gate := newQueue(0)
		old := newWaiter(0)
		q.Join(old)
		r.Go("joiner", func() { q.Join(newWaiter(1)) })
		r.Go("leaver", func() { r.Require(q.Leave(old), "thrown out") })
		r.Go("owner", func() { gate.Set(Free, true); gate.Set(Free, false) })
		r.Finally(func() {
			r.Require(q.Len() == 1 && gate.Load() == Waiting, "%d wait, gate %b", q.Len(), gate.Load())
		})
	})
}
