package main

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/connpool/connpool/examples/internal/tcpserver"
)

// load is what is asked of the server: so many requests, so many at a time, but
// no longer than the budget allows.
type load struct {
	workers  int
	requests int // 0: no limit
	budget   time.Duration
}

// measured is what came of it.
type measured struct {
	took      time.Duration
	latencies []time.Duration // sorted
	opened    int             // connections, as the server counts them
}

// measure runs the load. The first request that fails ends it.
func (l load) measure(ctx context.Context, server *tcpserver.Server, request func(context.Context) error) (measured, error) {
	before, began := server.Accepted(), time.Now()
	latencies, err := l.run(ctx, request)
	slices.Sort(latencies)
	return measured{
		took:      time.Since(began),
		latencies: latencies,
		opened:    server.Accepted() - before,
	}, err
}

func (l load) run(ctx context.Context, request func(context.Context) error) (latencies []time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.budget)
	defer cancel()
	var started atomic.Int64
	more := func() bool {
		return ctx.Err() == nil && (l.requests == 0 || started.Add(1) <= int64(l.requests))
	}
	var mu sync.Mutex
	var workers sync.WaitGroup
	for range l.workers {
		workers.Go(func() {
			mine, failed := work(ctx, more, request)
			mu.Lock()
			defer mu.Unlock()
			latencies = append(latencies, mine...)
			if failed != nil && err == nil {
				err = failed
				cancel()
			}
		})
	}
	workers.Wait()
	return latencies, err
}

// work is one worker. What is under way when ctx ends is finished: nobody's
// answer is thrown away because the program is asked to stop.
func work(ctx context.Context, more func() bool, request func(context.Context) error) (latencies []time.Duration, err error) {
	for more() {
		began := time.Now()
		if err := once(context.WithoutCancel(ctx), request); err != nil {
			return latencies, err
		}
		latencies = append(latencies, time.Since(began))
	}
	return latencies, nil
}

func once(ctx context.Context, request func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return request(ctx)
}

// rate returns requests a second.
func (m measured) rate() float64 { return float64(len(m.latencies)) / m.took.Seconds() }

// quantile returns the latency that the fraction q of the requests did not
// exceed.
func (m measured) quantile(q float64) time.Duration {
	if len(m.latencies) == 0 {
		return 0
	}
	return m.latencies[int(q*float64(len(m.latencies)-1))]
}
