package connpool

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// probe asks Ready within a second, and returns what it says and how long it took.
func probe(t *testing.T, p *Pool[*fakeConn]) (error, time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	began := time.Now()
	err := p.Ready(ctx)
	var failed *AcquireError
	require.True(t, err == nil || errors.As(err, &failed), "%T", err)
	return err, time.Since(began)
}

// TestFault81_ReadyFindsOutAboutANewPool: the probe is alone.
func TestFault81_ReadyFindsOutAboutANewPool(t *testing.T) {
	for _, maxIdle := range []int{0, 3, -1} {
		synctest.Test(t, func(t *testing.T) {
			p, f := newPool(t, func(c *Config[*fakeConn]) { c.MaxIdle = maxIdle })
			f.delayBy(100 * time.Millisecond)
			err, took := probe(t, p)
			require.NoError(t, err)
			require.Equal(t, 100*time.Millisecond, took)

			f.failWith(errRefused)
			p.Retire()
			synctest.Wait()
			err, took = probe(t, p)
			require.ErrorIs(t, err, errRefused)
			require.LessOrEqual(t, took, time.Second)
		})
	}
}

// TestFault81_ReadyIsToldOfAServerThatHangs: the probe is alone.
func TestFault81_ReadyIsToldOfAServerThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		f.delayBy(time.Hour)
		err, took := probe(t, p)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, took)
	})
}

// TestFault81_ReadyDoesNotQueueBehindTraffic: everything is in use, and many wait.
func TestFault81_ReadyDoesNotQueueBehindTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, only(2))
		leases := acquireN(t, p, 2)
		waiting := beginN(t.Context(), p, 10)
		for range 5 { // just lent, and held for long
			err, took := probe(t, p)
			require.NoError(t, err)
			require.Zero(t, took)
			time.Sleep(3 * time.Second)
		}
		release(leases...)
		for _, a := range waiting {
			a.get(t).Release()
		}
	})
}

// TestFault81_ReadyKnowsAnOutageAndSeesItEnd: nobody is there but the probe, which
// comes every ten seconds.
func TestFault81_ReadyKnowsAnOutageAndSeesItEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		f.failWith(errRefused)
		acquireFails(t.Context(), p)
		for range 30 {
			err, took := probe(t, p)
			require.ErrorIs(t, err, errRefused)
			require.Zero(t, took, "what is known is said at once")
			require.Contains(t, err.Error(), "cannot connect")
			time.Sleep(10 * time.Second)
		}
		f.failWith(nil)
		time.Sleep(10 * time.Second)
		probe(t, p)
		time.Sleep(10 * time.Second)
		err, _ := probe(t, p)
		require.NoError(t, err)
	})
}

// TestFault81_ReadyHasADeadIdleConnectionFoundOut: the pool has had no traffic for a
// while, and nobody has noticed yet that the server is gone.
func TestFault81_ReadyHasADeadIdleConnectionFoundOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gone atomic.Bool
		p, f := newPool(t, func(c *Config[*fakeConn]) {
			c.Check = func(context.Context, *fakeConn) error {
				if gone.Load() {
					return io.EOF
				}
				return nil
			}
			c.CheckInterval = time.Hour
		})
		acquire(t, p).Release()
		time.Sleep(20 * time.Second)
		err, _ := probe(t, p)
		require.NoError(t, err)
		time.Sleep(20 * time.Second)
		gone.Store(true)
		f.failWith(errRefused)
		err, _ = probe(t, p)
		require.ErrorIs(t, err, errRefused)
	})
}

// TestFault81_ALeaseHeldForLongProvesNothing: a listener holds one for hours, and the
// server has been gone for as long.
func TestFault81_ALeaseHeldForLongProvesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		lease := acquire(t, p)
		lease.KeepLong()
		time.Sleep(time.Hour)
		f.failWith(errRefused)
		err, _ := probe(t, p)
		require.ErrorIs(t, err, errRefused)
		lease.Release()
	})
}

func TestFault81_ReadySaysThatThePoolIsPausedOrClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.Name, c.Paused = "orders", true })
		err, took := probe(t, p)
		require.ErrorIs(t, err, ErrPaused)
		require.Equal(t, `connpool "orders": pool is paused`, err.Error())
		require.Zero(t, took)
		require.Zero(t, f.dials.Load())
		p.Resume()
		err, _ = probe(t, p)
		require.NoError(t, err)
		p.Close()
		err, _ = probe(t, p)
		require.ErrorIs(t, err, ErrClosed)
		require.Panics(t, func() { p.Ready(nil) })
	})
}

// Settled

