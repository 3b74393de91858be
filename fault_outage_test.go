package connpool

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// These tests are about what a pool does while its server cannot be reached: which
// callers it fails and when, and how often it dials.

// outages records when outages begin and end.
type outages struct{ began, ended atomic.Int64 }

func (o *outages) trace() *Trace {
	return &Trace{Outage: func(info OutageInfo) {
		if info.Began {
			o.began.Add(1)
		} else {
			o.ended.Add(1)
		}
	}}
}

// require checks how many outages have begun and ended.
func (o *outages) require(t *testing.T, began, ended int64) {
	t.Helper()
	synctest.Wait()
	require.Equal(t, [2]int64{began, ended}, [2]int64{o.began.Load(), o.ended.Load()})
}

// failsAtOnce checks that an acquire fails with target and without a wait.
func failsAtOnce(t *testing.T, p *Pool[*fakeConn], target error) {
	t.Helper()
	began := time.Now()
	_, err := p.Acquire(t.Context())
	var failed *AcquireError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, StageConnect, failed.Stage, "%v", err)
	require.ErrorIs(t, err, target)
	require.Zero(t, time.Since(began))
}

func TestFault58_ALeaseThatWillNotReturnIsNoHopeInAnOutage(t *testing.T) {
	for name, hold := range map[string]func(p *Pool[*fakeConn], lease Lease[*fakeConn]){
		"a listener":              func(_ *Pool[*fakeConn], l Lease[*fakeConn]) { l.KeepLong() },
		"a leak":                  func(*Pool[*fakeConn], Lease[*fakeConn]) { time.Sleep(time.Minute) },
		"closed when it is back":  func(p *Pool[*fakeConn], _ Lease[*fakeConn]) { p.Retire() },
		"too old when it is back": func(*Pool[*fakeConn], Lease[*fakeConn]) { time.Sleep(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told outages
				p, f := newPool(t, func(c *Config[*fakeConn]) { c.Trace = told.trace() })
				acquire(t, p).Release()
				lease := acquire(t, p)
				hold(p, lease)
				f.failWith(errRefused)
				began := time.Now()
				acquireFails(t.Context(), p)
				require.Equal(t, defaultDownAfter, time.Since(began))
				failsAtOnce(t, p, errRefused)
				told.require(t, 1, 0)
				require.ErrorIs(t, p.Warm(t.Context()), errRefused)

				f.failWith(nil)
				time.Sleep(defaultBackoffMax)
				require.NoError(t, p.Warm(t.Context()))
				acquire(t, p).Release()
				told.require(t, 1, 1)
				lease.Release()
			})
		})
	}
}

func TestFault58_ALeaseThatMarksItselfAsLongDuringAnOutageIsNoHope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		acquire(t, p).Release()
		f.failWith(errRefused)
		long := acquire(t, p)
		waiter := begin(t.Context(), p)
		time.Sleep(100 * time.Millisecond)
		long.Release()
		again := waiter.get(t) // since the dials began to fail
		second := begin(t.Context(), p)
		time.Sleep(2 * time.Second)
		require.False(t, second.isDone(), "what moves may come back")
		again.KeepLong()
		time.Sleep(defaultBackoffMax + defaultDownAfter)
		require.ErrorIs(t, second.fails(t), errRefused)
		again.Release()
	})
}

// TestFault58_ALeaseThatStaysIsNoHopeInTheEnd: it was lent after dials had begun to
// fail.
func TestFault58_ALeaseThatStaysIsNoHopeInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		first := acquire(t, p)
		f.failWith(errRefused)
		waiter := begin(t.Context(), p)
		time.Sleep(100 * time.Millisecond)
		first.Release()
		leaked := waiter.get(t)
		_, err := p.Acquire(within(t, 3*time.Second))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		began := time.Now()
		require.NotErrorIs(t, acquireFails(t.Context(), p), context.DeadlineExceeded)
		require.LessOrEqual(t, time.Since(began), 4*time.Second)
		failsAtOnce(t, p, errRefused)
		leaked.Release()
	})
}

