package work

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/connpool/connpool/bench/rival"
)

const orderCallers = 50

// OutOfOrder is the key of the pairs that were served out of order.
const OutOfOrder = "pairs"

func queueOrder() Work {
	return Work{
		Name:  "order",
		Title: "Order of the queue",
		How: "One connection is held while 50 callers ask for it, one each millisecond, all of them still. Then it is returned, and " +
			"each caller holds it for a moment. Of the 1,225 pairs of callers, those served in the other order than they came. " +
			"This shows whether a pool keeps a queue, without the noise of a busy machine.",
		Metrics: []Metric{{OutOfOrder, "pairs out of order", Count}},
		Rivals:  Bounded(),
		Run: func(_ Effort, r rival.Rival) (Figures, error) {
			pool, err := r.New(rival.Setup{Max: 1})
			if err != nil {
				return nil, err
			}
			defer pool.Close()
			runtime.GC() // not while they queue
			served, err := serveQueue(pool)
			return Figures{OutOfOrder: float64(inversions(served))}, err
		},
	}
}

// serveQueue returns the numbers of the callers in the order of their service.
func serveQueue(pool rival.Pool) (served []int, err error) {
	var (
		wg sync.WaitGroup
		mu sync.Mutex
	)
	note := func(i int, failed error) {
		mu.Lock()
		defer mu.Unlock()
		if err = failed; err == nil {
			served = append(served, i)
		}
	}
	held := pool.Use(context.Background(), func() {
		for i := range orderCallers {
			wg.Go(func() {
				if err := pool.Use(context.Background(), func() { note(i, nil) }); err != nil {
					note(i, err)
				}
			})
			time.Sleep(time.Millisecond)
		}
	})
	wg.Wait()
	if held != nil {
		return nil, held
	}
	return served, err
}

// inversions counts the pairs that are in the wrong order.
func inversions(order []int) (n int) {
	for i, a := range order {
		for _, b := range order[i+1:] {
			if a > b {
				n++
			}
		}
	}
	return n
}
