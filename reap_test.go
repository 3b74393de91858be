package connpool

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/internal/slot"
)

// Tests of the sweep. In a bubble the clock moves only while every goroutine is
// asleep, so a sweep that is due has run when Sleep returns and synctest.Wait
// has let it finish.

func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestIdleConnectionsCloseDownToTheMinimums(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.MinSize = 8, 2 })
		require.NoError(t, p.Warm(t.Context()))
		release(acquireN(t, p, 8)...)
		pass(defaultIdleTimeout - time.Second)
		require.Equal(t, 8, p.Stats().Size)
		pass(time.Second + 2*p.period)
		require.Equal(t, 2, p.Stats().Size)
		require.EqualValues(t, 6, p.Stats().Closes[ClosedIdle])
	})
}

func TestMinSizeAndMinIdleAreFilledInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.MinSize, c.MinIdle = 6, 2, 3 })
		synctest.Wait()
		require.EqualValues(t, 3, f.opens.Load())
		held := acquireN(t, p, 2)
		synctest.Wait()
		require.Equal(t, 3, p.Stats().Idle)
		held = append(held, acquireN(t, p, 3)...)
		synctest.Wait()
		require.Equal(t, 6, p.Stats().Size, "MinIdle gives way to MaxSize")
		release(held...)
	})
}

func TestMaxIdleClosesABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.MaxIdle = 8, 2 })
		release(acquireN(t, p, 8)...)
		synctest.Wait()
		require.Equal(t, 2, p.Stats().Idle)
		require.Equal(t, 2, p.Stats().Size)
		none, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.MaxIdle = 1, -1 })
		held := acquire(t, none)
		waiter := begin(t.Context(), none)
		synctest.Wait()
		held.Release()
		lease := waiter.get(t)
		require.EqualValues(t, 1, lease.Conn().id, "a waiter gets it all the same")
		lease.Release()
		synctest.Wait()
		require.Zero(t, none.Stats().Size)
	})
}

func TestFault49_ACohortIsReplacedSpreadOutAndAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 20
		var mu sync.Mutex // the trace is called from many goroutines
		var closed []time.Duration
		began := time.Now()
		p, f := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize, c.MinSize, c.IdleTimeout = 2*n, n, -1
			c.Trace = &Trace{Closed: func(i ClosedInfo) {
				if i.Reason == ClosedLifetime {
					mu.Lock()
					defer mu.Unlock()
					closed = append(closed, time.Since(began))
				}
			}}
		})
		require.NoError(t, p.Warm(t.Context()))
		fewest := n
		for time.Since(began) < defaultMaxLifetime {
			pass(500 * time.Millisecond)
			fewest = min(fewest, p.Stats().Idle)
		}
		require.Equal(t, n, fewest, "a replacement was open before each closed")
		mu.Lock()
		defer mu.Unlock()
		require.Len(t, closed, n)
		require.GreaterOrEqual(t, closed[0], defaultMaxLifetime*9/10-p.period)
		busiest := 0
		for i := range closed {
			together := 0
			for _, at := range closed[i:] {
				if at-closed[i] < time.Second {
					together++
				}
			}
			busiest = max(busiest, together)
		}
		require.LessOrEqual(t, busiest, n/2, "spread over 180 s, as far as sweeps of 15 s can")
		require.LessOrEqual(t, f.slots.peak(), int64(2*n))
		require.EqualValues(t, n, f.opens.Load()-int64(n), "one replacement each")
	})
}

func TestNoConnectionIsLentPastItsLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.MaxLifetime = 2, 10*time.Second })
		began := time.Now()
		for time.Since(began) < time.Minute {
			lease := acquire(t, p)
			require.Less(t, p.now()-time.Duration(lease.seat.born.Load()), 10*time.Second)
			time.Sleep(130 * time.Millisecond)
			lease.Release()
		}
		require.GreaterOrEqual(t, p.Stats().Closes[ClosedLifetime], uint64(5))
	})
}

func TestALeaseOutlivesMaxLifetimeAndItsConnectionClosesOnReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.LeakThreshold = 1, -1 })
		lease := acquire(t, p)
		pass(2 * defaultMaxLifetime)
		require.Zero(t, f.closes.Load())
		lease.Release()
		synctest.Wait()
		require.EqualValues(t, 1, p.Stats().Closes[ClosedLifetime])
	})
}