// TestFault58_AServerThatIsFullIsNoOutage: what is lent is lent for longer than
// DownAfter, but was lent since dials began to fail.
func TestFault58_AServerThatIsFullIsNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told outages
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.Trace = told.trace() })
		release(acquireN(t, p, 3)...)
		f.failWith(errRefused)
		held := acquireN(t, p, 3)
		waiter := begin(t.Context(), p)
		time.Sleep(defaultDownAfter / 2)
		held[0].Release()
		lease := waiter.get(t)
		waiter = begin(t.Context(), p)
		time.Sleep(3 * defaultDownAfter)
		require.False(t, waiter.isDone())
		lease.Release()
		waiter.get(t).Release()
		release(held[1:]...)
		told.require(t, 0, 0)
	})
}

var errPassword = errors.New("password authentication failed")

func TestFault59_APermanentErrorFailsWaitersAtOnce(t *testing.T) {
	for _, downAfter := range []time.Duration{0, -1, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			var told outages
			var book logbook
			p, f := newPool(t, func(c *Config[*fakeConn]) {
				c.DownAfter, c.Trace, c.Logger = downAfter, told.trace(), book.logger()
			})
			f.failWith(fmt.Errorf("connect: %w", Permanent(errPassword)))
			failsAtOnce(t, p, errPassword)
			failsAtOnce(t, p, errPassword)
			require.ErrorIs(t, p.Warm(t.Context()), errPassword)
			time.Sleep(time.Hour)
			told.require(t, 1, 0)
			require.Len(t, book.lines("outage began"), 1)
			reminders := len(book.lines("outage goes on"))
			require.LessOrEqual(t, reminders, 6, "in an hour")
			require.Len(t, book.lines("level=WARN"), 1+reminders, "%s", book.String())
		})
	}
}

func TestFault59_WarmReturnsAPermanentErrorAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.MinSize = 3 })
		synctest.Wait()
		f.failWith(Permanent(errPassword))
		p.Retire()
		began := time.Now()
		require.ErrorIs(t, p.Warm(t.Context()), errPassword)
		require.ErrorIs(t, p.Warm(t.Context()), errPassword)
		require.Zero(t, time.Since(began))
	})
}

// logins returns how many dials there are in a time in which a caller comes every
// so often, or none if that is 0.
func logins(t *testing.T, f *factory, p *Pool[*fakeConn], every, lasting time.Duration) int64 {
	t.Helper()
	before, until := f.dials.Load(), time.Now().Add(lasting)
	for every > 0 && time.Now().Before(until) {
		_, err := p.Acquire(within(t, time.Minute))
		require.Error(t, err)
		time.Sleep(every)
	}
	time.Sleep(time.Until(until))
	return f.dials.Load() - before
}

func TestFault59_AWrongPasswordIsTriedSeldom(t *testing.T) {
	for _, tc := range []struct {
		every   time.Duration
		minSize int
	}{{0, 0}, {0, 3}, {time.Second, 0}, {10 * time.Millisecond, 3}, {time.Minute, 0}} {
		t.Run(fmt.Sprint(tc), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, f := newPool(t, func(c *Config[*fakeConn]) { c.MinSize = tc.minSize })
				synctest.Wait()
				f.failWith(Permanent(errPassword))
				p.Retire()
				p.Acquire(within(t, time.Minute))
				require.LessOrEqual(t, logins(t, f, p, tc.every, 15*time.Minute), int64(10))
				require.LessOrEqual(t, logins(t, f, p, tc.every, time.Hour), int64(25))

				f.failWith(nil)
				for range 5 {
					time.Sleep(time.Minute)
					if lease, err := p.Acquire(within(t, time.Minute)); err == nil {
						lease.Release()
					}
				}
				acquire(t, p).Release()
			})
		})
	}
}

// TestFault59_WithNobodyThereADeadServerIsHardlyDialled, and a caller that comes gets a
// dial at once, and its outcome rather than an error of long ago.
func TestFault59_WithNobodyThereADeadServerIsHardlyDialled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		f.failWith(errRefused)
		acquireFails(t.Context(), p)
		require.LessOrEqual(t, logins(t, f, p, 0, 30*time.Second), int64(20))
		require.LessOrEqual(t, logins(t, f, p, 0, time.Hour), int64(80))

		again := errors.New("no route to host")
		f.failWith(again)
		time.Sleep(2 * defaultBackoffMax)
		failsAtOnce(t, p, again)
		f.failWith(nil)
		f.delayBy(100 * time.Millisecond)
		time.Sleep(defaultBackoffMax)
		began := time.Now()
		acquire(t, p).Release()
		require.LessOrEqual(t, time.Since(began), 100*time.Millisecond)
	})
}

