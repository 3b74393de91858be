package scenario

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/connpool/connpool/bench/rival"
)

// WaitersSettings say how many wait for the one connection of a pool.
type WaitersSettings struct{ Callers int }

// UsualWaiters is a crowd that shows what grows with it.
func UsualWaiters(quick bool) WaitersSettings {
	if quick {
		return WaitersSettings{Callers: 5_000}
	}
	return WaitersSettings{Callers: 50_000}
}

// WaitersResult is what the crowd cost.
type WaitersResult struct {
	Rival   string
	Callers int
	// HeapEach and StackEach are the bytes that one that waits takes, beyond those
	// of a goroutine that waits for the same context and no pool. The stack's grow
	// in steps, so that a deep call may cost none, or a few KB.
	HeapEach, StackEach float64
	// Cancel is the time from the cancelling of the context until the last has
	// returned, and CancelAlone what the same takes without a pool.
	Cancel, CancelAlone time.Duration
	// Serve is the time from the return of the connection until the last of the
	// crowd has had it.
	Serve time.Duration
}

// ErrUnbounded says that a rival makes nobody wait.
var ErrUnbounded = errors.New("scenario: the rival has no limit to wait at")

// Waiters has a crowd wait for one connection, twice: it is cancelled the first
// time, and served the second.
func Waiters(ctx context.Context, r rival.Rival, s WaitersSettings) (WaitersResult, error) {
	if !r.Bounded {
		return WaitersResult{}, ErrUnbounded
	}
	result, err := waiters(ctx, r, s)
	if err != nil {
		return WaitersResult{}, fmt.Errorf("waiters: %s: %w", r.Name, err)
	}
	result.Rival, result.Callers = r.Name, s.Callers
	return result, nil
}

func waiters(ctx context.Context, r rival.Rival, s WaitersSettings) (WaitersResult, error) {
	// The first crowd only leaves its goroutines behind, which the runtime keeps and
	// gives to the next: memory that neither the second nor the third takes anew.
	if _, err := cancelled(ctx, s.Callers, untilDone); err != nil {
		return WaitersResult{}, err
	}
	alone, err := cancelled(ctx, s.Callers, untilDone)
	if err != nil {
		return WaitersResult{}, err
	}
	var pooled crowdCost
	err = whileLent(ctx, r, func(pool rival.Pool, giveBack func()) (err error) {
		defer giveBack()
		pooled, err = cancelled(ctx, s.Callers, pool.Use)
		return err
	})
	if err != nil {
		return WaitersResult{}, err
	}
	var serve time.Duration
	err = whileLent(ctx, r, func(pool rival.Pool, giveBack func()) (err error) {
		defer giveBack()
		serve, err = served(ctx, s.Callers, pool, giveBack)
		return err
	})
	each := float64(s.Callers)
	return WaitersResult{
		HeapEach:    float64(pooled.heap-alone.heap) / each,
		StackEach:   float64(pooled.stack-alone.stack) / each,
		Cancel:      pooled.ended,
		CancelAlone: alone.ended,
		Serve:       serve,
	}, err
}

// untilDone waits for the context as an acquire from an exhausted pool would,
// without a pool.
func untilDone(ctx context.Context, _ func()) error {
	<-ctx.Done()
	return ctx.Err()
}

// whileLent calls f with a pool of one connection that is lent until giveBack is
// called, which may be done twice.
func whileLent(ctx context.Context, r rival.Rival, f func(pool rival.Pool, giveBack func()) error) error {
	pool, err := r.New(rival.Setup{Max: 1})
	if err != nil {
		return err
	}
	defer pool.Close()
	lent, back, over := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() { over <- pool.Use(ctx, func() { close(lent); <-back }) }()
	select {
	case <-lent:
	case err := <-over:
		return fmt.Errorf("borrowing the only connection: %w", err)
	}
	given := false
	err = f(pool, func() {
		if !given {
			given = true
			close(back)
		}
	})
	return errors.Join(err, <-over)
}

// crowdCost is what a crowd took: bytes while it waited, and the time until it had
// gone.
type crowdCost struct {
	heap, stack int64
	ended       time.Duration
}

// cancelled lets a crowd wait, looks at the memory and cancels it.
func cancelled(ctx context.Context, n int, use func(context.Context, func()) error) (crowdCost, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	heap, stack := memory()
	c, err := gather(ctx, n, func() error { return use(ctx, func() {}) })
	if err != nil {
		cancel()
		<-c.ended
		return crowdCost{}, err
	}
	heapThen, stackThen := memory()
	began := time.Now()
	cancel()
	ended := (<-c.ended).Sub(began)
	if failed := c.failed.Load(); failed != int64(n) {
		return crowdCost{}, fmt.Errorf("%d of %d were cancelled", failed, n)
	}
	return crowdCost{heapThen - heap, stackThen - stack, ended}, nil
}

// served lets a crowd wait, gives the connection back and waits until each has
// had it.
func served(ctx context.Context, n int, pool rival.Pool, giveBack func()) (time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, err := gather(ctx, n, func() error { return pool.Use(ctx, func() {}) })
	if err != nil {
		cancel()
		<-c.ended
		return 0, err
	}
	began := time.Now()
	giveBack()
	ended := (<-c.ended).Sub(began)
	if failed := c.failed.Load(); failed != 0 {
		return 0, fmt.Errorf("%d of %d were not served", failed, n)
	}
	return ended, nil
}

// memory returns what is in use after a collection, by objects and by stacks.
func memory() (heap, stack int64) {
	runtime.GC()
	runtime.GC() // what the first has found to finalize
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), int64(m.StackInuse)
}