func TestAConnectionIdleForLongIsCheckedBeforeItIsLent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checks atomic.Int64
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize = 1
			c.Check = func(context.Context, *fakeConn) error { checks.Add(1); return nil }
		})
		acquire(t, p).Release()
		pass(500 * time.Millisecond)
		acquire(t, p).Release()
		require.Zero(t, checks.Load())
		pass(defaultCheckAfterIdle + defaultCheckAfterIdle/4*2)
		acquire(t, p).Release()
		require.EqualValues(t, 1, checks.Load())
		acquire(t, p).Release()
		require.EqualValues(t, 1, checks.Load(), "a check is good for a while")
	})
}

func TestIdleConnectionsAreCheckedInTheBackgroundAFewAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checks atomic.Int64
		var at gauge
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize, c.IdleTimeout, c.MaxLifetime = 8, -1, -1
			c.Check = func(context.Context, *fakeConn) error {
				at.add(1)
				defer at.add(-1)
				time.Sleep(10 * time.Millisecond)
				checks.Add(1)
				return nil
			}
		})
		release(acquireN(t, p, 8)...)
		pass(10 * time.Minute)
		require.InDelta(t, 8*9, checks.Load(), 16)
		require.EqualValues(t, 2, at.peak(), "a quarter of the idle")
		require.Equal(t, 8, p.Stats().Idle)
	})
}

func TestOneDeadConnectionMakesTheOthersSuspect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checks atomic.Int64
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize = 4
			c.Check = func(context.Context, *fakeConn) error { checks.Add(1); return ErrBadConn }
		})
		held := acquireN(t, p, 3)
		release(held[1:]...)
		held[0].Discard(ErrBadConn) // the server was restarted: all three are dead
		lease := acquire(t, p)
		require.EqualValues(t, 4, lease.Conn().id)
		lease.Release()
		synctest.Wait()
		require.Positive(t, checks.Load())
		require.NoError(t, p.Do(t.Context(), func(_ context.Context, c *fakeConn) error {
			require.GreaterOrEqual(t, c.id, int64(4))
			return nil
		}))
	})
}

func TestACancelledQueryMakesNobodySuspect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize = 2
			c.Check = func(context.Context, *fakeConn) error { t.Error("checked"); return nil }
		})
		held := acquireN(t, p, 2)
		held[0].Release()
		held[1].ReleaseErr(context.DeadlineExceeded)
		acquire(t, p).Release()
	})
}

func TestAFailedCheckIsFollowedByTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closing := make(chan struct{})
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize = 2
			var checks atomic.Int64
			c.Check = func(context.Context, *fakeConn) error {
				if checks.Add(1) == 1 {
					return ErrBadConn
				}
				return nil
			}
			shut := c.Close
			c.Close = func(ctx context.Context, conn *fakeConn) error { <-closing; return shut(ctx, conn) }
		})
		release(acquireN(t, p, 2)...)
		pass(2 * time.Second)
		waiter := begin(t.Context(), p)
		waiter.get(t).Release() // though the first one's slot is not empty yet
		close(closing)
	})
}

// All nine are due and the check of the first that is met hangs. The next sweep
// proves another where it lies.
func TestFault90_AConnectionProvedGoodDoesNotLieBehindOneWhoseCheckHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checks atomic.Int64
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize, c.CheckAfterIdle, c.CheckInterval = 9, time.Second, 2*time.Second
			c.Check = func(ctx context.Context, _ *fakeConn) error {
				if checks.Add(1) == 1 {
					<-ctx.Done()
				}
				return ctx.Err()
			}
		})
		release(acquireN(t, p, 9)...)
		pass(1900 * time.Millisecond)
		require.Zero(t, checks.Load())
		began := time.Now()
		acquire(t, p).Release()
		require.Less(t, time.Since(began), time.Second)
		require.Greater(t, checks.Load(), int64(1))
	})
}

func TestASlowCheckOfASuspectDoesNotKeepABorrowerFromDialling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize = 4
			c.Check = func(ctx context.Context, _ *fakeConn) error { <-ctx.Done(); return ctx.Err() }
		})
		held := acquireN(t, p, 3)
		release(held[1:]...)
		held[0].Discard(ErrBadConn)
		began := time.Now()
		acquire(t, p).Release()
		require.Zero(t, time.Since(began))
	})
}

func TestAnUnsureAliveHasTheConnectionCheckedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checks gauge
		var total atomic.Int64
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize = 4
			c.Alive = func(*fakeConn) error { return ErrUnsure }
			c.Check = func(context.Context, *fakeConn) error {
				checks.add(1)
				defer checks.add(-1)
				total.Add(1)
				time.Sleep(time.Millisecond)
				return nil
			}
		})
		release(acquireN(t, p, 4)...) // dialled just now: good enough
		require.Zero(t, total.Load())
		acquire(t, p).Release()
		require.EqualValues(t, 1, total.Load(), "one borrower, one check")
		require.EqualValues(t, 5, p.Stats().Acquires)
		lease, err := p.TryAcquire(t.Context())
		require.ErrorIs(t, err, ErrNoneIdle)
		lease.Release()
		pass(time.Second / 10)
		requireNoLoss(t, p, 4)
	})
}

