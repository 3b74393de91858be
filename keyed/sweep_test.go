package keyed

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
)

// removal is when a key that has become empty at 0 is gone at the latest.
const removal = time.Minute * 3 / 2

// dropped has For describe pools that keep no idle connections.
func dropped(c *Config[string, *fakeConn]) {
	describe := c.For
	c.For = func(key string) (connpool.Config[*fakeConn], error) {
		c, err := describe(key)
		c.MaxIdle = -1
		return c, err
	}
}

func TestAKeyGoesOnceItHasHadNoConnectionForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		acquire(t, p, "k").Release()
		time.Sleep(10*time.Minute - time.Second)
		require.Equal(t, 1, p.Stats().Keys, "its connection is idle")
		time.Sleep(5*time.Minute + removal) // IdleTimeout, which may come a quarter late
		require.Equal(t, 0, p.Stats().Keys)
		_, ok := p.KeyStats("k")
		require.False(t, ok)

		acquire(t, p, "k").Release()
		require.EqualValues(t, 2, f.fors.Load(), "a new pool")
	})
}

func TestAKeyStaysWhileItIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, dropped)
		for range 100 {
			acquire(t, p, "k").Release()
			time.Sleep(50 * time.Second)
		}
		require.EqualValues(t, 1, f.fors.Load())
	})
}

func TestAKeyStaysWhileSomethingIsLeasedOrWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[string, *fakeConn]) { limits(1, 1)(c); dropped(c) })
		held := acquire(t, p, "held")
		waited := make(chan connpool.Lease[*fakeConn])
		go func() {
			lease, err := p.Acquire(within(t, 2*time.Hour), "waiting")
			if err != nil {
				t.Error(err)
			}
			waited <- lease
		}()
		time.Sleep(time.Hour)
		require.Equal(t, 2, p.Stats().Keys)
		held.Release()
		(<-waited).Release()
		time.Sleep(removal)
		require.Zero(t, p.Stats().Keys)
	})
}

func TestAKeyStaysWithoutATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[string, *fakeConn]) { c.IdleKeyTimeout = -1; dropped(c) })
		for i := range 200 { // a crowd
			acquire(t, p, fmt.Sprint(i)).Release()
		}
		time.Sleep(24 * time.Hour)
		require.Equal(t, 200, p.Stats().Keys)
	})
}

func TestAKeyWithAMinimumStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, nil)
		describe := p.cfg.For
		p.cfg.For = func(key string) (connpool.Config[*fakeConn], error) {
			c, err := describe(key)
			c.MinSize = 1
			return c, err
		}
		acquire(t, p, "k").Release()
		time.Sleep(24 * time.Hour)
		require.Equal(t, 1, p.Stats().Keys)
	})
}

// A pool whose server is down dials for ever, for nobody; not if nobody comes.
func TestAKeyWhoseServerIsDownGoesToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		f.down("k")
		_, err := p.Acquire(within(t, 5*time.Second), "k")
		require.ErrorIs(t, err, errRefused)
		time.Sleep(removal)
		require.Zero(t, p.Stats().Keys)
		dials := f.at("k").dials.Load()
		time.Sleep(time.Hour)
		require.Equal(t, dials, f.at("k").dials.Load())
	})
}

func TestWhenAllKeysAreGoneNothingIsLeftRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, dropped)
		for i := range 10 {
			acquire(t, p, fmt.Sprint(i)).Release()
		}
		time.Sleep(removal)
		p.mu.Lock()
		defer p.mu.Unlock()
		require.False(t, p.mu.armed, "the sweep")
		require.Zero(t, p.keys.n)
		require.Empty(t, p.mu.leaving)
		require.Len(t, *p.keys.buckets.Load(), fewestBuckets)
	})
}

// 100,000 keys, each used once: by far the most of them are gone before
// IdleKeyTimeout, as there can only be 100 connections, and their memory with
// them.
func TestKeysThatAreUsedOnceDoNotPileUp(t *testing.T) {
	n := 100_000
	if testing.Short() || raceEnabled {
		n = 5_000
	}
	p, _ := newPool(t, dropped)
	goroutines, before, most := runtime.NumGoroutine(), heap(), 0
	for i := range n {
		acquire(t, p, fmt.Sprint(i)).Release()
		if i%1000 == 0 {
			most = max(most, p.Stats().Keys)
		}
	}
	s := p.Stats()
	require.EqualValues(t, n, s.Acquires)
	require.Less(t, most, 2000, "keys at once")
	require.Less(t, int64(heap())-int64(before), int64(32<<20), "bytes")
	require.Less(t, runtime.NumGoroutine(), goroutines+200)
	t.Logf("%d keys at most, %d left, %d KB", most, s.Keys, (int64(heap())-int64(before))/1024)
}

