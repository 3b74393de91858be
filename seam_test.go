package connpool

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/internal/slot"
)

// A test for each joint between two rooms of the pool. They direct the order of
// events instead of hoping for it: inside a bubble, synctest.Wait returns only
// when every other goroutine is asleep, so what has been started has happened as
// far as it can, and time stands still until then.

// pending is an acquire on a goroutine of its own.
type pending struct {
	lease Lease[*fakeConn]
	err   error
	done  chan struct{}
}

func begin(ctx context.Context, p *Pool[*fakeConn]) *pending {
	a := &pending{done: make(chan struct{})}
	go func() {
		defer close(a.done)
		a.lease, a.err = p.Acquire(ctx)
	}()
	return a
}

// beginN begins n acquires, in order.
func beginN(ctx context.Context, p *Pool[*fakeConn], n int) []*pending {
	all := make([]*pending, n)
	for i := range all {
		all[i] = begin(ctx, p)
		synctest.Wait()
	}
	return all
}

func (a *pending) isDone() bool {
	synctest.Wait()
	select {
	case <-a.done:
		return true
	default:
		return false
	}
}

func (a *pending) get(t *testing.T) Lease[*fakeConn] {
	t.Helper()
	require.True(t, a.isDone(), "the acquire is still waiting")
	require.NoError(t, a.err)
	return a.lease
}

func (a *pending) fails(t *testing.T) error {
	t.Helper()
	require.True(t, a.isDone(), "the acquire is still waiting")
	require.Error(t, a.err)
	return a.err
}

func only(size int) func(*Config[*fakeConn]) {
	return func(c *Config[*fakeConn]) { c.MaxSize = size }
}

// plain makes a pool whose leases take the common path, which captured stacks
// would keep them from.
func plain(size int) func(*Config[*fakeConn]) {
	return func(c *Config[*fakeConn]) { c.MaxSize, c.LeakStacks = size, StacksNever }
}

// requireFull checks that every slot can be lent, and no more than that.
func requireFull(t *testing.T, p *Pool[*fakeConn], size int) {
	t.Helper()
	leases := acquireN(t, p, size)
	_, err := p.TryAcquire(t.Context())
	require.ErrorIs(t, err, ErrNoneIdle)
	release(leases...)
	synctest.Wait()
	s := p.Stats()
	require.Equal(t, size, s.Idle, "%+v", s)
	require.Equal(t, size, s.Size, "%+v", s)
}

func TestSeam01_AConnectionReturnedBeforeTheJoinIsSeenAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, plain(1))
		held := acquire(t, p)
		b := borrower[*fakeConn]{pool: p, ctx: t.Context()}
		_, _, fate := p.take(nil, nil, checkFirst)
		require.Equal(t, none, fate)
		held.Release() // pushes, and sees nobody waiting

		began := time.Now()
		s, w, err := b.wait() // joins, and must look again
		require.NoError(t, err)
		require.Zero(t, time.Since(began), "it was the sweep that found the sleeper")
		Lease[*fakeConn]{seat: s, word: w.Lease()}.Release()
	})
}

func TestSeam01_AReleaseServesWhoHasJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, plain(1))
		acquire(t, p).Release() // the first lease of a connection has marks of its own
		held := acquire(t, p)
		waiter := begin(t.Context(), p)
		require.False(t, waiter.isDone())
		held.Release()
		waiter.get(t).Release()
	})
}

func TestSeam02_TheSweepCannotHaveASlotThatIsOnItsWayToAWaiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.IdleTimeout = 1, time.Millisecond })
		held := acquire(t, p)
		waiter := begin(t.Context(), p)
		require.False(t, waiter.isDone())
		held.Release() // leased to the waiter, which has not run yet
		p.sweep(p.now())
		p.sweep(p.now())
		lease := waiter.get(t)
		require.Zero(t, lease.Conn().closes.Load())
		lease.Release()
	})
}

func TestSeam02_ANumberInHandWhoseSlotTheSweepClosesIsPassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, only(1))
		acquire(t, p).Release()
		n, ok := p.idle.Pop()
		require.True(t, ok)
		s := p.seats.at(n)
		require.True(t, s.claimIdle(s.word.Load(), slot.Closing)) // as the sweep does
		_, fate := s.claim(slot.Listed, nil, checkFirst)
		require.Equal(t, passed, fate)
		p.shut(s, ClosedIdle, nil)
		requireFull(t, p, 1)
	})
}

