package connpool

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// In these tests nothing runs but the dials and those who wait for them, and
// time passes only while all of them sleep.

func TestWarmOpensTheMinimumsAndAtLeastOne(t *testing.T) {
	for _, tc := range []struct{ minSize, minIdle, opens int }{
		{0, 0, 1}, {3, 0, 3}, {0, 3, 3}, {2, 5, 5}, {5, 2, 5}, {10, 10, 10},
	} {
		t.Run(fmt.Sprint(tc.minSize, tc.minIdle), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, f := newPool(t, func(c *Config[*fakeConn]) { c.MinSize, c.MinIdle = tc.minSize, tc.minIdle })
				f.delayBy(time.Second)
				require.NoError(t, p.Warm(t.Context()))
				synctest.Wait()
				require.Equal(t, tc.opens, p.Stats().Idle)
				require.EqualValues(t, tc.opens, f.opens.Load())
				require.Zero(t, p.Stats().Waits, "nobody has acquired anything")
			})
		})
	}
}

func TestWarmDialsWithinTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.MinSize, c.MaxConnecting = 20, 20, 4 })
		f.delayBy(time.Second)
		began := time.Now()
		require.NoError(t, p.Warm(t.Context()))
		require.EqualValues(t, 4, f.dialling.peak())
		require.Less(t, time.Since(began), 10*time.Second, "2 and then 4 at a time")
	})
}

func TestWarmOfAWarmPoolReturnsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.MinSize = 2 })
		require.NoError(t, p.Warm(t.Context()))
		f.failWith(errRefused)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, p.Warm(ended))
		require.EqualValues(t, 2, f.dials.Load())
	})
}

func TestWarmCountsWhatIsLent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, only(3))
		leases := acquireN(t, p, 2)
		require.NoError(t, p.Warm(t.Context()))
		require.EqualValues(t, 2, f.dials.Load())
		release(leases...)
	})
}

func TestAfterWarmTheFirstAcquireDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		require.NoError(t, p.Warm(t.Context()))
		f.delayBy(time.Minute)
		acquire(t, p).Release()
		require.Zero(t, p.Stats().Waits)
	})
}

func TestWarmReturnsTheFirstConnectError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.Name, c.MinSize = "orders", 3 })
		f.delayBy(time.Second)
		f.failWith(errRefused)
		began := time.Now()
		err := p.Warm(t.Context())
		require.Equal(t, time.Second, time.Since(began), "without waiting for DownAfter")
		var failed *AcquireError
		require.ErrorAs(t, err, &failed)
		require.ErrorIs(t, err, errRefused)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, StageConnect, failed.Stage)
		require.Equal(t, `connpool "orders": cannot connect: connection refused`, err.Error())

		f.failWith(nil)
		synctest.Wait() // for the other dial, which fails at the same moment
		require.NoError(t, p.Warm(t.Context()), "it may be tried again")
		require.Equal(t, 3, p.Stats().Size)
	})
}

func TestWarmIsNotFailedByAnErrorBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		f.failWith(errRefused)
		require.Error(t, acquireFails(within(t, time.Nanosecond), p))
		f.failWith(nil)
		require.NoError(t, p.Warm(t.Context()))
	})
}

func TestWarmInAnOutageReturnsTheErrorOfTheNextDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		f.failWith(errors.New("an old error"))
		acquireFails(within(t, 10*time.Second), p) // until the server counts as down
		f.failWith(errRefused)
		require.ErrorIs(t, p.Warm(t.Context()), errRefused)
		f.failWith(nil)
		require.NoError(t, p.Warm(t.Context()))
	})
}

func TestWarmEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.ConnectTimeout = -1 })
		f.hang()
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errCause)
		defer cancel()
		began := time.Now()
		err := p.Warm(ctx)
		require.Equal(t, time.Second, time.Since(began))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, errCause)
		require.NotErrorIs(t, err, ErrExhausted)
		var failed *AcquireError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, StageWait, failed.Stage)
		require.Equal(t, time.Second, failed.Waited)

		f.unhang()
		synctest.Wait()
		require.Equal(t, 1, p.Stats().Idle, "its dial goes on")
	})
}

func TestWarmThatHasEndedAsksForNothingMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.BackoffMin, c.BackoffMax, c.DownAfter = time.Second, time.Second, -1 })
		f.delayBy(time.Second)
		require.Error(t, p.Warm(within(t, time.Millisecond)))
		time.Sleep(time.Minute)
		require.EqualValues(t, 1, f.dials.Load())
	})
}

func TestWarmOfAClosedPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		p.Close()
		require.ErrorIs(t, p.Warm(t.Context()), ErrClosed)
		require.Zero(t, f.dials.Load())
	})
}

func TestWarmEndsWhenThePoolIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.MinSize = 5 })
		f.delayBy(time.Second)
		done := make(chan error, 1)
		go func() { done <- p.Warm(t.Context()) }()
		time.Sleep(500 * time.Millisecond)
		require.Empty(t, done)
		p.Close()
		synctest.Wait()
		require.Len(t, done, 1, "at once")
		require.ErrorIs(t, <-done, ErrClosed)
	})
}

func TestConcurrentWarmsShareTheirDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.MinSize = 4 })
		f.delayBy(time.Second)
		done := make(chan error, 10)
		for range cap(done) {
			go func() { done <- p.Warm(t.Context()) }()
		}
		for range cap(done) {
			require.NoError(t, <-done)
		}
		require.EqualValues(t, 4, f.dials.Load())
	})
}

func TestConcurrentWarmsAllGetTheError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFactory(t)
		f.delayBy(time.Second)
		f.failWith(errRefused)
		p := f.newPool(func(c *Config[*fakeConn]) { c.MinSize = 4 }) // which dials at once
		done := make(chan error, 10)
		for range cap(done) {
			go func() { done <- p.Warm(t.Context()) }()
		}
		for range cap(done) {
			require.ErrorIs(t, <-done, errRefused)
		}
	})
}

func TestOneWarmEndingDoesNotEndAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		f.delayBy(time.Minute / 10)
		patient := make(chan error, 1)
		go func() { patient <- p.Warm(t.Context()) }()
		require.ErrorIs(t, p.Warm(within(t, time.Second)), context.DeadlineExceeded)
		require.NoError(t, <-patient)
	})
}

func TestWarmAndCallersShareTheDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		f.delayBy(time.Second)
		a := begin(t.Context(), p)
		synctest.Wait()
		require.NoError(t, p.Warm(t.Context()))
		a.get(t).Release()
		require.EqualValues(t, 1, f.dials.Load(), "what a caller has is warm")
	})
}

func TestWarmOfAPausedPoolWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		p.Pause()
		require.ErrorIs(t, p.Warm(within(t, time.Second)), context.DeadlineExceeded)
		require.Zero(t, f.dials.Load())
		time.AfterFunc(time.Second, p.Resume)
		require.NoError(t, p.Warm(within(t, time.Minute)))
	})
}

func TestWarmOfAPoolThatKeepsNoneIdleDoesNotDialForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.MaxIdle = -1 })
		f.delayBy(time.Millisecond)
		require.NoError(t, p.Warm(within(t, 10*time.Second)), "there is nothing to keep warm")
		time.Sleep(time.Minute)
		require.LessOrEqual(t, f.dials.Load(), int64(1))
	})
}

func TestWarmWaitsForAUnitOfTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shareBudget(t, 1, 2, nil)
		lease := acquire(t, s.pools[0])
		require.ErrorIs(t, s.pools[1].Warm(within(t, time.Second)), context.DeadlineExceeded)
		time.AfterFunc(time.Second, func() { lease.Discard(nil) })
		require.NoError(t, s.pools[1].Warm(within(t, time.Minute)))
		require.Zero(t, s.pools[0].Stats().Size)
	})
}

func TestWarmAfterAResize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.MinSize = 8, 4 })
		require.NoError(t, p.Resize(4))
		require.NoError(t, p.Warm(t.Context()))
		require.Equal(t, 4, p.Stats().Size)
		p.Retire()
		require.NoError(t, p.Warm(t.Context()))
		synctest.Wait()
		require.Equal(t, 4, p.Stats().Idle)
	})
}

func TestFault40_WarmWithANilContextPanics(t *testing.T) {
	p, _ := newPool(t, nil)
	require.PanicsWithValue(t, "connpool: nil context: pass context.Background() if there is none", func() {
		p.Warm(nil) //nolint:staticcheck // that is what is tested
	})
	acquire(t, p).Release()
}
