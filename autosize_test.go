package connpool

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Tests of the Sizer at work. In a bubble its windows end exactly when they
// should, and the pool's goroutines have followed the decision when
// synctest.Wait returns.

func TestUtilizationSizerFollowsTheLoadOfAPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var resizes atomic.Int64
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize, c.MinSize, c.Sizer = 40, 2, UtilizationSizer{}
			c.Trace = &Trace{Resized: func(SizeDecision) { resizes.Add(1) }}
		})
		held := acquireN(t, p, 4)
		pass(2 * time.Minute)
		require.InDelta(t, 0.55, 4/float64(p.Stats().Limit), 0.25, "between 30 and 80 per cent in use")
		after := resizes.Load()
		pass(10 * time.Minute)
		require.Equal(t, after, resizes.Load(), "a constant load needs no more decisions")

		waiters := beginN(t.Context(), p, 16) // more than the limit
		pass(2 * time.Minute)
		for _, a := range waiters {
			held = append(held, a.get(t))
		}
		require.Greater(t, p.Stats().Limit, 20)
		release(held...)
		pass(10 * time.Minute)
		require.Equal(t, 2, p.Stats().Limit)
		require.LessOrEqual(t, p.Stats().Size, 2, "and what is too much is closed")
	})
}

// sizer is a Sizer made of a function.
type sizer func(SizeSample) SizeDecision

func (f sizer) Next(s SizeSample) SizeDecision { return f(s) }

func TestASizerSeesWhatHappenedInItsWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		samples := make(chan SizeSample, 100)
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize, c.MinSize, c.SizeInterval = 10, 1, 10*time.Second
			c.Sizer = sizer(func(s SizeSample) SizeDecision {
				samples <- s
				return SizeDecision{Limit: s.Limit, Window: 20 * time.Second}
			})
		})
		held := acquireN(t, p, 2)
		for range 5 {
			lease := acquire(t, p)
			time.Sleep(time.Second)
			lease.Release()
		}
		pass(6 * time.Second)
		s := <-samples
		require.Equal(t, 10*time.Second, s.Window)
		require.Equal(t, []int{10, 1, 10}, []int{s.Limit, s.Min, s.Max})
		require.EqualValues(t, 5, s.Releases)
		require.EqualValues(t, 3, s.Connects)
		require.InDelta(t, 2.5, s.InUse, 0.2)
		require.InDelta(t, 5*time.Second, s.HoldTime, float64(500*time.Millisecond))
		pass(21 * time.Second)
		require.Equal(t, 20*time.Second, (<-samples).Window, "the window that it asked for")
		release(held...)
	})
}

func TestASizersDecisionStaysWithinItsBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wants atomic.Int64
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize, c.MinSize = 10, 3
			c.Sizer = sizer(func(SizeSample) SizeDecision { return SizeDecision{Limit: int(wants.Load())} })
		})
		wants.Store(-5)
		pass(6 * time.Second)
		require.Equal(t, 3, p.Stats().Limit)
		wants.Store(1000)
		pass(6 * time.Second)
		require.Equal(t, 10, p.Stats().Limit)
		require.NoError(t, p.Resize(20))
		require.Equal(t, 20, p.Stats().Limit, "callers that wait do not have to wait for the Sizer")
		pass(6 * time.Second)
		require.Equal(t, 20, p.Stats().Limit)
		require.NoError(t, p.Resize(5))
		require.Equal(t, 5, p.Stats().Limit)
	})
}

func TestFault88_AResizeOutlastsADecisionThatWasUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, decide := make(chan bool), make(chan bool)
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize, c.SizeInterval = 10, time.Second
			c.Sizer = sizer(func(s SizeSample) SizeDecision {
				asked <- true
				<-decide
				return SizeDecision{Limit: s.Limit / 2, Window: time.Hour}
			})
		})
		<-asked
		require.NoError(t, p.Resize(20))
		decide <- true
		synctest.Wait()
		require.Equal(t, []int{20, 20}, []int{p.Stats().Limit, p.Stats().MaxSize})
	})
}

func TestFault88_AResizeServesCallersThatWaitBeforeTheSizerDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize, c.SizeInterval = 2, time.Hour
			c.Sizer = sizer(func(s SizeSample) SizeDecision { return SizeDecision{Limit: s.Limit} })
		})
		held := acquireN(t, p, 2)
		waiter := begin(t.Context(), p)
		synctest.Wait()
		require.NoError(t, p.Resize(3))
		waiter.get(t).Release()
		release(held...)
	})
}

func TestASizerThatMisbehavesLeavesTheLimitAndIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		hung := make(chan struct{})
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize, c.CheckTimeout = 10, time.Second
			c.Sizer = sizer(func(s SizeSample) SizeDecision {
				switch calls.Add(1) {
				case 1:
					panic("on fire")
				case 2:
					<-hung
				}
				return SizeDecision{Limit: 7}
			})
		})
		pass(12 * time.Second)
		require.Equal(t, 10, p.Stats().Limit)
		require.Equal(t, 1, p.Stats().Abandoned)
		require.EqualValues(t, 1, p.Stats().Panics)
		pass(6 * time.Second)
		require.Equal(t, 7, p.Stats().Limit)
		close(hung)
	})
}

// The shortest SizeInterval. If it were sampled twenty times within it, the pool
// would do little else.
func TestASizeIntervalThatIsFarTooShortDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		newPool(t, func(c *Config[*fakeConn]) { c.Sizer, c.SizeInterval = UtilizationSizer{}, time.Millisecond })
		time.Sleep(time.Second)
	})
}