func TestSeam03_ACancelThatLosesGivesTheGrantBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, only(1))
		lost := 0
		for range 500 {
			held := acquire(t, p)
			ctx, cancel := context.WithCancel(t.Context())
			waiter := begin(ctx, p)
			synctest.Wait()
			cancel()
			held.Release()
			synctest.Wait()
			if waiter.err == nil {
				waiter.lease.Release()
			} else {
				lost++
				require.ErrorIs(t, waiter.err, context.Canceled)
			}
			requireFull(t, p, 1)
		}
		require.Positive(t, lost)
	})
}

func TestSeam04_AGrantGoesPastTheCancelledToTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, only(1))
		held := acquire(t, p)
		ctx, cancel := context.WithCancel(t.Context())
		first := begin(ctx, p)
		synctest.Wait()
		second := begin(t.Context(), p)
		synctest.Wait()
		cancel()
		require.ErrorIs(t, first.fails(t), context.Canceled)
		held.Release()
		second.get(t).Release()
		require.Equal(t, 1, p.Stats().Idle)
	})
}

func TestSeam05_ASlotCheckedWhereItLiesIsNeitherLostNorListedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		checking := make(chan error)
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize = 2
			c.Check = func(context.Context, *fakeConn) error { return <-checking }
		})
		release(acquireN(t, p, 2)...)
		s := p.seats.at(0)
		claim := func() {
			w := s.word.Load()
			require.True(t, s.claimIdle(w, slot.Checking))
			p.check(s, w)
		}

		claim() // and nobody pops it meanwhile: it must not be pushed again
		checking <- nil
		synctest.Wait()
		require.Equal(t, 2, p.Stats().Idle)
		requireFull(t, p, 2)

		claim() // and somebody pops it meanwhile: it must be pushed again, and served
		leases := []*pending{begin(t.Context(), p), begin(t.Context(), p)}
		synctest.Wait()
		require.Equal(t, 1, p.Stats().Waiting)
		require.False(t, s.word.Load().Has(slot.Listed))
		checking <- nil
		for _, a := range leases {
			a.get(t).Release()
		}
		requireFull(t, p, 2)
	})
}

// lentWhereItLies returns a lease of a slot that is still in its cell.
func lentWhereItLies(t *testing.T, p *Pool[*fakeConn]) Lease[*fakeConn] {
	t.Helper()
	acquire(t, p).Release() // popped
	lease := acquire(t, p)
	require.True(t, lease.word.Has(slot.Listed))
	return lease
}

func TestSeam05_ASlotLentWhereItLiesIsPutBackIfItsNumberIsPopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, plain(1))
		lease := lentWhereItLies(t, p)
		waiter := begin(t.Context(), p) // pops the number, and finds it lent
		require.False(t, waiter.isDone())
		require.False(t, lease.seat.word.Load().Has(slot.Listed))
		lease.Release()
		waiter.get(t).Release()
		requireFull(t, p, 1)
	})
}

func TestSeam05_ASlotLentWhereItLiesIsNotListedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, plain(1))
		lentWhereItLies(t, p).Release()
		n, ok := p.idle.Pop()
		require.True(t, ok)
		require.EqualValues(t, 0, n)
		_, ok = p.idle.Pop()
		require.False(t, ok)
		p.idle.Push(n)
		requireFull(t, p, 1)
	})
}

func TestSeam05_WhoPopsASlotThatIsLentAndReturnedMeanwhileHasIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, plain(1))
		lease := lentWhereItLies(t, p)
		n, ok := p.idle.Pop()
		require.True(t, ok)
		lease.Release() // plainly: nobody has said anything of its slot yet
		_, fate := p.seats.at(n).claim(slot.Listed, nil, checkFirst)
		require.Equal(t, taken, fate)
		require.Equal(t, 1, p.Stats().InUse)
		Lease[*fakeConn]{seat: p.seats.at(n), word: p.seats.at(n).word.Load()}.Release()
		requireFull(t, p, 1)
	})
}

func TestSeam05_ASlotHeldForLongDoesNotKeepItsCellFromOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, plain(2))
		release(acquireN(t, p, 2)...)
		release(acquireN(t, p, 2)...) // the first lease of a connection has marks of its own
		held := acquire(t, p)
		require.True(t, held.word.Has(slot.Listed))
		tries := 0
		for found := false; !found; tries++ {
			lease := acquire(t, p)
			found = lease.word.Has(slot.Listed)
			lease.Release()
		}
		require.Greater(t, tries, 1)
		held.Release()
		requireFull(t, p, 2)
	})
}

