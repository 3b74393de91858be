package waitq

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheQueuesBitsLieBelowFree(t *testing.T) {
	require.Equal(t, []uint32{1, 2, 4, 8}, []uint32{Waiting, Paused, Closed, Free})
}

func TestSetChangesOnlyItsBits(t *testing.T) {
	var g Gate
	require.Zero(t, g.Load())
	g.Set(Free|Paused, true)
	require.Equal(t, Free|Paused, g.Load())
	g.Set(Free<<1|Free, true)
	require.Equal(t, Free<<1|Free|Paused, g.Load(), "one of them was set already")
	g.Set(Free|Closed, false)
	require.Equal(t, Free<<1|Paused, g.Load())
}

// The gate's owner changes its bits while waiters come and go, whom nobody but
// themselves takes out of the queue: so each sees its own bit while it is in.
func TestNoBitOfTheGateIsLost(t *testing.T) {
	const rounds = 60_000
	q, gate := newQueue(0)
	var group sync.WaitGroup
	for bit := Free; bit < Free<<2; bit <<= 1 {
		group.Go(func() {
			for n := range rounds {
				gate.Set(bit, n%2 == 0)
				if (gate.Load()&bit != 0) != (n%2 == 0) {
					t.Errorf("bit %b is lost", bit)
					return
				}
			}
		})
	}
	for range 2 {
		group.Go(func() {
			for range rounds {
				w := newWaiter(0)
				q.Join(w)
				if gate.Load()&Waiting == 0 {
					t.Error("waiting is lost")
					return
				}
				q.Leave(w)
			}
		})
	}
	group.Wait()
	require.Zero(t, gate.Load())
}

// model is what the queue should be: a slice, in order.
type model struct {
	q       *Queue
	gate    *Gate
	waiting []*Waiter // in the queue
	out     []*Waiter // granted, and may rejoin
	paused  bool
	came    time.Duration
}

// steps are what may happen. Each leaves queue and model the same.
var steps = []func(t *testing.T, m *model, r *rand.Rand){
	func(t *testing.T, m *model, r *rand.Rand) { // join
		m.came++
		w := newWaiter(m.came)
		w.Limited, w.Until = r.IntN(2) == 0, m.came+10
		require.Equal(t, Joined, m.q.Join(w))
		m.waiting = append(m.waiting, w)
	},
	func(t *testing.T, m *model, r *rand.Rand) { // leave
		if len(m.waiting) > 0 {
			i := r.IntN(len(m.waiting))
			require.True(t, m.q.Leave(m.waiting[i]))
			m.waiting = slices.Delete(m.waiting, i, i+1)
		}
	},
	func(t *testing.T, m *model, r *rand.Rand) { // match
		w := m.q.Match(anything)
		if len(m.waiting) == 0 || m.paused {
			require.Nil(t, w)
			return
		}
		require.Same(t, m.waiting[0], w)
		m.waiting = slices.Delete(m.waiting, 0, 1)
		m.out = append(m.out, w)
	},
	func(t *testing.T, m *model, r *rand.Rand) { // rejoin
		if len(m.out) > 0 {
			i := r.IntN(len(m.out))
			w := m.out[i]
			m.out = slices.Delete(m.out, i, i+1)
			require.Equal(t, Joined, m.q.Join(w))
			m.waiting = append(m.waiting, w)
			slices.SortFunc(m.waiting, func(a, b *Waiter) int { return int(a.Joined - b.Joined) })
		}
	},
	func(t *testing.T, m *model, r *rand.Rand) { // pause or resume
		m.paused = r.IntN(2) == 0
		m.q.Pause(m.paused)
	},
	func(t *testing.T, m *model, r *rand.Rand) { // expire
		now := m.came + time.Duration(r.IntN(12)-4)
		m.q.Expire(now, errTest)
		late := func(w *Waiter) bool { return w.Limited && w.Until <= now }
		for _, w := range m.waiting {
			if late(w) {
				requireGrant(t, w, Grant{Err: errTest})
			}
		}
		m.waiting = slices.DeleteFunc(m.waiting, late)
	},
	func(t *testing.T, m *model, r *rand.Rand) { // fail, now and then
		if r.IntN(4) == 0 {
			m.q.Fail(errTest)
			for _, w := range m.waiting {
				requireGrant(t, w, Grant{Err: errTest})
			}
			m.waiting = nil
		}
	},
}

func TestTheQueueDoesWhatASliceWouldAndTheGateAgrees(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 0))
		m := new(model)
		m.q, m.gate = newQueue(0)
		for range 400 {
			steps[r.IntN(len(steps))](t, m, r)
			require.Equal(t, len(m.waiting), m.q.Len(), "seed %d", seed)
			require.Equal(t, len(m.waiting) > 0, m.gate.Load()&Waiting != 0, "seed %d", seed)
			require.Equal(t, m.paused, m.gate.Load()&Paused != 0, "seed %d", seed)
			require.Zero(t, m.gate.Load()&^(Waiting|Paused), "seed %d", seed)
		}
		m.q.Pause(false)
		requireOrder(t, m.q, m.waiting...)
	}
}
