package connpool

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// These tests are about what a pool tells of a server that cannot be reached, or
// that gives fewer connections than are wanted.

func TestFault60_ALongOutageIsToldNowAndThenWithHowManyAcquiresHaveFailed(t *testing.T) {
	for _, every := range []time.Duration{time.Second, 0} {
		synctest.Test(t, func(t *testing.T) {
			var book logbook
			p, f := newPool(t, func(c *Config[*fakeConn]) { c.Logger = book.logger() })
			f.failWith(errRefused)
			p.Acquire(t.Context())
			began := time.Now()
			failed := 1
			for time.Since(began) < 20*time.Minute {
				if every == 0 {
					time.Sleep(20 * time.Minute)
					break
				}
				time.Sleep(every)
				_, err := p.Acquire(t.Context())
				require.ErrorIs(t, err, ErrUnreachable)
				failed++
			}
			f.failWith(nil)
			time.Sleep(10 * time.Minute)
			if every == 0 {
				require.LessOrEqual(t, len(book.lines("outage goes on")), 4)
				require.GreaterOrEqual(t, len(book.lines("outage goes on")), 2)
				return
			}
			lines := book.lines("outage goes on")
			require.Len(t, lines, 4, "after 1, 3, 7 and 15 minutes: %s", lines)
			require.Contains(t, lines[0], "error=\"connection refused\"")
			require.Contains(t, lines[0], "level=WARN")
			require.Regexp(t, `for=(1m0|1m1|1m2)`, lines[0])
			require.Regexp(t, `failed_acquires=(5|6)\d `, lines[0])
			require.Len(t, book.lines(fmt.Sprintf("failed_acquires=%d\n", failed)), 1, "at its end")
			require.EqualValues(t, failed, p.Stats().Unreachable)
			require.Len(t, book.lines("level=WARN"), 6, "%s", book.lines("level=WARN"))
		})
	}
}

// fullServer has a factory's server admit so many sessions. One that is closed
// leaves its place free a little later.
func fullServer(c *Config[*fakeConn], f *factory, most int64) {
	var sessions atomic.Int64
	shut := c.Close
	c.Connect = func(ctx context.Context) (*fakeConn, error) {
		time.Sleep(2 * time.Millisecond)
		if sessions.Add(1) > most {
			sessions.Add(-1)
			return nil, fmt.Errorf("too many clients: %w", errRefused)
		}
		return f.connect(ctx)
	}
	c.Close = func(ctx context.Context, conn *fakeConn) error {
		time.AfterFunc(10*time.Millisecond, func() { sessions.Add(-1) })
		return shut(ctx, conn)
	}
}

// busy has so many callers borrow and return connections for a minute. Of the
// leases so many in a hundred are discarded. It returns how many acquires failed.
func busy(t *testing.T, p *Pool[*fakeConn], callers, discarded int) (failed int64) {
	t.Helper()
	var failures atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for range callers {
		wg.Go(func() {
			for time.Since(began) < time.Minute {
				lease, err := p.Acquire(t.Context())
				if err != nil {
					failures.Add(1)
					time.Sleep(10 * time.Millisecond)
					continue
				}
				time.Sleep(10*time.Millisecond + rand.N(100*time.Millisecond))
				if rand.IntN(100) < discarded {
					lease.Discard(nil)
				} else {
					lease.Release()
				}
			}
		})
	}
	wg.Wait()
	return failures.Load()
}

func TestFault60_AServerThatIsFullIsNoOutageAndSaidToBeFullOnce(t *testing.T) {
	for _, most := range []int{1, 3, 27} {
		for _, discarded := range []int{0, 5, 100} {
			t.Run(fmt.Sprintf("%d sessions, %d %% discarded", most, discarded), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var told outages
					var book logbook
					f := newFactory(t)
					p := f.newPool(func(c *Config[*fakeConn]) {
						c.MaxSize, c.Trace, c.Logger = 60, told.trace(), book.logger()
						fullServer(c, f, int64(most))
					})
					require.Zero(t, busy(t, p, 60, discarded))
					told.require(t, 0, 0)
					warnings := book.lines("level=WARN")
					require.LessOrEqual(t, len(warnings), 2, "%s", strings.Join(warnings, ""))
					require.GreaterOrEqual(t, len(warnings), 1)
				})
			})
		}
	}
}

