package waitq

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// newQueue returns an open queue for at most so many waiters, 0 for no limit.
func newQueue(max int) (*Queue, *Gate) {
	q, gate := new(Queue), new(Gate)
	q.Init(gate, max)
	return q, gate
}

// newWaiter returns a waiter that came at a given time and has not joined.
func newWaiter(came time.Duration) *Waiter {
	w := NewWaiter(came)
	return &w
}

// joined returns so many waiters that have joined in this order.
func joined(t testing.TB, q *Queue, n int) []*Waiter {
	waiters := make([]*Waiter, n)
	for i := range waiters {
		waiters[i] = newWaiter(time.Duration(i))
		require.Equal(t, Joined, q.Join(waiters[i]))
	}
	return waiters
}

// anything is a find that finds.
func anything(*Waiter) bool { return true }

// matchAll unlinks everybody, head first.
func matchAll(q *Queue) (order []*Waiter) {
	for w := q.Match(anything); w != nil; w = q.Match(anything) {
		order = append(order, w)
	}
	return order
}

// requireOrder fails unless exactly these waiters are in the queue, in this
// order. It empties the queue.
func requireOrder(t *testing.T, q *Queue, want ...*Waiter) {
	t.Helper()
	require.Equal(t, len(want), q.Len())
	got := matchAll(q)
	require.Len(t, got, len(want))
	for i := range want {
		require.Same(t, want[i], got[i], "place %d", i)
	}
	require.Zero(t, q.Len())
}

// requireGrant fails unless the waiter has been woken, once, with a grant.
func requireGrant(t *testing.T, w *Waiter, want Grant) {
	t.Helper()
	select {
	case <-w.Ready():
		require.Equal(t, want, w.Granted())
	default:
		require.Fail(t, "not woken")
	}
	requireAsleep(t, w)
}

// requireAsleep fails if there is a grant for the waiter to receive.
func requireAsleep(t *testing.T, w *Waiter) {
	t.Helper()
	select {
	case <-w.Ready():
		require.Fail(t, "woken", "%+v", w.Granted())
	default:
	}
}