func requireNoLoss(t *testing.T, p *Pool[*fakeConn], size int) {
	t.Helper()
	s := p.Stats()
	require.Equal(t, size, s.Size, "%+v", s)
	require.Equal(t, size, s.Idle, "%+v", s)
}

func TestWithoutACheckAnUnsureConnectionIsDestroyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize = 1
			c.Alive = func(*fakeConn) error { return ErrUnsure }
		})
		acquire(t, p).Release()
		lease := acquire(t, p)
		require.EqualValues(t, 2, lease.Conn().id)
		lease.Release()
	})
}

func TestFault48_TheReaperAndAPopAtOnceLoseNothing(t *testing.T) {
	// No bubble: sweeps and borrowers race for the same slots.
	p, f := newPool(t, func(c *Config[*fakeConn]) {
		c.MaxSize, c.IdleTimeout = 4, time.Millisecond
		c.Check = func(context.Context, *fakeConn) error { return nil }
		c.CheckInterval = time.Millisecond
		c.LeakThreshold = -1
	})
	p.mu.Lock()
	p.cfg.IdleTimeout, p.cfg.CheckInterval = 1, 1 // so that every sweep claims
	p.mu.Unlock()
	stop := make(chan struct{})
	swept := make(chan struct{})
	go func() {
		defer close(swept)
		for {
			select {
			case <-stop:
				return
			default:
				p.sweep(p.now())
			}
		}
	}()
	hammer(t, p, 8, 3000)
	close(stop)
	<-swept
	s := p.Stats()
	require.Zero(t, s.InUse)
	require.LessOrEqual(t, f.slots.peak(), int64(4))
}

func TestFault50_AfterAStandstillIdleConnectionsAreCheckedAndNotEvicted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checks atomic.Int64
		p, f := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize = 8
			c.Check = func(context.Context, *fakeConn) error { checks.Add(1); return nil }
			c.CheckInterval = -1
		})
		release(acquireN(t, p, 8)...)
		p.sweeper.Stop() // the machine stands still: no timer fires, the clock jumps
		pass(2 * time.Hour)
		p.sweep(p.epoch.Sub(p.epoch) + time.Second) // due long ago
		synctest.Wait()
		require.Zero(t, f.closes.Load(), "nothing is evicted because the clock has jumped")
		acquire(t, p).Release()
		require.EqualValues(t, 1, checks.Load(), "but nothing is lent unchecked")
	})
}

func TestAPoolAtRestWakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize, c.IdleTimeout, c.MaxLifetime, c.CheckInterval = 8, -1, -1, -1
			c.Check = func(context.Context, *fakeConn) error { return nil }
		})
		held := acquireN(t, p, 4)
		held[0].KeepLong()
		release(held[1:]...)
		pass(10 * time.Minute)
		began := p.lastSweep()
		pass(24 * time.Hour)
		require.Equal(t, began, p.lastSweep(), "the sweep has run though nothing could have changed")
		held[0].Release()
		pass(time.Minute)
		require.Greater(t, p.lastSweep(), began, "a release stirs it")
		at := p.lastSweep()
		acquire(t, p).Release()
		pass(time.Minute)
		require.Greater(t, p.lastSweep(), at, "and so does an acquire")
	})
}

func (p *Pool[T]) lastSweep() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.sweep.at
}

func TestAcquireIdleDoesNotLaunderASuspect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize = 2
			c.Check = func(_ context.Context, conn *fakeConn) error {
				if conn.id <= 2 {
					return ErrBadConn
				}
				return nil
			}
		})
		held := acquireN(t, p, 2)
		held[1].Release()
		held[0].Discard(ErrBadConn) // the other one is dead too
		release(p.AcquireIdle()...)
		lease := acquire(t, p)
		require.Greater(t, lease.Conn().id, int64(2), "a dead connection was lent unchecked")
		lease.Release()
	})
}

func TestALongResetDoesNotOutliveTheLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize, c.MaxLifetime, c.LifetimeJitter = 1, 5*time.Second, -1
			c.Reset = func(context.Context, *fakeConn) error { time.Sleep(2 * time.Second); return nil }
		})
		first := acquire(t, p)
		conn := first.Conn()
		time.Sleep(3400 * time.Millisecond)
		first.Release() // the sweep goes by while it is reset
		again := acquire(t, p)
		require.NotSame(t, conn, again.Conn())
		again.Release()
	})
}