// TestFault59_WhoComesAfterAQuietTimeWaitsForAHungDialForDownAfter at most.
func TestFault59_WhoComesAfterAQuietTimeWaitsForAHungDialForDownAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		f.failWith(errRefused)
		acquireFails(t.Context(), p)
		time.Sleep(time.Hour)
		synctest.Wait()
		f.hang()
		began := time.Now()
		acquireFails(t.Context(), p)
		require.LessOrEqual(t, time.Since(began), defaultDownAfter)
		failsAtOnce(t, p, errRefused)
	})
}

func TestFault59_AMinimumIsFilledAtTheUsualPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.MinSize = 2 })
		synctest.Wait()
		f.failWith(errRefused)
		p.Retire()
		time.Sleep(time.Hour)
		f.failWith(nil)
		time.Sleep(2 * defaultBackoffMax)
		require.Equal(t, 2, p.Stats().Idle)
	})
}

// TestFault59_RetireAndResumeTryAtOnce: the password has been corrected.
func TestFault59_RetireAndResumeTryAtOnce(t *testing.T) {
	for name, tell := range map[string]func(p *Pool[*fakeConn]){
		"retire": (*Pool[*fakeConn]).Retire,
		"resume": func(p *Pool[*fakeConn]) { p.Pause(); p.Resume() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, f := newPool(t, nil)
				f.failWith(Permanent(errPassword))
				acquireFails(t.Context(), p)
				f.failWith(nil)
				failsAtOnce(t, p, errPassword)
				tell(p)
				acquire(t, p).Release()
			})
		})
	}
}

func TestFault87_InAPoolOfOneDownAfterIsNoticedDuringADial(t *testing.T) {
	for name, edit := range map[string]func(*Config[*fakeConn]){
		"MaxSize 1":           func(c *Config[*fakeConn]) { c.MaxSize = 1 },
		"a Sizer's limit":     func(c *Config[*fakeConn]) { c.MaxSize, c.Sizer = 4, &fixedSizer{1} },
		"a window of one":     func(c *Config[*fakeConn]) { c.MaxConnecting = 1 },
		"MaxSize 2, one held": func(c *Config[*fakeConn]) { c.MaxSize = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, f := newPool(t, edit)
				if p.cfg.MaxSize == 2 {
					lease := acquire(t, p)
					lease.KeepLong()
					defer lease.Release()
				}
				if p.cfg.Sizer != nil {
					p.mu.Lock()
					claimed := p.limitLocked(1)
					p.mu.Unlock()
					p.limited(claimed)
				}
				f.failWith(errRefused)
				waiter := begin(t.Context(), p)
				synctest.Wait()
				f.hang()
				time.Sleep(defaultDownAfter)
				synctest.Wait()
				require.ErrorIs(t, waiter.fails(t), errRefused)
				failsAtOnce(t, p, errRefused)
			})
		})
	}
}

type fixedSizer struct{ limit int }

func (s *fixedSizer) Next(SizeSample) SizeDecision { return SizeDecision{Limit: s.limit} }

func TestFault91_WithoutAUnitOfTheBudgetNobodyIsFailedWithAnOldError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := NewBudget(1)
		poor, f := newPool(t, func(c *Config[*fakeConn]) { c.Budget = budget })
		f.failWith(errRefused)
		acquireFails(t.Context(), poor)
		failsAtOnce(t, poor, errRefused)

		rich, _ := newPool(t, func(c *Config[*fakeConn]) { c.Budget = budget })
		held := acquire(t, rich)
		time.Sleep(time.Hour)
		f.failWith(nil)
		waiter := begin(t.Context(), poor)
		time.Sleep(10 * time.Second)
		require.False(t, waiter.isDone(), "an error of an hour ago")
		held.Discard(nil)
		waiter.get(t).Release()
	})
}
