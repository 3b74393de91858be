package connpool

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Pools under one cap. Their factories share a gauge, so what the cap is a cap
// of is counted where it matters: at the server.

// sharing is some pools and the Budget that they share.
type sharing struct {
	*Budget
	pools     []*Pool[*fakeConn]
	factories []*factory
	slots     *gauge // dials and connections of all
}

// shareBudget returns n pools, which may each have all units. edit, which may be nil,
// is told which pool it is about. At the end of the test, when all pools have
// been closed, all units must be back.
func shareBudget(t testing.TB, units, n int, edit func(i int, c *Config[*fakeConn])) *sharing {
	s := &sharing{Budget: NewBudget(units), slots: new(gauge)}
	t.Cleanup(func() {
		require.LessOrEqual(t, s.slots.peak(), int64(units), "connections open at once")
		require.Zero(t, s.mu.used, "units in use after all pools have been shut down")
		require.Zero(t, s.mu.yielding)
		require.Empty(t, s.mu.waiting)
		require.Empty(t, s.mu.hopeful)
		require.Empty(t, s.mu.members)
	})
	for i := range n {
		f := newFactory(t)
		f.slots = s.slots
		s.factories = append(s.factories, f)
		s.pools = append(s.pools, f.newPool(func(c *Config[*fakeConn]) {
			c.Name, c.MaxSize, c.Budget = fmt.Sprintf("pool-%d", i), units, s.Budget
			if edit != nil {
				edit(i, c)
			}
		}))
	}
	return s
}

// requireBooked checks, while all is still, that the books agree with the pools.
func (s *sharing) requireBooked(t *testing.T) {
	t.Helper()
	synctest.Wait()
	used := 0
	for _, p := range s.pools {
		used += p.Stats().Size
		s.mu.Lock()
		a := s.mu.members[p]
		s.mu.Unlock()
		if a != nil {
			require.Equal(t, p.Stats().Size, a.held, "units held by %s", p.Name())
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Equal(t, used, s.mu.used)
	require.LessOrEqual(t, s.mu.used, s.units)
	require.Zero(t, s.mu.yielding)
	if s.mu.used < s.units {
		require.Empty(t, s.mu.waiting, "a unit is free, and somebody waits for one")
	}
}

// crowd is callers of one pool that come back for ever.
type crowd struct{ served atomic.Int64 }

// flock sends n callers to a pool until ctx ends. Each holds its connection for
// hold and is away for pause.
func flock(ctx context.Context, wg *sync.WaitGroup, p *Pool[*fakeConn], n int, hold, pause time.Duration) *crowd {
	c := new(crowd)
	for range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				lease, err := p.Acquire(ctx)
				if err != nil {
					time.Sleep(time.Millisecond)
					continue
				}
				lease.Conn().claim()
				time.Sleep(hold)
				lease.Conn().release()
				lease.Release()
				c.served.Add(1)
				time.Sleep(pause)
			}
		})
	}
	return c
}

// TestPoolsUnderOneBudgetNeverExceedIt: real goroutines and real time, so that
// the schedules differ. The gauge at the factories is checked when the test
// ends.
func TestPoolsUnderOneBudgetNeverExceedIt(t *testing.T) {
	for _, n := range []int{2, 3} {
		t.Run(fmt.Sprint(n, " pools"), func(t *testing.T) {
			s := shareBudget(t, 4, n, func(i int, c *Config[*fakeConn]) {
				c.MinSize, c.MaxIdle = i, 3
				c.BackoffMin, c.BackoffMax = time.Millisecond, time.Millisecond
				connect, flaky := c.Connect, new(atomic.Int64)
				c.Connect = func(ctx context.Context) (*fakeConn, error) {
					if flaky.Add(1)%7 == 0 {
						return nil, errRefused
					}
					return connect(ctx)
				}
			})
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			var wg sync.WaitGroup
			var served [3]atomic.Int64
			for i, p := range s.pools {
				for seed := range 4 {
					wg.Go(func() { borrowRoughly(ctx, p, uint64(10*i+seed), &served[i]) })
				}
			}
			wg.Wait()
			for i, p := range s.pools {
				require.NotZero(t, served[i].Load(), "%s was starved: %+v", p.Name(), p.Stats())
			}
		})
	}
}

