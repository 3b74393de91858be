package connpool

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFault44_CloseWithALeakedConnectionAndAWaiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.LeakStacks, c.Name = 1, StacksAlways, "orders" })
		leaked := acquire(t, p)
		waiter := begin(t.Context(), p)
		synctest.Wait()
		began := time.Now()
		require.NoError(t, p.Close())
		require.ErrorIs(t, waiter.fails(t), ErrClosed)
		require.NotErrorIs(t, waiter.err, context.DeadlineExceeded)
		err := p.Shutdown(within(t, time.Second))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Contains(t, err.Error(), "fixtures_test.go")
		require.Equal(t, time.Second, time.Since(began))
		require.NotPanics(t, func() { leaked.Conn() }, "whoever has it may finish")

		leaked.Release()
		require.NoError(t, p.Shutdown(t.Context()))
		require.EqualValues(t, 1, f.closes.Load())
		require.NoError(t, p.Close())
	})
}

func TestFault45_CloseWhileDialling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		f.hang()
		waiters := beginN(t.Context(), p, 3)
		require.NoError(t, p.Close())
		for _, a := range waiters {
			require.ErrorIs(t, a.fails(t), ErrClosed)
		}
		dials := f.dials.Load()
		f.unhang()
		require.NoError(t, p.Shutdown(t.Context()))
		require.Equal(t, f.opens.Load(), f.closes.Load())
		require.Equal(t, dials, f.dials.Load(), "a closed pool dials nothing")
		_, err := p.Acquire(t.Context())
		require.ErrorIs(t, err, ErrClosed)
		_, err = p.TryAcquire(t.Context())
		require.ErrorIs(t, err, ErrClosed)
		require.Empty(t, p.AcquireIdle())
	})
}

func TestCloseCancelsDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		f.delayBy(time.Hour)
		waiter := begin(t.Context(), p)
		synctest.Wait()
		began := time.Now()
		p.Close()
		require.ErrorIs(t, waiter.fails(t), ErrClosed)
		require.NoError(t, p.Shutdown(t.Context()))
		require.Zero(t, time.Since(began))
		require.Zero(t, p.Stats().ConnectErrors, "a dial that was called off has not failed")
	})
}

func TestFault46_RetireWhileDialling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize = 4 })
		idle := acquireN(t, p, 3)
		f.hang()
		p.TryAcquire(t.Context()) // a dial that nobody waits for
		synctest.Wait()
		release(idle[:2]...)
		p.Retire()
		f.unhang()
		idle[2].Release()
		synctest.Wait()
		require.Zero(t, p.Stats().Idle)
		require.EqualValues(t, 4, p.Stats().Closes[ClosedRetired])
		lease := acquire(t, p)
		require.EqualValues(t, 5, lease.Conn().id)
		lease.Release()
	})
}

func TestFault47_ResizeBelowWhatIsLentAndGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, only(6))
		held := acquireN(t, p, 6)
		require.NoError(t, p.Resize(2))
		waiters := beginN(t.Context(), p, 6)
		release(held...)
		synctest.Wait()
		require.Equal(t, 2, p.Stats().Size)
		require.Equal(t, 4, p.Stats().Waiting)
		require.NoError(t, p.Resize(5))
		synctest.Wait()
		require.Equal(t, 1, p.Stats().Waiting, "a growth by three wakes three")
		for _, a := range waiters {
			a.get(t).Release()
		}
		require.Error(t, p.Resize(0))
		require.Error(t, p.Resize(-1))
		require.Error(t, p.Resize(LargestMaxSize+1))
		requireFull(t, p, 5)
	})
}

func TestAcquireIdleOpensNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // nobody else acquires
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize = 5 })
		acquire(t, p).Release()
		for range 4 {
			for _, lease := range p.AcquireIdle() {
				lease.Release()
			}
			synctest.Wait()
		}
		require.EqualValues(t, 1, f.dials.Load())
	})
}

func TestAcquireIdleTakesEverythingIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize = 4
			c.Check = func(context.Context, *fakeConn) error { t.Error("checked"); return nil }
			c.CheckInterval = -1
			c.Alive = func(*fakeConn) error { return ErrUnsure }
		})
		release(acquireN(t, p, 4)...)
		time.Sleep(time.Minute)
		leases := p.AcquireIdle()
		require.Len(t, leases, 4)
		require.Empty(t, p.AcquireIdle())
		release(leases...)
	})
}