func TestFault60_StatsTheErrorAndTheLogSayWhatTheServerGives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		f := newFactory(t)
		p := f.newPool(func(c *Config[*fakeConn]) {
			c.MaxSize, c.Logger = 60, book.logger()
			fullServer(c, f, 27)
		})
		require.Zero(t, p.Stats().Wanted)
		held := acquireN(t, p, 27)
		require.Zero(t, p.Stats().Wanted)
		waiters := beginN(within(t, 3*time.Second), p, 33)
		time.Sleep(2 * time.Second)
		require.Equal(t, 60, p.Stats().Wanted)
		_, err := p.Acquire(within(t, 500*time.Millisecond))
		require.ErrorContains(t, err, "27 of 60 in use")
		require.ErrorContains(t, err, "; the server gives 27 of the 60 connections wanted: too many")
		require.ErrorIs(t, err, ErrExhausted)
		require.NotErrorIs(t, err, ErrUnreachable)
		require.ErrorIs(t, err, errRefused)
		lines := book.lines("connect failed")
		require.Contains(t, lines[len(lines)-1], "given=27 wanted=60")
		require.Len(t, book.lines("level=WARN"), 1)
		for _, w := range waiters {
			<-w.done
			w.fails(t)
		}
		require.Zero(t, p.Stats().Unreachable)
		release(held...)
	})
}

// TestFault60_OutagesThatComeAndGoFillNoLog: with a DownAfter that is over with the
// first failed dial, a server that is full is an outage whenever nothing is open.
func TestFault60_OutagesThatComeAndGoFillNoLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told outages
		var book logbook
		f := newFactory(t)
		p := f.newPool(func(c *Config[*fakeConn]) {
			c.MaxSize, c.Trace, c.Logger = 60, told.trace(), book.logger()
			c.DownAfter = time.Millisecond
			fullServer(c, f, 1)
		})
		busy(t, p, 60, 100)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Greater(t, told.began.Load(), int64(20))
		require.Less(t, len(book.lines("level=WARN")), 12, "%s", book.lines("level=WARN"))
		require.Less(t, len(book.lines("level=INFO")), 12)
	})
}

// TestFault60_AnOutageBeginsDownAfterTheLastHopeIsGone, not at once because dials
// have failed all the while.
func TestFault60_AnOutageBeginsDownAfterTheLastHopeIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		lease := acquire(t, p)
		f.failWith(errRefused)
		waiter := begin(t.Context(), p)
		time.Sleep(3 * time.Second)
		lease.Discard(nil)
		began := time.Now()
		<-waiter.done
		require.ErrorIs(t, waiter.fails(t), errRefused)
		require.Equal(t, defaultDownAfter, time.Since(began))
	})
}

// TestFault58_ALeaseIsNoHopeAnyMoreOnTime, though a dial hangs meanwhile.
func TestFault58_ALeaseIsNoHopeAnyMoreOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.ConnectTimeout = time.Minute })
		lease := acquire(t, p)
		f.failWith(errRefused)
		waiter := begin(t.Context(), p)
		began := time.Now()
		synctest.Wait()
		f.hang()
		<-waiter.done
		require.ErrorIs(t, waiter.fails(t), errRefused)
		require.LessOrEqual(t, time.Since(began), longHeld+defaultDownAfter)
		f.unhang()
		lease.Release()
	})
}

// The first caller, of whose 4 s nothing is left, has seen no dial succeed. When the
// lease is no hope any more nobody is there, and DownAfter begins all the same.
func TestFault58_HopeThatEndsWithNobodyThereIsNotWaitedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		lease := acquire(t, p)
		f.failWith(errRefused)
		_, err := p.Acquire(within(t, 4*time.Second))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		time.Sleep(longHeld + defaultDownAfter - 4*time.Second + 100*time.Millisecond)
		began := time.Now()
		_, err = p.Acquire(t.Context())
		require.ErrorIs(t, err, errRefused)
		require.Zero(t, time.Since(began))
		lease.Release()
	})
}

// TestFault68_AWaitForAServerThatIsGoneIsUnreachable, whatever is kept open.
func TestFault68_AWaitForAServerThatIsGoneIsUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.DownAfter = -1 })
		lease := acquire(t, p)
		lease.KeepLong()
		f.failWith(errRefused)
		_, err := p.Acquire(within(t, time.Minute))
		require.ErrorIs(t, err, ErrUnreachable)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.EqualValues(t, 1, p.Stats().Unreachable)
		lease.Release()
	})
}