func borrowRoughly(ctx context.Context, p *Pool[*fakeConn], seed uint64, served *atomic.Int64) {
	random := rand.New(rand.NewPCG(seed, 0))
	for ctx.Err() == nil {
		lease, err := p.Acquire(ctx)
		if err != nil {
			continue
		}
		served.Add(1)
		lease.Conn().claim()
		if random.IntN(2) == 0 {
			runtime.Gosched()
		}
		lease.Conn().release()
		switch random.IntN(20) {
		case 0:
			lease.Discard(nil)
		case 1:
			lease.Release()
			p.Retire()
		default:
			lease.Release()
		}
	}
}

// The turn. Everything below happens while all else sleeps.

// moment is longer than a connection has to be idle to be taken from a pool that
// is no richer than the one that waits.
const moment = time.Second

func TestUnitsGoRoundToTheWaitingPoolsInTurn(t *testing.T) {
	for _, order := range [][]int{{1, 2}, {2, 1}} {
		synctest.Test(t, func(t *testing.T) {
			s := shareBudget(t, 1, 3, nil)
			held := acquire(t, s.pools[0])
			first := begin(t.Context(), s.pools[order[0]])
			synctest.Wait()
			second := begin(t.Context(), s.pools[order[1]])
			synctest.Wait()
			require.False(t, first.isDone())
			require.False(t, second.isDone())
			held.Release()
			lease := first.get(t)
			require.False(t, second.isDone())
			lease.Release()
			second.get(t).Release()
			s.requireBooked(t)
		})
	}
}

// TestATurnIsOneUnit: two pools want two units each, and get them one by one.
func TestATurnIsOneUnit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shareBudget(t, 4, 3, nil)
		held := acquireN(t, s.pools[0], 4)
		a := beginN(t.Context(), s.pools[1], 2)
		b := beginN(t.Context(), s.pools[2], 2)
		done := func() (n int) {
			for _, w := range append(a, b...) {
				if w.isDone() {
					n++
				}
			}
			return n
		}
		for i, lease := range held {
			lease.Release()
			time.Sleep(moment)
			require.Equal(t, i+1, done())
			require.True(t, a[0].isDone())
			require.Equal(t, i > 0, b[0].isDone())
		}
		for _, w := range append(a, b...) {
			w.get(t).Release()
		}
		s.requireBooked(t)
	})
}

func TestAnIdleConnectionIsGivenUpForAPoolThatWaits(t *testing.T) {
	for name, minSize := range map[string]int{"spare": 0, "below MinSize": 3} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := shareBudget(t, 3, 2, func(i int, c *Config[*fakeConn]) {
					if i == 0 {
						c.MinSize = minSize
					}
				})
				release(acquireN(t, s.pools[0], 3)...)
				began := time.Now()
				lease := acquire(t, s.pools[1])
				require.Zero(t, time.Since(began))
				s.requireBooked(t)
				require.Equal(t, 2, s.pools[0].Stats().Idle, "one, and no more")
				require.EqualValues(t, 1, s.pools[0].Stats().Closes[ClosedResized])

				rest := acquireN(t, s.pools[1], 2)
				s.requireBooked(t)
				require.Zero(t, s.pools[0].Stats().Size)
				release(append(rest, lease)...)
			})
		})
	}
}

func TestTheRichestPoolGivesUpFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shareBudget(t, 4, 3, nil)
		release(acquireN(t, s.pools[0], 1)...)
		release(acquireN(t, s.pools[1], 3)...)
		acquire(t, s.pools[2]).Release()
		s.requireBooked(t)
		require.Equal(t, 1, s.pools[0].Stats().Size)
		require.Equal(t, 2, s.pools[1].Stats().Size)
	})
}

func TestAConnectionThatComesBackIdleIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shareBudget(t, 2, 2, nil)
		held := acquireN(t, s.pools[0], 2)
		a := begin(t.Context(), s.pools[1])
		require.False(t, a.isDone())
		held[0].Release()
		a.get(t).Release()
		held[1].Release()
		s.requireBooked(t)
	})
}

// TestABusyPoolCannotStarveAnother: the first pool has every unit and callers
// without end when the others come. Each must be served, and go on being served.
func TestABusyPoolCannotStarveAnother(t *testing.T) {
	for _, tc := range []struct{ units, pools int }{
		{2, 2}, {4, 2}, {5, 2}, {8, 3}, {7, 3}, {3, 3}, {1, 2}, {2, 3},
	} {
		t.Run(fmt.Sprintf("%d units, %d pools", tc.units, tc.pools), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := shareBudget(t, tc.units, tc.pools, nil)
				ctx, cancel := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				crowds := []*crowd{flock(ctx, &wg, s.pools[0], 4*tc.units, time.Millisecond, 0)}
				time.Sleep(time.Second)
				require.Equal(t, tc.units, s.pools[0].Stats().Size)
				for _, p := range s.pools[1:] {
					crowds = append(crowds, flock(ctx, &wg, p, 4*tc.units, time.Millisecond, 0))
				}
				before := make([]int64, tc.pools)
				for second := range 3 {
					time.Sleep(time.Second)
					for i, c := range crowds {
						now := c.served.Load()
						if now == before[i] {
							cancel()
							t.Errorf("pool %d was not served in second %d", i, second)
						}
						before[i] = now
					}
				}
				for i, p := range s.pools {
					require.GreaterOrEqual(t, p.Stats().Size, tc.units/tc.pools, "share of pool %d", i)
				}
				cancel()
				wg.Wait()
				s.requireBooked(t)
			})
		})
	}
}

// TestPoolsWithinTheirSharesDoNotTradeConnections: the callers of one pool come
// straight back, and just find their connections idle; those of the other
// always queue. Every trade costs a close and a dial, so there must be far fewer
// of them than leases.
func TestPoolsWithinTheirSharesDoNotTradeConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shareBudget(t, 8, 2, nil)
		for _, f := range s.factories {
			f.delayBy(2 * time.Millisecond)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		quiet := flock(ctx, &wg, s.pools[0], 4, 3*time.Millisecond, time.Millisecond)
		time.Sleep(time.Second)
		busy := flock(ctx, &wg, s.pools[1], 40, 3*time.Millisecond, 0)
		time.Sleep(time.Second) // to find the balance
		dials := s.factories[0].dials.Load() + s.factories[1].dials.Load()
		leases := quiet.served.Load() + busy.served.Load()
		time.Sleep(10 * time.Second)
		dials = s.factories[0].dials.Load() + s.factories[1].dials.Load() - dials
		leases = quiet.served.Load() + busy.served.Load() - leases
		cancel()
		wg.Wait()
		t.Logf("%d dials for %d leases", dials, leases)
		require.Less(t, dials, leases/20)
	})
}

// TestACallerThatGaveUpCostsNoConnection: when the first pool's connection comes
// back, nobody waits for its unit any more.
func TestACallerThatGaveUpCostsNoConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shareBudget(t, 1, 2, nil)
		held := acquire(t, s.pools[0])
		require.Error(t, acquireFails(within(t, time.Second), s.pools[1]))
		held.Release()
		synctest.Wait()
		require.Empty(t, s.pools[0].Stats().Closes)
		require.Equal(t, 1, s.pools[0].Stats().Idle)
		acquire(t, s.pools[0]).Release()
		acquire(t, s.pools[1]).Release()
	})
}

func TestACallerServedByItsOwnPoolNeedsNoUnit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shareBudget(t, 2, 2, nil)
		other, held := acquire(t, s.pools[0]), acquire(t, s.pools[1])
		a := begin(t.Context(), s.pools[1])
		synctest.Wait()
		held.Release()
		a.get(t).Release()
		other.Release()
		synctest.Wait()
		require.Empty(t, s.pools[0].Stats().Closes, "what came back late was not needed")
		s.requireBooked(t)
	})
}

