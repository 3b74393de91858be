package keyed

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
)

func TestShutdownWaitsForTheLeasesOfAllKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		a, b := acquire(t, p, "a"), acquire(t, p, "b")
		acquire(t, p, "idle").Release()
		done := make(chan error)
		go func() { done <- p.Shutdown(context.Background()) }()
		synctest.Wait()
		require.EqualValues(t, 2, f.total.now(), "what was idle is closed")
		a.Conn().use("a", 0)
		a.Release()
		synctest.Wait()
		require.Empty(t, done)
		b.Release()
		require.NoError(t, <-done)
		require.Zero(t, f.total.now())
	})
}

func TestShutdownThatRunsOutOfTimeNamesTheHoldersAndMayBeCalledAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[string, *fakeConn]) {
			c.Name = "shards"
			describe := c.For
			c.For = func(key string) (connpool.Config[*fakeConn], error) {
				c, err := describe(key)
				c.LeakStacks = connpool.StacksAlways
				return c, err
			}
		})
		var held []connpool.Lease[*fakeConn]
		for i := range 7 {
			acquire(t, p, fmt.Sprint(i)).Release() // else the first lease has waited, with another stack
			held = append(held, acquire(t, p, fmt.Sprint(i)))
		}
		began := time.Now()
		err := p.Shutdown(within(t, time.Second))
		require.Equal(t, time.Second, time.Since(began))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, `keyed "shards": 7 keys not shut down: connpool "`)
		require.ErrorContains(t, err, "keyed.acquire (fixtures_test.go:", "the caller, and not the adapter")
		require.ErrorContains(t, err, "; and 2 more")
		release(held...)
		require.NoError(t, p.Shutdown(t.Context()))
		require.NoError(t, p.Shutdown(over), "nothing is left to wait for")
	})
}

func TestCloseEndsWaitsAndRefusesAllKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, limits(1, 1))
		held := acquire(t, p, "k")
		waits := make(chan error)
		for _, key := range []string{"k", "other"} { // for the key's own, and for MaxTotal
			go func() { _, err := p.Acquire(context.Background(), key); waits <- err }()
		}
		synctest.Wait()
		began := time.Now()
		require.NoError(t, p.Close())
		require.NoError(t, p.Close())
		for range 2 {
			require.ErrorIs(t, <-waits, connpool.ErrClosed)
		}
		for _, key := range []string{"k", "other", "new"} {
			_, err := p.Acquire(context.Background(), key)
			require.ErrorIs(t, err, connpool.ErrClosed)
			_, err = p.TryAcquire(context.Background(), key)
			require.ErrorIs(t, err, connpool.ErrClosed)
			err = p.Do(context.Background(), key, func(context.Context, *fakeConn) error { t.Error("called"); return nil })
			require.ErrorIs(t, err, connpool.ErrClosed)
		}
		require.Zero(t, time.Since(began))
		held.Conn().use("k", 0)
		held.Release()
	})
}

func TestCloseWhileForRunsLeavesNothingOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		describe, hang := p.cfg.For, make(chan struct{})
		p.cfg.For = func(key string) (connpool.Config[*fakeConn], error) {
			<-hang
			c, err := describe(key)
			c.MinSize = 2
			return c, err
		}
		waits := make(chan error)
		go func() { _, err := p.Acquire(context.Background(), "k"); waits <- err }()
		synctest.Wait()
		p.Close()
		require.ErrorIs(t, <-waits, connpool.ErrClosed, "at once")
		require.ErrorIs(t, p.Shutdown(within(t, time.Second)), errPending)

		close(hang)
		synctest.Wait()
		require.EqualValues(t, 1, f.fors.Load())
		require.Zero(t, f.total.now(), "closed without a Shutdown too")
		require.NoError(t, p.Shutdown(t.Context()))
		_, err := p.Acquire(t.Context(), "k")
		require.ErrorIs(t, err, connpool.ErrClosed)
	})
}

func TestRetireReplacesTheConnectionsOfOneKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		held := acquire(t, p, "k")
		acquire(t, p, "other").Release()
		p.Retire("k")
		p.Retire("unknown")
		old := held.Conn()
		held.Release()
		synctest.Wait()
		require.True(t, old.closed.Load())
		acquire(t, p, "k").Release()
		require.EqualValues(t, 2, f.at("k").dials.Load())
		require.EqualValues(t, 1, f.at("other").slots.now())
		require.EqualValues(t, 2, f.fors.Load(), "the pool is the same")

		p.RetireAll()
		synctest.Wait()
		require.Zero(t, f.total.now())
	})
}

// A key may be retired just when it is made: what its MinSize has opened by then
// is not lent.
func TestRetireReachesAPoolThatIsBeingMade(t *testing.T) {
	for name, retire := range map[string]func(*Pool[string, *fakeConn]){
		"Retire":    func(p *Pool[string, *fakeConn]) { p.Retire("k") },
		"RetireAll": func(p *Pool[string, *fakeConn]) { p.RetireAll() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, f := newPool(t, nil)
				cfg, err := f.describe("k")
				require.NoError(t, err)
				cfg.MinSize = 1
				m := &making[*fakeConn]{done: make(chan struct{})}
				p.mu.making["k"] = m
				pool, err := p.open(cfg)
				require.NoError(t, err)
				synctest.Wait()
				require.EqualValues(t, 1, f.at("k").slots.now())
				retire(p)
				p.finish("k", m, pool, nil)
				acquire(t, p, "k").Release()
				synctest.Wait()
				require.EqualValues(t, 1, pool.Stats().Closes[connpool.ClosedRetired])
			})
		})
	}
}

// TestFault105_SettledWaitsForTheClosesOfAllKeys: a close takes a second.
func TestFault105_SettledWaitsForTheClosesOfAllKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[string, *fakeConn]) {
			describe := c.For
			c.For = func(key string) (connpool.Config[*fakeConn], error) {
				cfg, err := describe(key)
				shut := cfg.Close
				cfg.Close = func(ctx context.Context, conn *fakeConn) error {
					time.Sleep(time.Second)
					return shut(ctx, conn)
				}
				return cfg, err
			}
		})
		for _, key := range []string{"a", "b"} {
			release(acquireN(t, p, key, 3)...)
		}
		p.RetireAll()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		require.ErrorIs(t, p.Settled(ctx), context.DeadlineExceeded)
		require.NoError(t, p.Settled(t.Context()))
		require.Zero(t, p.Stats().Size)
	})
}

// TestFault74_ALeakOfOneKeyHasThoseOfTheOthersNamed: each key loses one lease, those
// that were there before it and those that come later.
func TestFault74_ALeakOfOneKeyHasThoseOfTheOthersNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leaks := make(chan connpool.Leak, 10)
		p, _ := newPool(t, func(c *Config[string, *fakeConn]) {
			limits(100, 10)(c)
			describe := c.For
			c.For = func(key string) (connpool.Config[*fakeConn], error) {
				cfg, err := describe(key)
				cfg.OnLeak = func(leak connpool.Leak) { leaks <- leak }
				return cfg, err
			}
		})
		for _, key := range []string{"first", "second"} {
			release(acquireN(t, p, key, 8)...)
		}
		lost := []connpool.Lease[*fakeConn]{acquire(t, p, "first")}
		require.Empty(t, (<-leaks).Caller)
		release(acquireN(t, p, "third", 8)...)
		for _, key := range []string{"second", "third"} {
			lost = append(lost, acquire(t, p, key))
			require.Contains(t, (<-leaks).Caller, "keyed.acquire (fixtures_test.go:")
		}
		release(lost...)
	})
}
