package waitq

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// never is a find that must not be called.
func never(t *testing.T) func(*Waiter) bool {
	return func(*Waiter) bool {
		t.Error("find was called")
		return true
	}
}

func TestMatchOnAnEmptyQueueFindsNothing(t *testing.T) {
	q, _ := newQueue(0)
	require.Nil(t, q.Match(never(t)))
	q.Leave(joined(t, q, 1)[0])
	require.Nil(t, q.Match(never(t)))
}

func TestMatchWhilePausedFindsNothing(t *testing.T) {
	q, _ := newQueue(0)
	q.Pause(true)
	w := joined(t, q, 2)
	require.Nil(t, q.Match(never(t)))
	q.Pause(true)
	require.Nil(t, q.Match(never(t)))
	require.Equal(t, 2, q.Len(), "they may join and go on waiting")
	require.True(t, q.Leave(w[0]), "and leave")

	q.Pause(false)
	requireOrder(t, q, w[1])
}

func TestMatchIsToldTheHeadAndKeepsItIfNothingIsFound(t *testing.T) {
	q, gate := newQueue(0)
	w := joined(t, q, 2)
	for range 2 {
		require.Nil(t, q.Match(func(head *Waiter) bool {
			require.Same(t, w[0], head)
			return false
		}))
		require.Equal(t, Waiting, gate.Load())
	}
	requireAsleep(t, w[0])
	requireOrder(t, q, w...)
}

func TestNobodyLeavesOrJoinsWhileMatchFinds(t *testing.T) {
	q, gate := newQueue(0)
	joined(t, q, 1)
	q.Match(func(*Waiter) bool {
		require.False(t, q.mu.TryLock())
		require.Equal(t, 1, q.Len())
		require.Equal(t, Waiting, gate.Load())
		return true
	})
	require.True(t, q.mu.TryLock())
}

func TestAFindThatPanicsLeavesTheQueueAsItWas(t *testing.T) {
	q, _ := newQueue(0)
	w := joined(t, q, 2)
	require.Panics(t, func() { q.Match(func(*Waiter) bool { panic("find") }) })
	requireOrder(t, q, w...)
}

func TestAGrantReachesItsWaiterAndNobodyElse(t *testing.T) {
	q, _ := newQueue(0)
	w := joined(t, q, 3)
	for i, granted := range matchAll(q) {
		granted.Wake(Grant{Number: uint32(i), Word: 1<<63 + uint64(i)})
	}
	for i := range w {
		requireGrant(t, w[i], Grant{Number: uint32(i), Word: 1<<63 + uint64(i)})
	}
}

// Who wakes may hold a lock and must not be held up by a waiter that sleeps.
func TestWakeDoesNotWaitForTheWaiter(t *testing.T) {
	q, _ := newQueue(0)
	w := joined(t, q, 1)
	q.Match(anything).Wake(Grant{Number: 1})
	requireGrant(t, w[0], Grant{Number: 1})
}