// Units come back

func TestAUnitComesBackWhateverBecomesOfItsConnection(t *testing.T) {
	type script = func(t *testing.T, p *Pool[*fakeConn], f *factory)
	for name, tc := range map[string]struct {
		edit   func(*Config[*fakeConn])
		script script
	}{
		"Discard": {nil, func(t *testing.T, p *Pool[*fakeConn], _ *factory) { acquire(t, p).Discard(nil) }},
		"Hijack": {nil, func(t *testing.T, p *Pool[*fakeConn], f *factory) {
			require.NoError(t, f.close(t.Context(), acquire(t, p).Hijack()))
		}},
		"Retire": {nil, func(t *testing.T, p *Pool[*fakeConn], _ *factory) { acquire(t, p).Release(); p.Retire() }},
		"Clean":  {func(c *Config[*fakeConn]) { c.Clean = func(*fakeConn) error { return io.EOF } }, func(t *testing.T, p *Pool[*fakeConn], _ *factory) { acquire(t, p).Release() }},
		"Prepare": {func(c *Config[*fakeConn]) { c.Prepare = func(context.Context, *fakeConn) error { return io.EOF } },
			func(t *testing.T, p *Pool[*fakeConn], _ *factory) { acquireFails(t.Context(), p) }},
		"MaxIdle": {func(c *Config[*fakeConn]) { c.MaxIdle = -1 }, func(t *testing.T, p *Pool[*fakeConn], _ *factory) { acquire(t, p).Release() }},
		"IdleTimeout": {func(c *Config[*fakeConn]) { c.IdleTimeout = time.Second }, func(t *testing.T, p *Pool[*fakeConn], _ *factory) {
			acquire(t, p).Release()
			time.Sleep(5 * time.Second)
		}},
		"dial fails": {nil, func(t *testing.T, p *Pool[*fakeConn], f *factory) {
			f.failWith(errRefused)
			acquireFails(within(t, time.Nanosecond), p)
			f.failWith(nil)
		}},
		"dial panics": {func(c *Config[*fakeConn]) {
			c.Connect = func(context.Context) (*fakeConn, error) { panic("dial") }
		}, func(t *testing.T, p *Pool[*fakeConn], f *factory) { acquireFails(within(t, time.Nanosecond), p) }},
		"dial exits": {func(c *Config[*fakeConn]) {
			c.Connect = func(context.Context) (*fakeConn, error) { runtime.Goexit(); return nil, nil }
		}, func(t *testing.T, p *Pool[*fakeConn], f *factory) { acquireFails(within(t, time.Nanosecond), p) }},
		"Close hangs": {func(c *Config[*fakeConn]) {
			closeNow := c.Close
			c.Close = func(ctx context.Context, conn *fakeConn) error { <-ctx.Done(); return closeNow(ctx, conn) }
		}, func(t *testing.T, p *Pool[*fakeConn], f *factory) {
			acquire(t, p).Discard(nil)
			time.Sleep(time.Minute)
		}},
		"Close panics": {func(c *Config[*fakeConn]) {
			closeNow := c.Close
			c.Close = func(ctx context.Context, conn *fakeConn) error { closeNow(ctx, conn); panic("close") }
		}, func(t *testing.T, p *Pool[*fakeConn], f *factory) { acquire(t, p).Discard(nil) }},
		"the pool is closed":                  {nil, func(t *testing.T, p *Pool[*fakeConn], f *factory) { acquire(t, p).Release(); p.Close() }},
		"the pool is closed while it is lent": {nil, func(t *testing.T, p *Pool[*fakeConn], f *factory) { lease := acquire(t, p); p.Close(); lease.Release() }},
		"the pool is closed while it is dialling": {nil, func(t *testing.T, p *Pool[*fakeConn], f *factory) {
			f.delayBy(time.Second)
			a := begin(t.Context(), p)
			synctest.Wait()
			p.Close()
			a.fails(t)
		}},
		"the pool is closed while others are idle": {nil, func(t *testing.T, p *Pool[*fakeConn], f *factory) { release(acquireN(t, p, 2)...); p.Close() }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := shareBudget(t, 2, 2, func(i int, c *Config[*fakeConn]) {
					c.BackoffMin, c.BackoffMax = time.Hour, time.Hour
					if i == 0 && tc.edit != nil {
						tc.edit(c)
					}
				})
				tc.script(t, s.pools[0], s.factories[0])
				synctest.Wait()
				require.Zero(t, s.slots.now())
				require.Zero(t, s.mu.used)
				release(acquireN(t, s.pools[1], 2)...)
				s.requireBooked(t)
			})
		})
	}
}

