package work

import (
	"runtime"
	"sync"
	"unsafe"

	"github.com/connpool/connpool/bench/rival"
)

// buffered are the rivals whose connections cannot be had without buffers of tens
// of kilobytes, and fewBuffered is how many of them are opened.
var buffered = map[string]bool{"pgxpool": true, "go-redis": true}

const fewBuffered = 1000

func memory(e Effort) Work {
	sizes := sizes(e.Largest, 10, 1000, 100_000)
	return Work{
		Name:  "memory",
		Title: "Memory of idle connections",
		How: "Bytes of heap that each idle connection takes in a pool of that many, less the 56 bytes of the connection itself: what " +
			"the heap has grown by, after two garbage collections before and after. What the pool takes once is included, which " +
			"shows at 10. pgxpool's and go-redis's connections have buffers, which is nearly all that they take; not more than 1,000 of those.",
		Metrics: columns(sizes, Bytes),
		Rivals:  Bounded(),
		Curve:   true,
		Late:    true,
		Rounds:  3,
		Run: func(_ Effort, r rival.Rival) (Figures, error) {
			growGoroutines(sizes[len(sizes)-1])
			return along(sizes, func(n int) (float64, error) {
				if buffered[r.Name] && n > fewBuffered {
					return notMeasured, nil
				}
				return idleBytes(r, n)
			})
		},
	}
}

// idleBytes returns what each of n idle connections takes.
func idleBytes(r rival.Rival, n int) (float64, error) {
	before := heap()
	pool, err := full(r, n)
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	grown := float64(heap()) - float64(before)
	return grown/float64(n) - float64(unsafe.Sizeof(rival.Conn{})), nil
}

// heap returns how many bytes are in use after a garbage collection; the second
// one takes what finalizers and pools have held through the first.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// growGoroutines makes the runtime keep as many goroutines for reuse as filling a
// pool may need, so that they are not counted as the pool's.
func growGoroutines(n int) {
	var wg, all sync.WaitGroup
	all.Add(n)
	for range n {
		wg.Go(func() { all.Done(); all.Wait() })
	}
	wg.Wait()
}
