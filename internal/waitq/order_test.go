package waitq

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFirstComeFirstServed(t *testing.T) {
	q, _ := newQueue(0)
	w := joined(t, q, 5)
	require.Same(t, w[0], q.Match(anything))
	w = append(w, joined(t, q, 2)...)
	requireOrder(t, q, w[1:]...)
}

func TestWhoseGrantWasBadGoesBackToItsOldPlace(t *testing.T) {
	for _, c := range []struct {
		promise        string
		granted        int   // of five
		rejoin         []int // in this order
		order          []int
		joinsMeanwhile bool
	}{
		{"to the head", 1, []int{0}, []int{0, 1, 2, 3, 4}, false},
		{"before those who came meanwhile", 5, []int{0}, []int{0, 5}, true},
		{"before all who wait and came meanwhile", 1, []int{0}, []int{0, 1, 2, 3, 4, 5}, true},
		{"two in order", 2, []int{0, 1}, []int{0, 1, 2, 3, 4}, false},
		{"two, the later one first", 2, []int{1, 0}, []int{0, 1, 2, 3, 4}, false},
		{"between two that are back", 3, []int{2, 0, 1}, []int{0, 1, 2, 3, 4}, false},
		{"behind who is still out", 3, []int{1}, []int{1, 3, 4}, false},
		{"all, the last first", 5, []int{4, 3, 2, 1, 0}, []int{0, 1, 2, 3, 4, 5}, true},
		{"alone", 5, []int{3}, []int{3}, false},
	} {
		t.Run(c.promise, func(t *testing.T) {
			q, _ := newQueue(0)
			w := joined(t, q, 5)
			for range c.granted {
				q.Match(anything)
			}
			if c.joinsMeanwhile {
				w = append(w, joined(t, q, 1)...)
			}
			for _, i := range c.rejoin {
				require.Equal(t, Joined, q.Join(w[i]))
			}
			var want []*Waiter
			for _, i := range c.order {
				want = append(want, w[i])
			}
			requireOrder(t, q, want...)
		})
	}
}

func TestAWaiterMayRejoinAgainAndAgain(t *testing.T) {
	q, _ := newQueue(0)
	w := joined(t, q, 3)
	for n := range uint32(10) {
		require.Same(t, w[0], q.Match(anything))
		w[0].Wake(Grant{Number: n})
		requireGrant(t, w[0], Grant{Number: n})
		require.Equal(t, Joined, q.Join(w[0]))
	}
	requireOrder(t, q, w...)
}

func TestOneMayLeaveFromAnywhere(t *testing.T) {
	for leaver := range 5 {
		q, _ := newQueue(0)
		w := joined(t, q, 5)
		require.True(t, q.Leave(w[leaver]))
		requireOrder(t, q, slices.Delete(w, leaver, leaver+1)...)
	}
}

func TestAllMayLeaveInAnyOrder(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}} {
		q, gate := newQueue(0)
		w := joined(t, q, 3)
		for _, i := range order {
			require.True(t, q.Leave(w[i]))
		}
		require.Zero(t, q.Len())
		require.Zero(t, gate.Load())
		requireOrder(t, q)
		requireOrder(t, q, joined(t, q, 2)...)
	}
}

// All but the leaver's neighbours are cut off, so whoever walked the queue would
// fall off.
func TestALeaverTouchesOnlyItsNeighbours(t *testing.T) {
	q, _ := newQueue(0)
	w := joined(t, q, 7)
	for _, far := range []*Waiter{&q.mu.root, w[0], w[1], w[5], w[6]} {
		far.next, far.prev = nil, nil
	}
	require.True(t, q.Leave(w[3]))
	require.Same(t, w[4], w[2].next)
	require.Same(t, w[2], w[4].prev)
}

// Between Match and Wake a grant is on its way: the granter does its half here
// when the leaver has had its answer.
func TestALeaverThatLosesReceivesItsGrant(t *testing.T) {
	q, _ := newQueue(0)
	w := joined(t, q, 2)
	granted := q.Match(anything)
	require.False(t, q.Leave(w[0]), "a grant is on its way")
	requireAsleep(t, w[0])
	granted.Wake(Grant{Number: 7, Word: 9})
	requireGrant(t, w[0], Grant{Number: 7, Word: 9})
	require.False(t, q.Leave(w[0]))
	requireOrder(t, q, w[1])
}

func TestALeaverThatWinsIsGrantedNothing(t *testing.T) {
	q, _ := newQueue(0)
	w := joined(t, q, 2)
	require.True(t, q.Leave(w[0]))
	require.False(t, q.Leave(w[0]), "once")
	require.Same(t, w[1], q.Match(anything))
	requireAsleep(t, w[0])
}

func TestALeaverThatLosesToAFailureReceivesIt(t *testing.T) {
	q, _ := newQueue(0)
	w := joined(t, q, 1)
	q.Fail(errTest)
	require.False(t, q.Leave(w[0]))
	requireGrant(t, w[0], Grant{Err: errTest})
}

func TestTheQueueHoldsItsMostAndNoMore(t *testing.T) {
	q, _ := newQueue(2)
	w := joined(t, q, 2)
	late := newWaiter(2)
	require.Equal(t, Full, q.Join(late))
	require.Equal(t, 2, q.Len())

	require.True(t, q.Leave(w[0]))
	w = append(w, joined(t, q, 1)...)
	require.Same(t, w[1], q.Match(anything))
	require.Equal(t, Joined, q.Join(late))
	requireOrder(t, q, w[2], late) // having been turned away has earned it no place
}

func TestWhoRejoinsIsNeverOneTooMany(t *testing.T) {
	q, _ := newQueue(2)
	w := joined(t, q, 2)
	require.Same(t, w[0], q.Match(anything))
	w = append(w, joined(t, q, 1)...)
	require.Equal(t, Joined, q.Join(w[0]))
	require.Equal(t, Full, q.Join(newWaiter(3)))
	requireOrder(t, q, w...)
}

func TestHeadIsWhoWaitsLongest(t *testing.T) {
	q, _ := newQueue(0)
	_, _, ok := q.Head()
	require.False(t, ok)
	for i := range 3 {
		w := newWaiter(time.Duration(10 + i))
		w.Tag = i
		q.Join(w)
	}
	for i := range 3 {
		tag, came, ok := q.Head()
		require.True(t, ok)
		require.Equal(t, i, tag)
		require.Equal(t, time.Duration(10+i), came)
		q.Match(anything)
	}
	_, _, ok = q.Head()
	require.False(t, ok)
}

func TestLenTakesNoLock(t *testing.T) {
	q, _ := newQueue(0)
	joined(t, q, 3)
	q.mu.Lock()
	defer q.mu.Unlock()
	require.Equal(t, 3, q.Len())
}
