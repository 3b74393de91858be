package scenario

import (
	"context"
	"fmt"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// A crowd is many goroutines that wait.
type crowd struct {
	started atomic.Int64
	left    atomic.Int64 // have yet to return
	failed  atomic.Int64

	// The last to return says when: whoever waited for all of them would measure
	// its own waking, too.
	ended chan time.Time
}

// gather starts n goroutines and returns when all of them wait, or an error and
// the crowd as far as it has come.
func gather(ctx context.Context, n int, wait func() error) (*crowd, error) {
	c := &crowd{ended: make(chan time.Time, 1)}
	c.left.Store(int64(n))
	before := waiting()
	for range n {
		go c.join(wait)
	}
	for deadline := time.Now().Add(gatherTimeout); !c.waits(n, before); {
		if err := sleep(ctx, 5*time.Millisecond); err != nil {
			return c, err
		}
		if time.Now().After(deadline) {
			return c, fmt.Errorf("of %d goroutines %d have started and %d wait", n, c.started.Load(), waiting()-before)
		}
	}
	return c, sleep(ctx, stragglers)
}

const (
	// gatherTimeout is many times what a crowd needs on a slow machine.
	gatherTimeout = time.Minute
	// stragglers is for those that the runtime's count misses: it is approximate.
	stragglers = 20 * time.Millisecond
)

func (c *crowd) join(wait func() error) {
	c.started.Add(1)
	if err := wait(); err != nil {
		c.failed.Add(1)
	}
	if c.left.Add(-1) == 0 {
		c.ended <- time.Now()
	}
}

// waits reports whether all wait, but for a few: some of the pool's own
// goroutines may have waited before and ended since.
func (c *crowd) waits(n int, before uint64) bool {
	return c.started.Load() == int64(n) && waiting()+uint64(n/100) >= before+uint64(n)
}

// waiting is the number of goroutines that wait for something.
func waiting() uint64 {
	sample := []metrics.Sample{{Name: "/sched/goroutines/waiting:goroutines"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
