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
	// No bubble: real goroutines race for one connection, so that each acquire is
	// decided between "nothing idle" and "join". One lost wake-up ends in the
	// queue's time-out.
	p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.AcquireTimeout = 1, time.Minute })
	rounds := 200_000
	if testing.Short() {
		rounds = 20_000
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for range rounds {
				lease, err := p.Acquire(context.Background())
				if err != nil {
					t.Error(err)
					return
				}
				lease.Release()
			}
		})
	}
	wg.Wait()
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