func TestSeam06_ASlotIsEmptyOnlyAfterItsConnectionHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closing := make(chan struct{})
		p, f := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize = 1
			shut := c.Close
			c.Close = func(ctx context.Context, conn *fakeConn) error { <-closing; return shut(ctx, conn) }
		})
		acquire(t, p).Discard(nil)
		waiter := begin(t.Context(), p)
		require.False(t, waiter.isDone())
		require.EqualValues(t, 1, f.dials.Load())
		require.Equal(t, 1, p.Stats().Closing)
		close(closing)
		waiter.get(t).Release()
		require.EqualValues(t, 2, f.dials.Load())
	})
}

func TestSeam07_WhatIsReturnedWhileThePoolClosesIsClosed(t *testing.T) {
	// No bubble: real goroutines race. Whatever the order, the fixture counts
	// afterwards that all that was opened has been closed, once.
	for range 200 {
		p, _ := newPool(t, only(8))
		leases := acquireN(t, p, 8)
		var wg sync.WaitGroup
		for _, lease := range leases {
			wg.Go(lease.Release)
		}
		wg.Go(func() { p.Close() })
		wg.Wait()
		require.NoError(t, p.Shutdown(within(t, 10*time.Second)))
		require.Zero(t, p.Stats().Size)
	}
}

func TestSeam08_NobodyJoinsTheQueueOfAClosedPool(t *testing.T) {
	for range 200 {
		p, _ := newPool(t, only(1))
		held := acquire(t, p)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				_, err := p.Acquire(within(t, time.Minute))
				if !errors.Is(err, ErrClosed) {
					t.Errorf("an acquire on a closing pool ended with %v", err)
				}
			})
		}
		wg.Go(func() { p.Close() })
		wg.Wait()
		held.Release()
	}
}

func TestSeam09_CloseRetireAndResizeReachADialUnderWay(t *testing.T) {
	for name, act := range map[string]func(*Pool[*fakeConn]){
		"close":  func(p *Pool[*fakeConn]) { p.Close() },
		"retire": func(p *Pool[*fakeConn]) { p.Retire() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, f := newPool(t, only(1))
				f.hang()
				waiter := begin(t.Context(), p)
				synctest.Wait()
				act(p)
				f.unhang()
				synctest.Wait()
				require.EqualValues(t, 1, f.made()[0].closes.Load(), "the old dial's result was kept")
				if name == "close" {
					require.ErrorIs(t, waiter.fails(t), ErrClosed)
					return
				}
				lease := waiter.get(t)
				require.EqualValues(t, 2, lease.Conn().id)
				lease.Release()
			})
		})
	}
}

func TestSeam09_RetireReachesACheckUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		checking := make(chan error)
		p, f := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize = 1
			c.Check = func(context.Context, *fakeConn) error { return <-checking }
		})
		acquire(t, p).Release()
		time.Sleep(2 * time.Second) // idle for long enough to be checked
		waiter := begin(t.Context(), p)
		require.False(t, waiter.isDone())
		p.Retire()
		checking <- nil
		lease := waiter.get(t)
		require.EqualValues(t, 2, lease.Conn().id)
		require.EqualValues(t, 1, f.made()[0].closes.Load())
		lease.Release()
	})
}

func TestSeam10_ADialOutlivesItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, only(1))
		f.delayBy(50 * time.Millisecond)
		impatient := begin(within(t, 20*time.Millisecond), p)
		time.Sleep(21 * time.Millisecond)
		require.ErrorIs(t, impatient.fails(t), context.DeadlineExceeded)
		lease, err := p.Acquire(within(t, 30*time.Millisecond))
		require.NoError(t, err)
		lease.Release()
		require.EqualValues(t, 1, f.dials.Load())
	})
}

func TestSeam11_AFailedDialIsTriedAgainWhenTheBackoffEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, only(1))
		f.failWith(errors.New("refused"))
		waiter := begin(t.Context(), p)
		require.False(t, waiter.isDone(), "one failed dial fails nobody")
		f.failWith(nil)
		time.Sleep(defaultBackoffMin)
		waiter.get(t).Release()
	})
}

func TestSeam13_AWaiterThatMayNotDialIsServedWhatComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.MaxConnecting = 4, 1 })
		held := acquire(t, p)
		f.hang()
		waiters := beginN(t.Context(), p, 2) // the window is full with the first one's dial
		require.EqualValues(t, 2, f.dials.Load())
		held.Release()
		require.True(t, waiters[0].isDone())
		waiters[0].get(t).Release()
		waiters[1].get(t).Release()
	})
}

func TestSeam14_OneOfManyEndsOfALeaseWins(t *testing.T) {
	for range 300 {
		p, f := newPool(t, only(2))
		lease := acquire(t, p)
		var wg sync.WaitGroup
		wg.Go(lease.Release)
		wg.Go(lease.Release)
		wg.Go(func() { lease.Discard(ErrBadConn) })
		wg.Go(lease.reclaim)
		wg.Go(func() { p.Close() })
		wg.Wait()
		shutdown(t, p, f)
		require.EqualValues(t, 1, f.closes.Load())
	}
}

