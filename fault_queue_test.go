package connpool

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFault04_ReleaseVersusEnqueue(t *testing.T) {
	// No bubble: in each round one real goroutine releases the only connection
	// while another asks for it, a little earlier or later each time, so that the
	// one is anywhere between "nothing idle" and "join" while the other is anywhere
	// between "push" and "look". Nobody else comes by and wakes a sleeper by
	// accident; one that was overlooked ends in the queue's time-out.
	p, _ := newPool(t, func(c *Config[*fakeConn]) {
		c.MaxSize, c.AcquireTimeout, c.LeakStacks = 1, 20*time.Second, StacksNever
		c.LeakThreshold, c.IdleTimeout, c.MaxLifetime = -1, -1, -1
	})
	require.Equal(t, time.Minute, p.period, "the sweep must not come by either")
	lease := acquire(t, p)
	lease.Release()
	lease = acquire(t, p)

	defer crowdThreads()()

	var round atomic.Int64 // even: the acquirer is at work, odd: both start
	rounds := int64(rounds(300_000))
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := int64(1); i < 2*rounds; i += 2 {
			await(&round, i)
			spin(int(i / 2 % 61))
			lease.Release()
			await(&round, i+1)
		}
	})
	wg.Go(func() {
		for i := int64(1); i < 2*rounds; i += 2 {
			round.Store(i)
			spin(int(i / 2 % 67))
			next, err := p.Acquire(context.Background())
			if err != nil {
				t.Error(err)
				round.Store(2 * rounds)
				return
			}
			lease = next
			round.Store(i + 1)
		}
	})
	wg.Wait()
	lease.Release()
}

// crowdThreads makes more threads than there are processors compete for them, so that
// the kernel stops a thread anywhere, also between two instructions of a release.
// The function that it returns ends that.
func crowdThreads() (end func()) {
	before := runtime.GOMAXPROCS(4 * runtime.NumCPU())
	var over atomic.Bool
	for range runtime.NumCPU() {
		go func() {
			for !over.Load() {
			}
		}()
	}
	return func() {
		over.Store(true)
		runtime.GOMAXPROCS(before)
	}
}

// await waits, busily, until the round has come.
func await(round *atomic.Int64, i int64) {
	for n := 0; round.Load() < i; n++ {
		if n%100 == 99 {
			runtime.Gosched()
		}
	}
}

var spun atomic.Int64

func spin(n int) {
	for range n {
		spun.Load()
	}
}

func TestFault05_ACancelAndAReleaseAtOnceKeepTheCapacity(t *testing.T) {
	// As seam 3, with real goroutines and whatever order they come in.
	p, _ := newPool(t, only(1))
	for range 500 {
		held := acquire(t, p)
		ctx, cancel := context.WithCancel(t.Context())
		waiter := begin(ctx, p)
		for p.Stats().Waiting == 0 {
			runtime.Gosched()
		}
		go cancel()
		go held.Release()
		<-waiter.done
		waiter.lease.Release()
		again, err := p.Acquire(t.Context())
		require.NoError(t, err)
		again.Release()
	}
}

func TestFault06_WaitersAreServedInTheOrderTheyCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, only(2))
		held := acquireN(t, p, 2)
		waiters := beginN(t.Context(), p, 50)
		release(held...)
		for i, a := range waiters {
			lease := a.get(t)
			if i+2 < len(waiters) {
				require.False(t, waiters[i+2].isDone(), "waiter %d was served before its turn", i+2)
			}
			lease.Release()
		}
	})
}

func TestFault07_ACancelledWaiterIsGoneAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, only(1))
		held := acquire(t, p)
		began := time.Now()
		_, err := p.Acquire(within(t, 123*time.Millisecond))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 123*time.Millisecond, time.Since(began))
		require.Zero(t, p.Stats().Waiting)
		held.Release()
	})
}

func TestFault08_FiftyThousandWaitersAreCancelledAndServed(t *testing.T) {
	p, _ := newPool(t, only(1))
	held := acquire(t, p)
	const n = 50_000
	ctx, cancel := context.WithCancel(t.Context())
	var canceled, served atomic.Int64
	var wg sync.WaitGroup
	join := func(ctx context.Context) {
		wg.Go(func() {
			lease, err := p.Acquire(ctx)
			if err != nil {
				canceled.Add(1)
				return
			}
			served.Add(1)
			lease.Release()
		})
	}
	for range n / 2 {
		join(ctx)
		join(t.Context())
	}
	for p.Stats().Waiting < n {
		runtime.Gosched()
	}
	cancel()
	for p.Stats().Waiting > n/2 {
		runtime.Gosched()
	}
	held.Release()
	wg.Wait()
	require.EqualValues(t, n/2, canceled.Load())
	require.EqualValues(t, n/2, served.Load())
	require.Zero(t, p.Stats().Waiting)
}

func TestFault09_AnArrivalQueuesBehindThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, only(1))
		held := acquire(t, p)
		waiter := begin(t.Context(), p)
		synctest.Wait()
		held.Release() // granted, though the waiter has not run yet
		_, err := p.TryAcquire(t.Context())
		require.ErrorIs(t, err, ErrNoneIdle)
		arrival := begin(t.Context(), p)
		lease := waiter.get(t)
		require.False(t, arrival.isDone())
		lease.Release()
		arrival.get(t).Release()
	})
}

// A waiter whose connection turns out dead keeps its place.
func TestABadGrantSendsItsWaiterBackToTheHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead atomic.Int64
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize = 1
			c.Alive = func(conn *fakeConn) error {
				if conn.id == dead.Load() {
					return ErrBadConn
				}
				return nil
			}
		})
		held := acquire(t, p)
		waiters := beginN(t.Context(), p, 2)
		dead.Store(1)
		held.Release()
		lease := waiters[0].get(t)
		require.EqualValues(t, 2, lease.Conn().id)
		require.False(t, waiters[1].isDone())
		lease.Release()
		waiters[1].get(t).Release()
		require.EqualValues(t, 1, p.Stats().Closes[ClosedCheck])
		require.EqualValues(t, 3, p.Stats().Acquires)
	})
}

func TestMaxWaitingRefusesOneMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.MaxWaiting = 1, 2 })
		held := acquire(t, p)
		waiters := beginN(t.Context(), p, 2)
		_, err := p.Acquire(t.Context())
		require.ErrorIs(t, err, ErrQueueFull)
		held.Release()
		waiters[0].get(t).Release()
		waiters[1].get(t).Release()
	})
}

func TestAcquireTimeoutBoundsEachWaitByItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.AcquireTimeout = 1, 100*time.Millisecond })
		held := acquire(t, p)
		first := begin(t.Context(), p)
		time.Sleep(60 * time.Millisecond)
		second := begin(t.Context(), p)
		time.Sleep(40 * time.Millisecond)
		require.ErrorIs(t, first.fails(t), context.DeadlineExceeded)
		require.ErrorIs(t, first.err, ErrExhausted)
		require.False(t, second.isDone())
		time.Sleep(60 * time.Millisecond)
		require.ErrorIs(t, second.fails(t), context.DeadlineExceeded)
		held.Release()
		require.EqualValues(t, 2, p.Stats().Timeouts)
	})
}

func TestAcquireTimeoutIsThirtySecondsOnlyWithoutADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, only(1))
		held := acquire(t, p)
		began := time.Now()
		_, err := p.Acquire(t.Context())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 30*time.Second, time.Since(began))
		_, err = p.Acquire(within(t, time.Hour))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Hour+30*time.Second, time.Since(began))
		held.Release()
	})
}