// TestAnAbandonedDialGivesItsUnitBack: the dial hangs until the test ends.
func TestAnAbandonedDialGivesItsUnitBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shareBudget(t, 1, 2, func(_ int, c *Config[*fakeConn]) { c.ConnectTimeout, c.DownAfter = time.Second, -1 })
		f := s.factories[0]
		f.slots = new(gauge) // what hangs is not held against the pool, and so not against the Budget
		f.hang()
		require.Error(t, acquireFails(within(t, 500*time.Millisecond), s.pools[0]))
		a := begin(within(t, 10*time.Second), s.pools[1])
		require.False(t, a.isDone())
		time.Sleep(time.Second)
		lease := a.get(t)
		f.unhang()
		synctest.Wait()
		lease.Release()
		s.requireBooked(t)
	})
}

func TestAClosedPoolsUnitsGoToThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shareBudget(t, 4, 3, nil)
		held := acquireN(t, s.pools[0], 4)
		a := begin(t.Context(), s.pools[0])
		b := beginN(t.Context(), s.pools[1], 2)
		c := beginN(t.Context(), s.pools[2], 2)
		s.pools[0].Close()
		require.ErrorIs(t, a.fails(t), ErrClosed)
		for i, w := range []*pending{b[0], c[0], b[1], c[1]} {
			require.False(t, w.isDone())
			held[i].Release()
			defer w.get(t).Release()
		}
		s.requireBooked(t)
	})
}

// The second pool keeps a connection that is due for a check for its own caller.
// That one is served by another, and then the first pool's caller is owed it.
func TestFault84_AConnectionThatIsDueGoesToThePoolThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shareBudget(t, 3, 2, func(i int, c *Config[*fakeConn]) {
			c.MaxConnecting = 1
			if i == 0 {
				c.MaxSize = 1
				return
			}
			c.MinIdle, c.CheckAfterIdle, c.CheckInterval = 2, 40*time.Second, -1
			c.Check = func(context.Context, *fakeConn) error { time.Sleep(5 * time.Second); return nil }
		})
		time.Sleep(61 * time.Second) // the two that are idle are due
		lost := acquire(t, s.pools[0])
		a := begin(t.Context(), s.pools[0])
		synctest.Wait()
		b := begin(t.Context(), s.pools[1])
		synctest.Wait()
		lost.Discard(nil)
		defer b.get(t).Release()
		a.get(t).Release() // while the other's check goes on
	})
}

func TestAPoolThatIsClosedWhileItWaitsLosesItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shareBudget(t, 1, 3, nil)
		held := acquire(t, s.pools[0])
		a := begin(t.Context(), s.pools[1])
		synctest.Wait()
		b := begin(t.Context(), s.pools[2])
		synctest.Wait()
		s.pools[1].Close()
		require.ErrorIs(t, a.fails(t), ErrClosed)
		held.Release()
		b.get(t).Release()
		s.requireBooked(t)
	})
}

func TestAPoolMayJoinLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shareBudget(t, 2, 1, nil)
		held := acquireN(t, s.pools[0], 2)
		waiting := begin(t.Context(), s.pools[0])
		synctest.Wait()
		f := newFactory(t)
		f.slots = s.slots
		late := f.newPool(func(c *Config[*fakeConn]) { c.Budget, c.MinSize = s.Budget, 1 })
		a := begin(t.Context(), late)
		require.False(t, a.isDone())
		held[0].Release() // to the late one: the first has more than its share
		a.get(t).Release()
		held[1].Release()
		waiting.get(t).Release()
	})
}

// Pools that cannot use a unit

func TestAPoolInBackoffDoesNotHoldUpTheTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shareBudget(t, 1, 3, func(_ int, c *Config[*fakeConn]) {
			c.BackoffMin, c.BackoffMax, c.DownAfter = time.Hour, time.Hour, -1
		})
		s.factories[1].failWith(errRefused)
		failing := begin(within(t, time.Minute), s.pools[1]) // dials, fails, and pauses
		synctest.Wait()
		require.EqualValues(t, 1, s.factories[1].dials.Load())

		held := acquire(t, s.pools[0])
		a := begin(t.Context(), s.pools[2])
		require.False(t, a.isDone())
		held.Release()
		a.get(t).Release()
		require.ErrorIs(t, failing.errAfter(time.Minute), errRefused)
		s.requireBooked(t)
	})
}

// errAfter waits, and returns the error of an acquire that has ended by then.
func (a *pending) errAfter(d time.Duration) error {
	time.Sleep(d)
	synctest.Wait()
	return a.err
}

// TestAPoolWhoseDialFailsPassesItsUnitOn: the first in turn fails to dial, again
// and again; the second gets the unit, and goes on being served.
func TestAPoolWhoseDialFailsPassesItsUnitOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shareBudget(t, 1, 2, nil)
		s.factories[0].failWith(errRefused)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		flock(ctx, &wg, s.pools[0], 3, time.Millisecond, time.Millisecond)
		time.Sleep(10 * time.Second)
		works := flock(ctx, &wg, s.pools[1], 1, 10*time.Millisecond, 0)
		time.Sleep(10 * time.Second)
		require.Greater(t, works.served.Load(), int64(500), "of 1000 that it would serve alone")

		s.factories[0].failWith(nil)
		time.Sleep(10 * time.Second)
		require.NotZero(t, s.factories[0].opens.Load(), "and the first is served when its server is back")
		cancel()
		wg.Wait()
		s.requireBooked(t)
	})
}

func TestAPoolWithAFullWindowDoesNotHoldUpTheTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shareBudget(t, 3, 2, func(i int, c *Config[*fakeConn]) { c.MaxConnecting = 1 })
		s.factories[0].delayBy(5 * time.Second)
		slow := beginN(t.Context(), s.pools[0], 3) // one dial at a time
		leases := acquireN(t, s.pools[1], 2)
		s.requireBooked(t)
		time.Sleep(5 * time.Second)
		lease := slow[0].get(t)
		lease.Release()
		slow[1].get(t).Release()
		slow[2].get(t).Release()
		release(leases...)
		s.requireBooked(t)
	})
}

// Minimums

func TestMinSizeIsFilledFromFreeUnitsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shareBudget(t, 3, 2, func(i int, c *Config[*fakeConn]) {
			if i == 1 {
				c.MinSize = 3
			}
		})
		s.requireBooked(t)
		require.Equal(t, 3, s.pools[1].Stats().Idle, "all units are free")

		held := acquireN(t, s.pools[0], 2) // which the second pool gives up
		s.requireBooked(t)
		require.Equal(t, 1, s.pools[1].Stats().Idle)
		a := begin(t.Context(), s.pools[0])
		time.Sleep(moment)
		lease := a.get(t)
		s.requireBooked(t)
		require.Zero(t, s.pools[1].Stats().Size, "callers come before minimums")

		lease.Discard(nil)
		s.requireBooked(t)
		require.Equal(t, 1, s.pools[1].Stats().Idle, "a free unit goes to the minimum")
		held[0].Discard(nil)
		held[1].Discard(nil)
		s.requireBooked(t)
		require.Equal(t, 3, s.pools[1].Stats().Idle)
	})
}

