package work

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/connpool/connpool/bench/rival"
)

// loop is a closed loop: goroutines that borrow and return as fast as they can
// while somebody else looks at what they have done by now. They are looked at
// twice while all of them run, so neither their start nor their end, when fewer
// of them compete, is part of a figure.
type loop struct {
	pools []rival.Pool // each goroutine takes them in turn
	chunk int          // cycles between two looks at stop
	stop  atomic.Bool
	done  []progress
	err   atomic.Pointer[error]
	wg    sync.WaitGroup
}

// progress counts the cycles of one goroutine, alone on its cache lines.
type progress struct {
	cycles atomic.Uint64
	_      [120]byte
}

// chunkOf returns how many cycles a goroutine makes before it writes down its
// progress. Sixty-four make that cost a tenth of a nanosecond a cycle. With many
// goroutines each makes few cycles in a sample, but then a cycle is slow.
func chunkOf(goroutines int) int { return min(max(8192/goroutines, 1), 64) }

func startLoop(goroutines, chunk int, pools ...rival.Pool) *loop {
	l := &loop{pools: pools, chunk: chunk, done: make([]progress, goroutines)}
	for i := range goroutines {
		l.wg.Go(func() { l.run(i, &l.done[i].cycles) })
	}
	return l
}

func (l *loop) run(next int, cycles *atomic.Uint64) {
	ctx := context.Background()
	for n := uint64(0); !l.stop.Load(); next++ {
		if err := l.pools[next%len(l.pools)].Cycle(ctx, l.chunk); err != nil {
			l.fail(err)
			return
		}
		n += uint64(l.chunk)
		cycles.Store(n)
	}
}

// fail is apart from run so that the latter allocates nothing.
func (l *loop) fail(err error) { l.err.Store(&err) }

// cycles returns how many have been made by now.
func (l *loop) cycles() uint64 {
	var sum uint64
	for i := range l.done {
		sum += l.done[i].cycles.Load()
	}
	return sum
}

// halt stops all goroutines, waits for them and returns the first error.
func (l *loop) halt() error {
	l.stop.Store(true)
	l.wg.Wait()
	if err := l.err.Load(); err != nil {
		return *err
	}
	return nil
}

// Keys of what closed loops are measured for.
const (
	NsPerOp     = "ns/op"
	AllocsPerOp = "allocs/op"
	BytesPerOp  = "B/op"
	WaitsPerOp  = "waits/op"
)

// measureLoop measures goroutines in a closed loop on pools for one sample.
func measureLoop(sample time.Duration, goroutines, chunk int, pools ...rival.Pool) (Figures, error) {
	if err := warm(pools); err != nil {
		return nil, err
	}
	runtime.GC()
	memory := allocated()
	l := startLoop(goroutines, chunk, pools...)
	l.settle(sample)
	began, cyclesBefore, waitsBefore := time.Now(), l.cycles(), waits(pools)
	l.sleepUntil(began.Add(sample), cyclesBefore)
	took, cycles, waited := time.Since(began), l.cycles()-cyclesBefore, waits(pools)-waitsBefore
	if err := l.halt(); err != nil {
		return nil, err
	}
	memory = allocated().since(memory)
	all := float64(l.cycles())
	f := Figures{
		NsPerOp:     float64(took) / float64(cycles),
		AllocsPerOp: memory.objects / all,
		BytesPerOp:  memory.bytes / all,
	}
	if _, ok := pools[0].(rival.Waiter); ok && goroutines > 1 {
		f[WaitsPerOp] = waited / float64(cycles)
	}
	return f, nil
}

// settle waits until the loop has been running for a while and every goroutine
// has had its turn. It does not wait for ever: where nobody is made to wait,
// each goroutine keeps its processor for 10 ms, and many take long to come round.
func (l *loop) settle(sample time.Duration) {
	atMost := time.Now().Add(max(sample, time.Duration(len(l.done))*10*time.Microsecond))
	time.Sleep(sample / 8)
	for i := range l.done {
		for l.done[i].cycles.Load() == 0 && time.Now().Before(atMost) {
			time.Sleep(time.Millisecond)
		}
	}
}

// sleepUntil sleeps until a time, and further until there is something to count:
// a thousand cycles, and ten times as many as may have been made but not yet
// written down.
func (l *loop) sleepUntil(end time.Time, cyclesBefore uint64) {
	enough := uint64(max(1000, 10*l.chunk))
	time.Sleep(time.Until(end))
	for l.cycles()-cyclesBefore < enough && l.err.Load() == nil {
		time.Sleep(time.Millisecond)
	}
}

// warm makes some cycles on each pool, so that no dial and no first use of
// anything is measured.
func warm(pools []rival.Pool) error {
	for _, p := range pools {
		if err := p.Cycle(context.Background(), 100); err != nil {
			return err
		}
	}
	return nil
}

func waits(pools []rival.Pool) float64 {
	var sum float64
	for _, p := range pools {
		if w, ok := p.(rival.Waiter); ok {
			sum += float64(w.Waits())
		}
	}
	return sum
}

// allocations is what the process has allocated.
type allocations struct{ objects, bytes float64 }

func allocated() allocations {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return allocations{objects: float64(m.Mallocs), bytes: float64(m.TotalAlloc)}
}

func (a allocations) since(b allocations) allocations {
	return allocations{a.objects - b.objects, a.bytes - b.bytes}
}