func TestSeam14_OneOfTwoEndsAtTheSameInstantWins(t *testing.T) {
	p, _ := newPool(t, only(1))
	lease := acquire(t, p)
	var won atomic.Int64
	duel(rounds(300_000), func() {
		if _, ok := lease.tryEnd(slot.Resetting); ok {
			won.Add(1)
		}
	}, func() {
		if won.Swap(0) != 1 {
			t.Error("a lease was ended twice, or not at all")
		}
		p.publish(lease.seat, 0)
		lease = acquire(t, p)
	})
	lease.Release()
}

// duel runs act at the same time here and on another goroutine, again and again,
// a little earlier or later each time, and after each round after. Only the two
// are at work: a third would keep one of them off a machine's second processor.
func duel(rounds int, act, after func()) {
	var round, done atomic.Int64
	go func() {
		for i := range int64(rounds) {
			await(&round, i+1)
			act()
			done.Add(1)
		}
	}()
	for i := range int64(rounds) {
		round.Store(i + 1)
		spin(int(i % 127))
		act()
		await(&done, i+1)
		after()
	}
}

func TestSeam15_AShrinkIsPaidByReleasesAndAGrowthServesThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, only(8))
		leases := acquireN(t, p, 8)
		require.NoError(t, p.Resize(3))
		require.Equal(t, 8, p.Stats().Size)
		release(leases[:5]...)
		synctest.Wait()
		require.Equal(t, 3, p.Stats().Size)
		waiters := beginN(t.Context(), p, 4)
		release(leases[5:]...)
		synctest.Wait()
		require.EqualValues(t, 5, f.closes.Load(), "the rest keep their connections")
		require.False(t, waiters[3].isDone())
		require.NoError(t, p.Resize(4))
		for _, a := range waiters {
			a.get(t).Release()
		}
		requireFull(t, p, 4)
	})
}

func TestSeam16_RetireDialsForThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, only(2))
		held := acquireN(t, p, 2)
		waiter := begin(t.Context(), p)
		synctest.Wait()
		p.Retire()
		require.False(t, waiter.isDone())
		held[0].Release()
		lease := waiter.get(t)
		require.EqualValues(t, 3, lease.Conn().id)
		lease.Release()
		held[1].Release()
	})
}

func TestSeam17_NothingIsGrantedWhilePaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, only(2))
		held := acquire(t, p)
		p.Pause()
		waiters := beginN(t.Context(), p, 2)
		held.Release()
		require.False(t, waiters[0].isDone())
		_, err := p.TryAcquire(t.Context())
		require.ErrorIs(t, err, ErrNoneIdle)
		require.EqualValues(t, 1, f.dials.Load(), "a paused pool dials nothing")
		p.Resume()
		for _, a := range waiters {
			a.get(t).Release()
		}
	})
}

func TestSeam18_TryAcquireDialsOnlyWhatCanStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		f.hang()
		for range 5 {
			_, err := p.TryAcquire(t.Context())
			require.ErrorIs(t, err, ErrNoneIdle)
		}
		synctest.Wait()
		require.EqualValues(t, 1, f.dials.Load(), "one dial at a time is enough")
		f.unhang()
		synctest.Wait()
		lease, err := p.TryAcquire(t.Context())
		require.NoError(t, err)
		lease.Release()

		none, g := newPool(t, func(c *Config[*fakeConn]) { c.MaxIdle = -1 })
		_, err = none.TryAcquire(t.Context())
		require.ErrorIs(t, err, ErrNoneIdle)
		synctest.Wait()
		require.Zero(t, g.dials.Load(), "what would be closed at once is not dialled")
	})
}

func TestSeam18_TryAcquireWaitsOutTheBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.BackoffMin, c.BackoffMax = time.Hour, time.Hour })
		f.failWith(errors.New("refused"))
		for range 5 {
			p.TryAcquire(t.Context())
			synctest.Wait()
		}
		require.EqualValues(t, 1, f.dials.Load())
	})
}

func TestSeam19_TimeZeroIsATimeLikeAnyOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.LeakStacks = 1, StacksAlways })
		lease := acquire(t, p) // at the pool's time 0
		require.Equal(t, time.Duration(lease.seat.since.Load()), time.Duration(0))
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		require.EqualValues(t, 1, p.Stats().Leaks)
		require.GreaterOrEqual(t, p.Stats().OldestLease, time.Minute)
		lease.Release()
	})
}
