package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/connpool/connpool"
)

const (
	// hold is for how long the live load holds a connection, and rest how long a
	// worker pauses between two, both on average.
	hold = 4 * time.Millisecond
	rest = time.Millisecond
)

// runLive puts a pool with a Sizer under a load that changes, and prints how its
// limit follows.
func runLive(ctx context.Context, out io.Writer, o options) error {
	headline(out, "A live pool with UtilizationSizer, MinSize 2 and MaxSize 40")
	diary := diary{out: out, began: time.Now()}
	pool, err := connpool.New(connpool.Config[*session]{
		Connect: connect,
		Close:   func(context.Context, *session) error { return nil },
		MinSize: 2,
		MaxSize: 40,

		Sizer:        connpool.UtilizationSizer{}, // keeps 30 to 80 % of the limit in use
		SizeInterval: o.phase / 8,                 // seconds, in a program
		Trace: &connpool.Trace{
			Resized: func(d connpool.SizeDecision) { diary.say("%s", d.Reason) },
		},
		Logger: slog.New(slog.DiscardHandler), // it would get the same
	})
	if err != nil {
		return err
	}
	defer pool.Close()
	var stats connpool.Stats
	for _, workers := range []int{2, 20, 8} {
		diary.say("%d workers", workers)
		stats = work(ctx, pool, workers, o.phase)
	}
	if ctx.Err() != nil {
		return shutdown(ctx, pool)
	}
	over := time.Since(diary.began)
	diary.say("the end: %d open, %d allowed, %d at most", stats.Size, stats.Limit, stats.MaxSize)

	headline(out, "Stats.Recommend, from what that pool has seen")
	measured := o.service
	measured.Rate, measured.Hold = 0, 0 // to be measured
	printRecommendation(out, stats.Recommend(over, measured))
	return shutdown(ctx, pool)
}

// work has so many workers use the pool for a while, and returns the statistics
// as they are while everybody is still at it.
func work(ctx context.Context, pool *connpool.Pool[*session], workers int, d time.Duration) connpool.Stats {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var busy sync.WaitGroup
	for range workers {
		busy.Go(func() {
			for ctx.Err() == nil {
				useOne(ctx, pool)
			}
		})
	}
	<-ctx.Done()
	stats := pool.Stats()
	busy.Wait()
	return stats
}

// useOne does one request. Its error can only be the context's, which the caller
// looks at.
func useOne(ctx context.Context, pool *connpool.Pool[*session]) {
	lease, err := pool.Acquire(ctx)
	if err != nil {
		return
	}
	time.Sleep(about(hold))
	lease.Release()
	time.Sleep(about(rest))
}

// about returns a duration that is d on average.
func about(d time.Duration) time.Duration { return d/2 + rand.N(d) }

func shutdown(ctx context.Context, pool *connpool.Pool[*session]) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return pool.Shutdown(ctx)
}

// diary prints what happens when it happens. It is safe for concurrent use.
type diary struct {
	began time.Time

	mu  sync.Mutex
	out io.Writer
}

func (d *diary) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.out, "%7.3fs  %s\n", time.Since(d.began).Seconds(), fmt.Sprintf(format, args...))
}