func TestCallersComeBeforeMinimumsWhenAUnitComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shareBudget(t, 1, 3, func(i int, c *Config[*fakeConn]) {
			if i == 1 {
				c.MinSize = 1
			}
		})
		synctest.Wait()
		held := acquire(t, s.pools[0]) // given up by the second, which hopes to get it back
		a := begin(t.Context(), s.pools[2])
		synctest.Wait()
		held.Discard(nil)
		lease := a.get(t)
		require.Zero(t, s.pools[1].Stats().Size)
		lease.Discard(nil)
		s.requireBooked(t)
		require.Equal(t, 1, s.pools[1].Stats().Size)
	})
}

func TestMinimumsBeyondTheBudgetDoNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shareBudget(t, 2, 3, func(_ int, c *Config[*fakeConn]) { c.MinSize, c.MinIdle = 2, 1 })
		time.Sleep(time.Minute)
		s.requireBooked(t)
		require.EqualValues(t, 2, s.slots.now())
		dials := int64(0)
		for _, f := range s.factories {
			dials += f.dials.Load()
		}
		require.EqualValues(t, 2, dials, "minimums do not take from each other")
		for _, p := range s.pools {
			acquire(t, p).Release()
		}
	})
}

func TestABudgetThatIsNotShortChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shareBudget(t, 10, 2, func(_ int, c *Config[*fakeConn]) { c.MaxSize, c.LeakStacks = 3, StacksNever })
		a, b := acquireN(t, s.pools[0], 3), acquireN(t, s.pools[1], 3)
		w := begin(t.Context(), s.pools[0])
		require.False(t, w.isDone(), "MaxSize still holds")
		release(a...)
		w.get(t).Release()
		release(b...)
		s.requireBooked(t)
		require.EqualValues(t, 6, s.slots.now(), "nothing was closed")
		require.Zero(t, s.pools[0].gate.Load(), "the common path is open")
		require.Zero(t, s.pools[1].gate.Load())
	})
}

func TestTheCommonPathOpensAgainWhenNoPoolWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shareBudget(t, 1, 2, func(_ int, c *Config[*fakeConn]) { c.LeakStacks = StacksNever })
		held := acquire(t, s.pools[0])
		a := begin(t.Context(), s.pools[1])
		synctest.Wait()
		require.NotZero(t, s.pools[0].gate.Load())
		held.Release()
		a.get(t).Release()
		synctest.Wait()
		require.Zero(t, s.pools[0].gate.Load())
		require.Zero(t, s.pools[1].gate.Load())
	})
}

// TestAPausedPoolGivesUpItsIdleConnections even if callers of its own wait: it
// can do nothing with them.
func TestAPausedPoolGivesUpItsIdleConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shareBudget(t, 2, 2, nil)
		release(acquireN(t, s.pools[0], 2)...)
		s.pools[0].Pause()
		paused := begin(t.Context(), s.pools[0])
		synctest.Wait()
		a := begin(within(t, 10*time.Second), s.pools[1])
		require.True(t, a.isDone())
		a.get(t).Release()
		s.pools[0].Resume()
		paused.get(t).Release()
	})
}

func TestPoolsOfDifferentTypesShareABudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shareBudget(t, 1, 1, nil)
		other, err := New(Config[int]{Connect: func(context.Context) (int, error) { return 7, nil }, Budget: s.Budget})
		require.NoError(t, err)
		acquire(t, s.pools[0]).Release()
		lease := acquire(t, other)
		require.Equal(t, 7, lease.Conn())
		require.Zero(t, s.pools[0].Stats().Size)
		lease.Release()
		acquire(t, s.pools[0]).Release()
		require.NoError(t, other.Shutdown(t.Context()))
	})
}

// TestNobodyIsForgottenWhateverHappens leads pools through random lives. Between
// any two steps all is still and the books agree; at the end, when all servers
// work and all leases have ended, every caller must have been served.
func TestNobodyIsForgottenWhateverHappens(t *testing.T) {
	for seed := range uint64(25) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newLife(t, seed).run() })
		})
	}
}