// Callers come just as their keys are removed, all the time: the sweep is run
// again and again and takes whatever is empty. Nobody may hear of it, and the
// caps must hold, which is checked when the test ends.
func TestWhoComesWhileHisKeyIsRemovedGetsAnotherPool(t *testing.T) {
	p, f := newPool(t, func(c *Config[string, *fakeConn]) {
		limits(6, 3)(c)
		c.IdleKeyTimeout = time.Hour // by hand, below
		dropped(c)
	})
	var wg sync.WaitGroup
	var stop = make(chan struct{})
	var sweeper sync.WaitGroup
	sweeper.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			for key, e := range p.keys.all() {
				if !e.look() {
					p.remove(key, e)
				}
			}
			p.settle()
			runtime.Gosched()
		}
	})
	const callers, rounds = 8, 3000
	for i := range callers {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 0))
			for range rounds {
				key := fmt.Sprint(random.IntN(3))
				visit(t, p, key, random.IntN(10))
				if random.IntN(8) == 0 {
					time.Sleep(time.Duration(random.IntN(200)) * time.Microsecond)
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	sweeper.Wait()
	p.settle()
	s := p.Stats()
	t.Logf("%d acquires, %d removals, %d Fors", s.Acquires, s.Removed, f.fors.Load())
	require.NotZero(t, s.Removed, "nothing was tested")
	require.EqualValues(t, f.fors.Load(), s.Removed+uint64(s.Keys))
}

// visit borrows in one way or another; none of them may fail but for its own
// reasons.
func visit(t *testing.T, p *Pool[string, *fakeConn], key string, how int) {
	var err error
	switch how {
	case 0:
		err = p.Do(context.Background(), key, func(_ context.Context, c *fakeConn) error { c.use(key, 0); return nil })
	case 1:
		var lease connpool.Lease[*fakeConn]
		if lease, err = p.TryAcquire(context.Background(), key); err == nil {
			lease.Conn().use(key, 0)
			lease.Release()
		} else if err == connpool.ErrNoneIdle {
			err = nil
		}
	default:
		var lease connpool.Lease[*fakeConn]
		if lease, err = p.Acquire(context.Background(), key); err == nil {
			lease.Conn().use(key, 0)
			lease.Release()
		}
	}
	if err != nil {
		t.Error(err)
	}
}

// The very interleavings, one at a time.

// idleEntry returns the entry of a key that was used once and is empty now.
func idleEntry(t *testing.T, p *Pool[string, *fakeConn], key string) *entry[*fakeConn] {
	acquire(t, p, key).Release()
	synctest.Wait()
	e := p.keys.load(key)
	require.True(t, e.look())
	require.False(t, e.look())
	return e
}

func TestSeam_WhoComesAfterThePoolIsGoneIsServedByTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[string, *fakeConn]) { limits(1, 1)(c); dropped(c) })
		e := idleEntry(t, p, "k")
		e.rest()
		found, err := p.find(t.Context(), "k") // at this moment
		require.NoError(t, err)
		require.Same(t, e, found)
		e.rest() // he came: nothing happens
		require.False(t, p.takeOut("k", e))

		require.True(t, e.look())
		e.rest()
		require.True(t, p.takeOut("k", e))
		waits := make(chan error)
		go func() { // he found it just before
			e.touch()
			_, err := e.pool.Acquire(context.Background())
			waits <- err
		}()
		synctest.Wait()
		e.pool.Close()
		require.True(t, e.left(<-waits))
		acquire(t, p, "k").Release()
		require.EqualValues(t, 2, f.fors.Load())
	})
}

func TestSeam_WhoComesWhileThePoolRestsWakesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, dropped)
		e := idleEntry(t, p, "k")
		e.rest()
		require.True(t, e.pool.Stats().Paused)
		acquire(t, p, "k").Release()
		require.False(t, e.pool.Stats().Paused)
		p.remove("k", e)
		require.Same(t, e, p.keys.load("k"))
		require.EqualValues(t, 1, f.fors.Load())
	})
}

// A dial that ends while the pool rests brings a connection that somebody may
// still want: the pool goes on.
func TestSeam_AConnectionThatComesWhileThePoolRestsKeepsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, nil)
		connected, describe := make(chan struct{}), p.cfg.For
		p.cfg.For = func(key string) (connpool.Config[*fakeConn], error) {
			c, err := describe(key)
			connect := c.Connect
			c.Connect = func(ctx context.Context) (*fakeConn, error) { <-connected; return connect(ctx) }
			return c, err
		}
		_, err := p.TryAcquire(t.Context(), "k")
		require.ErrorIs(t, err, connpool.ErrNoneIdle)
		e := p.keys.load("k")
		e.look()
		p.remove("k", e)
		require.True(t, e.pool.Stats().Paused, "it rests, and is not removed while it dials")
		require.Same(t, e, p.keys.load("k"))
		close(connected)
		synctest.Wait()
		require.True(t, e.look())
		require.False(t, e.pool.Stats().Paused)
		lease, err := p.TryAcquire(t.Context(), "k")
		require.NoError(t, err)
		lease.Release()
	})
}

func TestASweepOfAClosedPoolRemovesNothing(t *testing.T) {
	p, _ := newPool(t, dropped)
	acquire(t, p, "k").Release()
	p.Close()
	e := p.keys.load("k")
	e.look()
	require.NoError(t, p.Shutdown(t.Context()))
	p.remove("k", e)
	require.Equal(t, 1, p.Stats().Keys)
	p.sweep()
	require.False(t, p.mu.armed)
}
