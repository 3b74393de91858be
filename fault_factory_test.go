package connpool

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var errRefused = errors.New("connection refused")

func TestFault11_AHungDialIsAbandonedAndOthersDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.ConnectTimeout = 1, time.Second })
		f.hang()
		began := time.Now()
		_, err := p.Acquire(within(t, 300*time.Millisecond))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, ErrExhausted)
		require.Equal(t, 300*time.Millisecond, time.Since(began))

		hung := f.workAgain()
		defer close(hung)
		lease, err := p.Acquire(within(t, 10*time.Second))
		require.NoError(t, err)
		require.Equal(t, 1, p.Stats().Abandoned)
		require.Equal(t, 1, p.Stats().Size)
		lease.Release()
	})
}

func TestFault11_WithAsManyHungDialsAsSlotsDiallingStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.ConnectTimeout, c.DownAfter = 2, time.Second, -1 })
		f.hang()
		_, err := p.Acquire(within(t, time.Minute))
		require.Error(t, err)
		require.EqualValues(t, 2, f.dials.Load())
		require.Equal(t, 2, p.Stats().Abandoned)
		f.unhang()
		acquire(t, p).Release()
		synctest.Wait()
		require.Zero(t, p.Stats().Abandoned)
	})
}

func TestFault12_CallersThatCannotWaitForADialAreServedByItAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, only(4))
		f.delayBy(50 * time.Millisecond)
		var ok atomic.Int64
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 100 {
					lease, err := p.Acquire(within(t, 20*time.Millisecond))
					if err != nil {
						continue
					}
					time.Sleep(time.Millisecond)
					ok.Add(1)
					lease.Release()
				}
			})
		}
		wg.Wait()
		require.LessOrEqual(t, f.dials.Load(), int64(4))
		require.Greater(t, ok.Load(), int64(380))
	})
}

func TestFault13_APanickingFactoryIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mended atomic.Bool
		f := newFactory(t)
		p := f.newPool(func(c *Config[*fakeConn]) {
			c.MaxSize = 1
			c.Connect = func(ctx context.Context) (*fakeConn, error) {
				if !mended.Load() {
					panic("the factory is on fire")
				}
				return f.connect(ctx)
			}
		})
		_, err := p.Acquire(within(t, 10*time.Second))
		var panicked *PanicError
		require.ErrorAs(t, err, &panicked)
		require.Equal(t, "the factory is on fire", panicked.Value)
		require.Contains(t, string(panicked.Stack), "fault_factory_test.go")
		require.NotZero(t, p.Stats().Panics)
		mended.Store(true)
		time.Sleep(time.Second)
		requireFull(t, p, 1)
	})
}

func TestFault14_AFactoryThatCallsGoexitIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mended atomic.Bool
		f := newFactory(t)
		p := f.newPool(func(c *Config[*fakeConn]) {
			c.MaxSize = 1
			c.Connect = func(ctx context.Context) (*fakeConn, error) {
				if !mended.Load() {
					runtime.Goexit()
				}
				return f.connect(ctx)
			}
		})
		_, err := p.Acquire(within(t, 10*time.Second))
		require.ErrorIs(t, err, errGoexit)
		mended.Store(true)
		time.Sleep(time.Second)
		requireFull(t, p, 1)
	})
}

func TestFault18_AFailedDialLeavesNobodyAsleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, only(2))
		f.failWith(errRefused)
		waiters := beginN(t.Context(), p, 5)
		time.Sleep(200 * time.Millisecond)
		f.failWith(nil)
		time.Sleep(time.Second)
		for _, a := range waiters {
			a.get(t).Release()
		}
	})
}

func TestFault19_OneHungDialDoesNotStopTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int64
		f := newFactory(t)
		never := make(chan struct{})
		p := f.newPool(func(c *Config[*fakeConn]) {
			c.MaxSize = 2
			c.Connect = func(ctx context.Context) (*fakeConn, error) {
				if dials.Add(1) == 1 {
					<-never
					return nil, ctx.Err()
				}
				return f.connect(ctx)
			}
		})
		waiters := beginN(t.Context(), p, 3)
		for _, a := range waiters {
			a.get(t).Release()
		}
		close(never)
	})
}

func TestFault20_AFlappingFactoryLosesNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, only(4))
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for i := range 50 {
					if i%3 == 0 {
						f.failWith(errRefused)
					} else {
						f.failWith(nil)
					}
					lease, err := p.Acquire(within(t, 30*time.Millisecond))
					if err == nil && i%5 == 0 {
						lease.Discard(ErrBadConn)
						continue
					}
					time.Sleep(time.Millisecond)
					lease.Release()
				}
			})
		}
		wg.Wait()
		f.failWith(nil)
		time.Sleep(2 * time.Second)
		requireFull(t, p, 4)
	})
}

func TestFault21_ANilConnectionIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.Connect = func(context.Context) (*fakeConn, error) { return nil, nil }
		})
		_, err := p.Acquire(within(t, 10*time.Second))
		require.ErrorIs(t, err, errNilConn)
		require.NotZero(t, p.Stats().ConnectErrors)
	})
}

