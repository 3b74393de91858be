package connpool

import (
	"context"
	"errors"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// What bounds the pool, tried at the bound. Memory is counted, time is not.

// bytesInUse returns the bytes that are in use.
func bytesInUse() int64 {
	runtime.GC()
	runtime.GC() // what the first has finalized
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// allocated returns the bytes that f allocates, kept or not.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

const flood = 50_000

// TestMaxWaitingBoundsAFloodAtOnce: as many goroutines as there are callers, in
// whatever order they run.
func TestMaxWaitingBoundsAFloodAtOnce(t *testing.T) {
	const most = 100
	p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.MaxWaiting = 1, most })
	held := acquire(t, p)
	waited := p.Stats().Waits // for its dial
	var served, refused atomic.Int64
	var wg sync.WaitGroup
	for range flood {
		wg.Go(func() {
			lease, err := p.Acquire(context.Background())
			switch {
			case err == nil:
				served.Add(1)
				lease.Release()
			case errors.Is(err, ErrQueueFull):
				refused.Add(1)
			default:
				t.Errorf("acquire: %v", err)
			}
		})
	}
	for refused.Load() < flood-most {
		require.LessOrEqual(t, p.Stats().Waiting, most)
		time.Sleep(time.Millisecond)
	}
	s := p.Stats()
	require.Equal(t, most, s.Waiting)
	require.EqualValues(t, flood-most, s.QueueFull)
	held.Release()
	wg.Wait()
	require.EqualValues(t, most, served.Load(), "those that were let in are served")
	require.EqualValues(t, most, p.Stats().Waits-waited)
}

// TestAFloodLeavesNoMemoryBehind: the same arrivals from a few goroutines, whose
// own memory is not the pool's.
func TestAFloodLeavesNoMemoryBehind(t *testing.T) {
	const most, each = 100, 64 << 10
	p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.MaxWaiting = 1, most })
	held := acquire(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	var waiters sync.WaitGroup
	for range most {
		waiters.Go(func() {
			lease, err := p.Acquire(ctx)
			if err == nil {
				lease.Release()
			}
		})
	}
	require.Eventually(t, func() bool { return p.Stats().Waiting == most }, time.Minute, time.Millisecond)

	refuse := func() { _, err := p.Acquire(ctx); require.ErrorIs(t, err, ErrQueueFull) }
	refuse() // which makes what all of them share
	before := bytesInUse()
	spent := allocated(func() {
		for range flood {
			refuse()
		}
	})
	require.Less(t, bytesInUse()-before, int64(each), "kept after %d refusals", flood)
	require.Less(t, spent/flood, int64(2<<10), "bytes a refusal")
	require.Equal(t, most, p.Stats().Waiting)
	require.EqualValues(t, flood+1, p.Stats().QueueFull)
	cancel()
	waiters.Wait()
	held.Release()
}

func TestAPlaceInTheQueueIsSmall(t *testing.T) {
	require.LessOrEqual(t, unsafe.Sizeof(caller{}), uintptr(128))
}

func TestThePoolOfTheLargestSizeCostsNoMoreThanAnother(t *testing.T) {
	size := func(n int) (spent int64) {
		return allocated(func() {
			p, _ := newPool(t, only(n))
			release(acquireN(t, p, 10)...)
			require.Equal(t, n, p.Stats().MaxSize)
		})
	}
	size(10) // whatever is made once
	require.Less(t, size(LargestMaxSize)-size(10), int64(16<<10))
}

func TestNothingIsLargerThanTheLargestMaxSize(t *testing.T) {
	_, err := New(Config[int]{Connect: func(context.Context) (int, error) { return 1, nil }, MaxSize: LargestMaxSize + 1})
	require.ErrorContains(t, err, "MaxSize is 16777216: use at most 16777215")
	p, _ := newPool(t, only(1))
	require.Error(t, p.Resize(LargestMaxSize+1))
	require.NoError(t, p.Resize(LargestMaxSize))
	require.Equal(t, LargestMaxSize, p.Stats().Limit)
	acquire(t, p).Release()
}

// The table of slots and the lists of their numbers have room for all of them.
func TestEveryNumberHasAPlace(t *testing.T) {
	const places = firstChunk<<maxChunks - firstChunk
	require.LessOrEqual(t, LargestMaxSize, places)
	require.Less(t, uint64(LargestMaxSize), uint64(math.MaxUint32), "a list keeps numbers plus one in 32 bits")
}

// TestTheTableHasOnePlaceForEachNumber: over the ends of a few chunks.
func TestTheTableHasOnePlaceForEachNumber(t *testing.T) {
	p, _ := newPool(t, only(LargestMaxSize))
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := map[*seat[*fakeConn]]bool{}
	for n := range uint32(1000) {
		p.seats.growLocked(p, n)
		s := p.seats.at(n)
		require.Equal(t, n, s.n)
		require.False(t, seen[s], "number %d", n)
		seen[s] = true
	}
}

func TestDurationsOfAnyLengthAreTakenForOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) {
			const ever = math.MaxInt64
			c.AcquireTimeout, c.ConnectTimeout, c.CheckTimeout, c.CloseTimeout = ever, ever, ever, ever
			c.CheckAfterIdle, c.CheckInterval, c.IdleTimeout, c.MaxLifetime = ever, ever, ever, ever
			c.BackoffMax, c.DownAfter, c.LeakThreshold, c.SizeInterval = ever, ever, ever, ever
			c.Check = func(context.Context, *fakeConn) error { return ErrBadConn }
		})
		acquire(t, p).Release()
		time.Sleep(100 * 365 * 24 * time.Hour)
		acquire(t, p).Release()
		require.EqualValues(t, 1, f.opens.Load(), "nothing was due in a hundred years")
	})
}

// What is longer than the longest bucket goes into the last, and no duration
// there is breaks the counting.
func TestTheLongestDurationHasABucket(t *testing.T) {
	var h histogram
	h.record(math.MaxInt64)
	h.record(0)
	s := h.snapshot()
	require.EqualValues(t, 2, s.Count)
	require.EqualValues(t, 1, s.Counts[len(s.Counts)-1])
	require.Equal(t, s.Bounds[len(s.Bounds)-1], s.Quantile(1))
	require.Equal(t, time.Duration(math.MaxInt64), s.Sum)
}