// life is one random life of some pools.
type life struct {
	*sharing
	t       *testing.T
	random  *rand.Rand
	waiting []*pending
	cancels []context.CancelFunc
	leases  []Lease[*fakeConn]
}

func newLife(t *testing.T, seed uint64) *life {
	random := rand.New(rand.NewPCG(seed, 1))
	return &life{t: t, random: random, sharing: shareBudget(t, 1+random.IntN(5), 2+random.IntN(2), func(i int, c *Config[*fakeConn]) {
		c.MaxSize = 1 + random.IntN(5)
		c.MinSize = random.IntN(c.MaxSize)
		c.MaxIdle = max(c.MinSize, random.IntN(3))
		c.AcquireTimeout, c.DownAfter = -1, -1 // nobody gives up of itself
		if random.IntN(2) == 0 {
			c.Reset = func(context.Context, *fakeConn) error { return nil }
		}
	})}
}

func (l *life) run() {
	for i := range 150 {
		l.step()
		l.requireBooked(l.t)
		l.gather()
		if i%10 == 9 {
			l.requireNothingIdleWhileAPoolWaits()
		}
	}
	for i, p := range l.pools {
		l.factories[i].failWith(nil)
		p.Resume()
	}
	for round := 0; len(l.waiting) > 0 || len(l.leases) > 0; round++ {
		require.Less(l.t, round, 1000, "%d callers are forgotten", len(l.waiting))
		release(l.leases...)
		l.leases = nil
		time.Sleep(time.Second) // longer than any backoff
		l.gather()
	}
	l.requireBooked(l.t)
}

// requireNothingIdleWhileAPoolWaits checks that no pool keeps a connection for
// itself that it has no use for, while another could dial but for want of a unit.
func (l *life) requireNothingIdleWhileAPoolWaits() {
	time.Sleep(time.Minute) // longer than any dial, backoff or time between sweeps
	l.gather()
	for i, p := range l.pools {
		err, _, _ := l.factories[i].orders()
		s := p.Stats()
		if err != nil || s.Waiting == 0 || s.Paused || s.Size == s.MaxSize {
			continue
		}
		for _, other := range l.pools {
			require.Zero(l.t, other.Stats().Idle, "%s waits for a unit, but %s has idle connections", p.Name(), other.Name())
		}
	}
}

// gather takes in the leases of those who have been served.
func (l *life) gather() {
	still := l.waiting[:0]
	for _, w := range l.waiting {
		switch {
		case !w.isDone():
			still = append(still, w)
		case w.err == nil:
			l.leases = append(l.leases, w.lease)
		}
	}
	l.waiting = still
}

func (l *life) step() {
	i := l.random.IntN(len(l.pools))
	p, f := l.pools[i], l.factories[i]
	switch dice := l.random.IntN(20); {
	case dice < 8:
		ctx, cancel := context.WithCancel(l.t.Context())
		l.t.Cleanup(cancel)
		l.cancels = append(l.cancels, cancel)
		l.waiting = append(l.waiting, begin(ctx, p))
	case dice < 14:
		if len(l.leases) == 0 {
			return
		}
		at := l.random.IntN(len(l.leases))
		lease := l.leases[at]
		l.leases = append(l.leases[:at], l.leases[at+1:]...)
		if dice == 13 {
			lease.Discard(nil)
		} else {
			lease.Release()
		}
	case dice == 14:
		if len(l.cancels) > 0 {
			l.cancels[l.random.IntN(len(l.cancels))]()
		}
	case dice == 15:
		f.failWith([]error{nil, errRefused}[l.random.IntN(2)])
	case dice == 16:
		p.Retire()
	case dice == 17:
		f.delayBy(time.Duration(l.random.IntN(3)) * time.Second)
	case dice == 18:
		if p.Pause(); l.random.IntN(4) > 0 {
			p.Resume()
		}
	default:
		time.Sleep(time.Duration(l.random.IntN(5000)) * time.Millisecond)
	}
}