// What a pool does with a crowd that its open connections can serve before any
// dial ends: 150 ms to connect, 2 ms a query, 5 open of 50.
func TestASpikeIsServedByWhatIsOpenAndOpensHardlyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.MinSize = 50, 5 })
		f.delayBy(150 * time.Millisecond)
		require.NoError(t, p.Warm(t.Context()))
		synctest.Wait()
		began := time.Now()
		var crowd sync.WaitGroup
		for range 50 {
			crowd.Go(func() {
				lease := acquire(t, p)
				time.Sleep(2 * time.Millisecond)
				lease.Release()
			})
		}
		crowd.Wait()
		require.Equal(t, 20*time.Millisecond, time.Since(began))
		time.Sleep(time.Second) // the dials that were under way
		require.LessOrEqual(t, f.dials.Load(), int64(7))
	})
}

func TestFault22_AColdStormDialsWithinTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize = 100 })
		f.delayBy(50 * time.Millisecond)
		waiters := beginN(t.Context(), p, 100)
		for _, a := range waiters {
			<-a.done
			require.NoError(t, a.err)
		}
		require.LessOrEqual(t, f.dialling.peak(), int64(defaultMaxConnecting))
		for _, a := range waiters {
			a.lease.Release()
		}
	})
}

func TestFault23_ADeadServerGetsOneProber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		f.failWith(errRefused)
		until := time.Now().Add(2 * time.Second)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				for time.Now().Before(until) {
					_, err := p.Acquire(within(t, time.Second))
					require.ErrorIs(t, err, errRefused)
					time.Sleep(time.Millisecond)
				}
			})
		}
		wg.Wait()
		require.LessOrEqual(t, f.dials.Load(), int64(60))
		require.LessOrEqual(t, f.dialling.peak(), int64(2), "two at first, then one")
		t.Logf("%d dials in 2 s", f.dials.Load())
	})
}

func TestBeforeDownAfterAFailedDialFailsNobodyAndAfterItEverybodyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		var outages []OutageInfo
		p, f := newPool(t, func(c *Config[*fakeConn]) {
			c.Logger = book.logger()
			c.Trace = &Trace{Outage: func(o OutageInfo) { outages = append(outages, o) }}
		})
		f.failWith(errRefused)
		early := begin(t.Context(), p)
		time.Sleep(defaultDownAfter - time.Millisecond)
		require.False(t, early.isDone())
		time.Sleep(2 * time.Millisecond)
		require.ErrorIs(t, early.fails(t), errRefused)

		began := time.Now()
		_, err := p.Acquire(t.Context())
		var failed *AcquireError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, StageConnect, failed.Stage)
		require.ErrorIs(t, err, errRefused)
		require.NotErrorIs(t, err, ErrExhausted)
		require.Zero(t, time.Since(began))

		f.failWith(nil)
		time.Sleep(defaultBackoffMax) // the prober finds out by itself
		acquire(t, p).Release()
		synctest.Wait()
		require.Len(t, outages, 2)
		require.True(t, outages[0].Began)
		require.False(t, outages[1].Began)
		require.Len(t, book.lines("outage began"), 1)
		require.Len(t, book.lines("outage ended"), 1)
	})
}

func TestWithoutDownAfterCallersWaitOutTheirDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.DownAfter = -1 })
		f.failWith(errRefused)
		began := time.Now()
		_, err := p.Acquire(within(t, time.Minute))
		require.Equal(t, time.Minute, time.Since(began))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, errRefused, "the last connect error is in the chain")
	})
}

func TestFault24_AServerThatIsFullKeepsServingWhatItHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFactory(t)
		var admitted atomic.Int64
		p := f.newPool(func(c *Config[*fakeConn]) {
			c.MaxSize = 20
			shut := c.Close
			c.Connect = func(ctx context.Context) (*fakeConn, error) {
				if admitted.Add(1) > 6 {
					admitted.Add(-1)
					return nil, fmt.Errorf("too many clients: %w", errRefused)
				}
				return f.connect(ctx)
			}
			c.Close = func(ctx context.Context, conn *fakeConn) error {
				defer admitted.Add(-1)
				return shut(ctx, conn)
			}
		})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				for range 10 {
					lease, err := p.Acquire(within(t, time.Minute))
					require.NoError(t, err)
					time.Sleep(300 * time.Millisecond)
					lease.Release()
				}
			})
		}
		wg.Wait()
		held := acquireN(t, p, 6)
		_, err := p.Acquire(within(t, 2*time.Second))
		require.ErrorIs(t, err, errRefused)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		release(held...)
	})
}

// The dial's context carries the values of a caller and not its cancellation.
func TestADialSeesItsCallersValuesAndNotItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		f := newFactory(t)
		seen := make(chan any, 1)
		p := f.newPool(func(c *Config[*fakeConn]) {
			c.Connect = func(ctx context.Context) (*fakeConn, error) {
				time.Sleep(time.Second)
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				_, bounded := ctx.Deadline()
				require.True(t, bounded)
				seen <- ctx.Value(key{})
				return f.connect(ctx)
			}
		})
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "trace-1"))
		waiter := begin(ctx, p)
		synctest.Wait()
		cancel()
		require.ErrorIs(t, waiter.fails(t), context.Canceled)
		require.Equal(t, "trace-1", <-seen)
	})
}

// workAgain has new dials work, and returns the channel that those hang on which
// have begun.
func (f *factory) workAgain() (hung chan struct{}) {
	f.set(func() { hung, f.mu.hang = f.mu.hang, nil })
	return hung
}

func TestAFailureFromBeforeAPauseIsNoOutageAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		f.failWith(errRefused)
		waiter := begin(t.Context(), p)
		synctest.Wait() // one dial has failed
		p.Pause()
		f.failWith(nil)
		time.Sleep(10 * time.Second)
		p.Resume()
		waiter.get(t).Release()
	})
}