// The replacement that MinSize asks for ahead of time would be closed at once, and
// dialled again.
func TestAReplacementThatMaxIdleWouldNotLetStayIsNotDialledForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, f := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize, c.MinSize, c.MaxIdle, c.MaxLifetime, c.LifetimeJitter = 5, 1, 1, 5*time.Second, -1
		})
		pass(6 * time.Second)
		require.LessOrEqual(t, f.dials.Load(), int64(3))
	})
}

func TestNoMoreThanMaxIdleAreIdleAfterAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.MaxIdle = 4, 1 })
		leases := acquireN(t, p, 4)
		ctx, cancel := context.WithCancel(t.Context())
		waiter := begin(ctx, p)
		synctest.Wait()
		p.Pause()
		release(leases...)
		cancel()
		require.ErrorIs(t, waiter.fails(t), context.Canceled)
		p.Resume()
		synctest.Wait()
		require.Equal(t, 1, p.Stats().Idle)
	})
}

// Nobody borrows: the only connection is checked, again and again.
func TestFault61_TheLastIdleConnectionIsKeptAlive(t *testing.T) {
	for _, size := range []int{1, 4} {
		synctest.Test(t, func(t *testing.T) {
			var checks atomic.Int64
			p, f := newPool(t, func(c *Config[*fakeConn]) {
				c.MaxSize, c.IdleTimeout, c.MaxLifetime = size, -1, -1
				c.CheckInterval = time.Minute
				c.Check = func(context.Context, *fakeConn) error { checks.Add(1); return nil }
			})
			acquire(t, p).Release()
			pass(time.Hour)
			require.InDelta(t, 55, checks.Load(), 7)
			require.Len(t, f.made(), 1)
		})
	}
}

// The keep-alive of a connection that a firewall has forgotten lasts as long as
// CheckTimeout. A caller that comes meanwhile is served by a dial, where it may.
func TestFault61_AKeepAliveThatHangsHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checking atomic.Bool
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize, c.IdleTimeout, c.CheckInterval = 2, -1, time.Minute
			c.Check = func(ctx context.Context, _ *fakeConn) error {
				checking.Store(true)
				<-ctx.Done()
				return ctx.Err()
			}
		})
		acquire(t, p).Release()
		for !checking.Load() {
			time.Sleep(100 * time.Millisecond)
		}
		began := time.Now()
		acquire(t, p).Release()
		require.Zero(t, time.Since(began))
		pass(time.Minute)
	})
}

// The slot moves between the sweep's look at its word and the mark: nothing stirs
// the sweep for that, which must not go to sleep then.
func TestASlotThatMovesUnderTheSweepIsLookedAtAgain(t *testing.T) {
	p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.LeakThreshold = 1, time.Minute })
	acquire(t, p).Release()
	s := p.seats.at(0)
	p.mu.Lock()
	defer p.mu.Unlock()
	idle := s.word.Load()
	s.word.Store(idle.Lend())
	c := census{now: p.now(), next: off}
	p.markIdle(s, idle, false, &c)
	require.Equal(t, c.now+p.period, c.next, "lent meanwhile")

	var todo chores[*fakeConn]
	c.next = off
	s.word.Store(s.word.Load().To(slot.Resetting))
	p.judge(s, &c, &todo)
	require.Equal(t, c.now+p.period, c.next, "on its way back")
	s.word.Store(idle.Lend())

	c.next = off
	leased := s.word.Load()
	s.seenTurn, s.seenAt = leased.Turn(), c.now
	s.word.Store(idle)
	p.judgeLeased(s, leased, off, false, &c)
	require.Equal(t, c.now+p.period, c.next, "returned meanwhile")
}

// Resets are under way at each sweep: they are no checks.
func TestFault61_ResetsDoNotKeepIdleConnectionsFromBeingKeptAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checks atomic.Int64
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize, c.CheckInterval, c.CheckAfterIdle = 8, 10*time.Second, -1
			c.IdleTimeout, c.MaxLifetime = -1, -1
			c.Check = func(context.Context, *fakeConn) error { checks.Add(1); return nil }
			c.Reset = func(context.Context, *fakeConn) error { time.Sleep(time.Hour); return nil }
			c.CheckTimeout = 2 * time.Hour
		})
		leases := acquireN(t, p, 8)
		for _, lease := range leases {
			lease.Release()
		}
		pass(61 * time.Minute)
		release(acquireN(t, p, 3)...) // whose resets last while the others are idle
		before := checks.Load()
		pass(10 * time.Minute)
		require.Greater(t, checks.Load()-before, int64(5*30))
		pass(time.Hour)
	})
}