// TestFault105_SettledWaitsForWhatIsBeingClosed, however it came to that: the
// closes take an hour, and nothing else does.
func TestFault105_SettledWaitsForWhatIsBeingClosed(t *testing.T) {
	slow := func(context.Context, *fakeConn) error { time.Sleep(time.Hour); return nil }
	for name, tc := range map[string]struct {
		edit func(*Config[*fakeConn])
		do   func(t *testing.T, p *Pool[*fakeConn])
		open int // afterwards
		took time.Duration
	}{
		"Retire":  {nil, func(t *testing.T, p *Pool[*fakeConn]) { p.Retire() }, 0, time.Hour},
		"Resize":  {nil, func(t *testing.T, p *Pool[*fakeConn]) { require.NoError(t, p.Resize(1)) }, 1, time.Hour},
		"Discard": {nil, func(t *testing.T, p *Pool[*fakeConn]) { acquire(t, p).Discard(nil) }, 1, time.Hour},
		"MaxIdle": {func(c *Config[*fakeConn]) { c.MaxIdle = 1 },
			func(t *testing.T, p *Pool[*fakeConn]) { release(acquireN(t, p, 2)...) }, 1, time.Hour},
		"Close": {nil, func(t *testing.T, p *Pool[*fakeConn]) { p.Close() }, 0, time.Hour},
		"a reset": {func(c *Config[*fakeConn]) { c.Reset = slow },
			func(t *testing.T, p *Pool[*fakeConn]) { acquire(t, p).Release() }, 2, time.Hour},
		"a reset of what is retired": {func(c *Config[*fakeConn]) { c.Reset = slow },
			func(t *testing.T, p *Pool[*fakeConn]) { acquire(t, p).Release(); p.Retire() }, 0, 2 * time.Hour},
		"a check": {func(c *Config[*fakeConn]) { c.Check = slow },
			func(t *testing.T, p *Pool[*fakeConn]) { time.Sleep(time.Minute); p.TryAcquire(t.Context()) }, 2, time.Hour},
		"nothing": {nil, func(t *testing.T, p *Pool[*fakeConn]) {}, 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, _ := newPool(t, func(c *Config[*fakeConn]) {
					c.MaxSize, c.CloseTimeout, c.CheckTimeout, c.LeakThreshold = 2, -1, -1, -1
					c.IdleTimeout, c.MaxLifetime, c.CheckInterval = -1, -1, -1
					shut := c.Close
					c.Close = func(ctx context.Context, conn *fakeConn) error {
						time.Sleep(time.Hour)
						return shut(ctx, conn)
					}
					if tc.edit != nil {
						tc.edit(c)
					}
				})
				release(acquireN(t, p, 2)...)
				require.NoError(t, p.Settled(t.Context()))
				if name == "MaxIdle" {
					require.NoError(t, p.Warm(t.Context()))
				}
				tc.do(t, p)
				began := time.Now()
				require.NoError(t, p.Settled(t.Context()))
				require.Equal(t, tc.took, time.Since(began))
				require.Equal(t, tc.open, p.Stats().Size)
				shutdownLater(t, p)
			})
		})
	}
}

// shutdownLater gives the pool more time than newPool's clean-up does.
func shutdownLater(t *testing.T, p *Pool[*fakeConn]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 24*time.Hour)
	defer cancel()
	require.NoError(t, p.Shutdown(ctx))
}

// TestFault105_SettledDoesNotWaitForWhatComesLater: there is always something being
// closed, and something leased.
func TestFault105_SettledDoesNotWaitForWhatComesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize, c.CloseTimeout = 4, -1
			shut := c.Close
			c.Close = func(ctx context.Context, conn *fakeConn) error {
				time.Sleep(time.Second)
				return shut(ctx, conn)
			}
		})
		held := acquire(t, p)
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				select {
				case <-stop:
					return
				case <-time.After(300 * time.Millisecond):
					acquire(t, p).Discard(nil)
				}
			}
		}()
		for range 10 {
			time.Sleep(700 * time.Millisecond)
			began := time.Now()
			require.NoError(t, p.Settled(t.Context()))
			require.LessOrEqual(t, time.Since(began), time.Second)
		}
		close(stop)
		<-stopped
		held.Release()
	})
}

func TestFault105_SettledEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.Name, c.CloseTimeout = "orders", 5*time.Second
			shut := c.Close
			c.Close = func(ctx context.Context, conn *fakeConn) error {
				time.Sleep(time.Minute)
				return shut(ctx, conn)
			}
		})
		acquire(t, p).Discard(nil)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, io.ErrNoProgress)
		defer cancel()
		err := p.Settled(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, io.ErrNoProgress)
		require.ErrorContains(t, err, `connpool "orders": not settled: `)
		require.ErrorContains(t, err, "1 being closed")
		require.NoError(t, p.Settled(t.Context()), "a Close that hangs is given up")
		require.Panics(t, func() { p.Settled(nil) })
		require.Zero(t, p.gate.Load())
		time.Sleep(time.Minute)
	})
}
