package connpool

import (
	"runtime"
	"runtime/pprof"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// pressPool returns a pool of one whose borrowers' stacks are captured because
// somebody has just had to wait.
func pressPool(t *testing.T) *Pool[*fakeConn] {
	p, _ := newPool(t, only(1))
	held := acquire(t, p)
	waiter := begin(t.Context(), p)
	require.False(t, waiter.isDone())
	held.Release()
	waiter.get(t).Release()
	require.True(t, captures(p))
	return p
}

func captures(p *Pool[*fakeConn]) bool { return p.gate.Load()&gateStacks != 0 }

func TestThickTrafficThatNeverWaitsStopsCaptures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pressPool(t)
		for range easeAfter - 1 {
			acquire(t, p).Release()
			require.True(t, captures(p))
		}
		acquire(t, p).Release()
		require.False(t, captures(p))
	})
}

func TestThinTrafficGoesOnBeingCaptured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it is over before the first sweep
		p := pressPool(t)
		for range 3 * easeAfter {
			acquire(t, p).Release()
			time.Sleep(easeWithin / easeAfter * 2)
		}
		require.True(t, captures(p))
	})
}

func TestAWaitBeginsTheCountOfThickTrafficAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pressPool(t)
		for range 3 * easeAfter / 2 {
			held := acquire(t, p)
			waiter := begin(t.Context(), p)
			require.False(t, waiter.isDone())
			held.Release()
			waiter.get(t).Release()
			acquire(t, p).Release()
		}
		require.True(t, captures(p))
	})
}

func TestStacksAlwaysMeansAlways(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.LeakStacks = StacksAlways })
		for range 3 * easeAfter {
			acquire(t, p).Release()
		}
		require.True(t, captures(p))
	})
}

// The profile is the process's: other tests' leases may be in it.
func TestTheProfileTakesABurstAndThenAStackAMillisecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const more = 3
		size := int(profileBurst/profileEvery) + 2*more
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.LeakStacks = size, StacksAlways })
		release(acquireN(t, p, size)...) // dials
		time.Sleep(profileBurst)
		before := pprof.Lookup("connpool").Count()
		listed := func() int { return pprof.Lookup("connpool").Count() - before }

		leases := acquireN(t, p, size-more)
		require.Equal(t, int(profileBurst/profileEvery), listed())
		for n := range more {
			time.Sleep(profileEvery)
			leases = append(leases, acquire(t, p))
			require.Equal(t, int(profileBurst/profileEvery)+n+1, listed())
		}
		for _, h := range p.Holders() {
			require.NotEmpty(t, h.Caller, "who holds what is known all the same")
		}
		release(leases...)
		require.Zero(t, listed())
	})
}

// One processor, so that it is sure who runs next. If whoever returns a connection
// asked for the next one before those served had run, nearly every borrow would
// be a wait.
func TestAQueueBeforeBriefLeasesDrains(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const borrowers, each = 16, 5_000
	for _, mode := range []StackMode{StacksOnPressure, StacksAlways, StacksNever} {
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.LeakStacks = 2, mode })
		held := acquireN(t, p, 2)
		var group sync.WaitGroup
		for range borrowers {
			group.Go(func() {
				for range each {
					acquire(t, p).Release()
				}
			})
		}
		for p.Stats().Waiting < borrowers {
			runtime.Gosched()
		}
		release(held...)
		group.Wait()
		require.Less(t, p.Stats().Waits, uint64(borrowers*each/4), "mode %d", mode)
	}
}
