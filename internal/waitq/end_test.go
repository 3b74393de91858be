package waitq

import (
	"errors"
	"regexp"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var errTest = errors.New("told to stop")

func TestFailWakesEachOnce(t *testing.T) {
	q, gate := newQueue(0)
	w := joined(t, q, 5)
	q.Leave(w[2])
	q.Match(anything)
	q.Fail(errTest)
	require.Zero(t, q.Len())
	require.Zero(t, gate.Load())
	for _, i := range []int{1, 3, 4} {
		requireGrant(t, w[i], Grant{Err: errTest})
	}
	requireAsleep(t, w[0])
	requireAsleep(t, w[2])
}

func TestFailOfNobodyDoesNothing(t *testing.T) {
	q, gate := newQueue(0)
	q.Fail(errTest)
	require.Zero(t, gate.Load())
	requireOrder(t, q, joined(t, q, 1)...)
}

func TestWhoJoinsAfterAFailureWaits(t *testing.T) {
	q, _ := newQueue(0)
	w := joined(t, q, 1)
	q.Fail(errTest)
	late := joined(t, q, 1)
	q.Fail(errors.New("again"))
	requireGrant(t, w[0], Grant{Err: errTest})
	requireGrant(t, late[0], Grant{Err: errors.New("again")})
}

func TestWhoHasFailedMayRejoin(t *testing.T) {
	q, _ := newQueue(0)
	w := joined(t, q, 1)
	q.Fail(errTest)
	requireGrant(t, w[0], Grant{Err: errTest})
	require.Equal(t, Joined, q.Join(w[0]))
	requireOrder(t, q, w[0])
}

func TestCloseWakesEachOnceAndLetsNobodyIn(t *testing.T) {
	q, gate := newQueue(0)
	w := joined(t, q, 3)
	granted := q.Match(anything)
	for range 2 {
		q.Close(errTest)
		require.Equal(t, Closed, gate.Load())
		require.Zero(t, q.Len())
		require.Equal(t, Refused, q.Join(newWaiter(9)))
		require.Equal(t, Refused, q.Join(granted), "nor one whose grant was bad")
		require.Nil(t, q.Match(never(t)))
	}
	requireAsleep(t, w[0])
	requireGrant(t, w[1], Grant{Err: errTest})
	requireGrant(t, w[2], Grant{Err: errTest})
}

func TestClosedIsSaidBeforeFull(t *testing.T) {
	q, gate := newQueue(1)
	joined(t, q, 1)
	q.mu.Lock()
	gate.Set(Closed, true) // and those who wait have not been failed yet
	q.mu.Unlock()
	require.Equal(t, Refused, q.Join(newWaiter(1)))
}

// The joiner has begun to join, and waits for the queue's lock, when the queue is
// closed: had it looked for closed before, it would sleep for ever.
func TestNobodyJoinsBehindClosesBack(t *testing.T) {
	q, gate := newQueue(0)
	outcome := make(chan Outcome, 1)
	q.mu.Lock()
	go func() { outcome <- q.Join(newWaiter(0)) }()
	awaitBlocked(`(?s)goroutine \d+ \[sync\.Mutex\.Lock[^\]]*\]:\n.*waitq\.\(\*Queue\)\.Join`)
	gate.Set(Closed, true)
	q.mu.Unlock()
	require.Equal(t, Refused, <-outcome)
}

// awaitBlocked returns once the stack of a goroutine matches.
func awaitBlocked(stack string) {
	pattern := regexp.MustCompile(stack)
	for buf := make([]byte, 1<<16); ; runtime.Gosched() {
		for _, one := range regexp.MustCompile(`\n\n`).Split(string(buf[:runtime.Stack(buf, true)]), -1) {
			if pattern.MatchString(one) {
				return
			}
		}
	}
}

// The waiters have channels without room, so that Close cannot go on to the
// second before the first has looked.
func TestTheQueueIsClosedBeforeAnybodyIsFailed(t *testing.T) {
	q, gate := newQueue(0)
	w := joined(t, q, 2)
	w[0].ready, w[1].ready = make(chan struct{}), make(chan struct{})
	go q.Close(errTest)
	for i := range w {
		<-w[i].Ready()
		require.Equal(t, Closed, gate.Load())
		require.Equal(t, Refused, q.Join(newWaiter(2)))
	}
}

func TestWhoeverJoinsIsRefusedOrFailedByClose(t *testing.T) {
	for range 200 {
		q, gate := newQueue(0)
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				w := newWaiter(0)
				if q.Join(w) == Joined {
					<-w.Ready() // nobody but Close can end this
				}
			})
		}
		group.Go(func() { q.Close(errTest) })
		group.Wait()
		require.Zero(t, q.Len())
		require.Equal(t, Closed, gate.Load())
	}
}

// until returns a waiter that has joined with a limit, or without one: 0.
func until(q *Queue, limit time.Duration) *Waiter {
	w := newWaiter(0)
	w.Limited, w.Until = limit != 0, limit
	q.Join(w)
	return w
}

func TestExpireWakesThoseWhoseTimeHasComeOnce(t *testing.T) {
	for _, c := range []struct {
		promise string
		limits  []time.Duration
		expired []int
		next    time.Duration // 0: none
	}{
		{"nobody waits", nil, nil, 0},
		{"nobody's time has come", []time.Duration{11, 12}, nil, 11},
		{"exactly on time", []time.Duration{10, 11}, []int{0}, 11},
		{"everybody's", []time.Duration{8, 9, 10}, []int{0, 1, 2}, 0},
		{"those who joined later wait for their own", []time.Duration{9, 10, 11, 12}, []int{0, 1}, 11},
		{"the unlimited are passed over", []time.Duration{0, 9, 0, 10, 0, 12, 13}, []int{1, 3}, 12},
		{"only unlimited", []time.Duration{0, 0}, nil, 0},
		{"a time before the epoch", []time.Duration{-5, 12}, []int{0}, 12},
	} {
		t.Run(c.promise, func(t *testing.T) {
			q, gate := newQueue(0)
			var all, left []*Waiter
			for _, limit := range c.limits {
				all = append(all, until(q, limit))
			}
			next, ok := q.Expire(10, errTest)
			require.Equal(t, c.next != 0, ok)
			require.Equal(t, c.next, next)
			expired := map[*Waiter]bool{}
			for _, i := range c.expired {
				requireGrant(t, all[i], Grant{Err: errTest})
				require.False(t, q.Leave(all[i]))
				expired[all[i]] = true
			}
			for _, w := range all {
				if !expired[w] {
					requireAsleep(t, w)
					left = append(left, w)
				}
			}
			require.Equal(t, len(left) > 0, gate.Load()&Waiting != 0)
			requireOrder(t, q, left...)
		})
	}
}

func TestExpireMayBeAskedAgainForTheTimeItReturned(t *testing.T) {
	q, _ := newQueue(0)
	w := []*Waiter{until(q, 3), until(q, 0), until(q, 5), until(q, 8)}
	next, ok := time.Duration(0), true
	var times []time.Duration
	for next, ok = q.Expire(next, errTest); ok; next, ok = q.Expire(next, errTest) {
		times = append(times, next)
	}
	require.Equal(t, []time.Duration{3, 5, 8}, times)
	requireOrder(t, q, w[1])
}

func TestALimitWorksWhileThePoolIsPaused(t *testing.T) {
	q, gate := newQueue(0)
	q.Pause(true)
	w := until(q, 3)
	_, ok := q.Expire(3, errTest)
	require.False(t, ok)
	requireGrant(t, w, Grant{Err: errTest})
	require.Equal(t, Paused, gate.Load())
}
