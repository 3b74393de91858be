package keyed

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
)

// What the keys owe each other. The caps are checked at the servers when each
// test ends: see newPool.

// crowd sends n callers of a key, who come back for ever, and counts how often
// they are served.
func crowd(ctx context.Context, wg *sync.WaitGroup, p *Pool[string, *fakeConn], key string, n int, hold time.Duration) *atomic.Int64 {
	served := new(atomic.Int64)
	for range n {
		wg.Go(func() {
			for {
				lease, err := p.Acquire(ctx, key)
				if ctx.Err() != nil {
					lease.Release()
					return
				}
				if err != nil {
					continue // AcquireTimeout, which no test comes near
				}
				lease.Conn().use(key, hold)
				lease.Release()
				served.Add(1)
			}
		})
	}
	return served
}

// A hot key with 100 callers has every connection when three others come with
// one caller each. These must be served again and again, and their shares must
// not depend on how many ask.
func TestAHotKeyCannotStarveTheOthers(t *testing.T) {
	for _, total := range []int{4, 8, 20} {
		t.Run(fmt.Sprint(total, " connections"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, f := newPool(t, limits(total, total))
				ctx, cancel := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				crowd(ctx, &wg, p, "hot", 100, time.Millisecond)
				time.Sleep(time.Second)
				require.EqualValues(t, total, f.at("hot").slots.now(), "it has everything")

				cold := []string{"a", "b", "c"}
				var served []*atomic.Int64
				for _, key := range cold {
					served = append(served, crowd(ctx, &wg, p, key, 1, time.Millisecond))
				}
				before := make([]int64, len(cold))
				for second := range 5 {
					time.Sleep(time.Second)
					for i, n := range served {
						now := n.Load()
						require.GreaterOrEqual(t, now-before[i], int64(500), "leases of %s in second %d", cold[i], second)
						before[i] = now
					}
				}
				cancel()
				wg.Wait()
			})
		})
	}
}

// Fewer connections than keys: they go round.
func TestKeysTakeTurnsWhereThereAreFewerConnectionsThanKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, limits(2, 2))
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		served := map[string]*atomic.Int64{"hot": crowd(ctx, &wg, p, "hot", 50, time.Millisecond)}
		for i := range 5 {
			key := fmt.Sprint("cold", i)
			served[key] = crowd(ctx, &wg, p, key, 1, time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		cancel()
		wg.Wait()
		for key, n := range served {
			require.GreaterOrEqual(t, n.Load(), int64(200), key)
		}
	})
}

// What lies idle with cold keys is closed as others need room, one for one.
func TestIdleConnectionsOfColdKeysMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, limits(10, 10))
		for i := range 10 {
			acquire(t, p, fmt.Sprint("cold", i)).Release()
		}
		synctest.Wait()
		require.Equal(t, 10, p.Stats().Idle)

		began := time.Now()
		var held []connpool.Lease[*fakeConn]
		for i := range 9 {
			held = append(held, acquire(t, p, "new"))
			synctest.Wait()
			require.Equal(t, 9-i, p.Stats().Idle, "one was closed for it, and no more")
		}
		require.Less(t, time.Since(began), time.Second)
		require.EqualValues(t, 9, p.Stats().Closes[connpool.ClosedResized])
		require.EqualValues(t, 9, f.at("new").slots.now())
		release(held...)
	})
}

func TestAKeyKeepsToMaxPerKeyWhileThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, limits(10, 3))
		held := acquireN(t, p, "k", 3)
		_, err := p.Acquire(within(t, time.Second), "k")
		require.ErrorIs(t, err, connpool.ErrExhausted)
		require.EqualValues(t, 3, f.at("k").slots.now())
		acquire(t, p, "other").Release()
		release(held...)
	})
}

// The server of one key is down: its callers are told so, and those of the others
// notice nothing, while there is room for its dials.
func TestADeadServerIsTheTroubleOfItsOwnKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, limits(8, 4))
		f.down("dead")
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				for ctx.Err() == nil {
					_, err := p.Acquire(ctx, "dead")
					if ctx.Err() == nil {
						require.ErrorIs(t, err, errRefused)
					}
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		well := crowd(ctx, &wg, p, "well", 4, time.Millisecond)
		time.Sleep(10 * time.Second)
		cancel()
		wg.Wait()
		require.GreaterOrEqual(t, well.Load(), int64(39_000), "of 40,000 that 4 callers can do")
		require.Less(t, f.at("dead").dials.Load(), int64(60), "one prober that backs off")
		s, _ := p.KeyStats("well")
		require.Zero(t, s.ConnectErrors)
		require.EqualValues(t, 4, s.Connects)

		f.up("dead")
		time.Sleep(3 * time.Second)
		acquire(t, p, "dead").Release()
	})
}

// A server that swallows dials holds a unit of MaxTotal for each, as long as
// they hang, and no more than its dials are.
func TestDialsThatHangHoldNoMoreThanTheirOwnUnits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, limits(6, 4))
		describe := p.cfg.For
		p.cfg.For = func(key string) (connpool.Config[*fakeConn], error) {
			c, err := describe(key)
			if key == "hole" {
				c.Connect = func(ctx context.Context) (*fakeConn, error) { <-ctx.Done(); return nil, ctx.Err() }
			}
			return c, err
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		crowd(ctx, &wg, p, "hole", 20, 0)
		time.Sleep(time.Second)
		held := acquireN(t, p, "well", 4)
		require.EqualValues(t, 4, f.at("well").slots.now())
		release(held...)
		cancel()
		wg.Wait()
	})
}
