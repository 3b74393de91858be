package work

import (
	"context"
	"log/slog"
	"runtime"
	"time"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/bench/rival"
)

// The works of this pool alone.

func settings() Work {
	return Work{
		Name:    "settings",
		Title:   "What settings cost",
		How:     "The serial work on this pool with one setting changed at a time; the callbacks do nothing.",
		Metrics: loopMetrics,
		Rivals:  rival.Variants(),
		Run:     cycling(runtime.NumCPU(), 1),
	}
}

func statsCurve(e Effort) Work {
	sizes := sizes(e.Largest, 10, 1000, 100_000)
	return Work{
		Name:    "stats",
		Title:   "What Stats costs",
		How:     "One call of Stats on a pool with that many idle connections.",
		Metrics: columns(sizes, Duration),
		Rivals:  []rival.Rival{rival.Connpool()},
		Curve:   true,
		Late:    true,
		Run: func(e Effort, _ rival.Rival) (Figures, error) {
			return along(sizes, func(n int) (float64, error) {
				pool, err := warmPool(connpool.Config[*rival.Conn]{MaxSize: n, MinSize: n})
				if err != nil {
					return 0, err
				}
				defer pool.Shutdown(context.Background())
				return perCall(e.Sample/2, func() { pool.Stats() }), nil
			})
		},
	}
}

// warmPool returns a pool with its minimum open.
func warmPool(cfg connpool.Config[*rival.Conn]) (*connpool.Pool[*rival.Conn], error) {
	cfg.Connect = func(context.Context) (*rival.Conn, error) { return new(rival.Conn), nil }
	cfg.Logger = slog.New(slog.DiscardHandler)
	pool, err := connpool.New(cfg)
	if err != nil {
		return nil, err
	}
	if err := pool.Warm(context.Background()); err != nil {
		_ = pool.Close()
		return nil, err
	}
	return pool, nil
}

// perCall returns what a call takes, from as many as fit in a sample.
func perCall(sample time.Duration, call func()) float64 {
	call()
	began, calls := time.Now(), 0
	for time.Since(began) < sample {
		for range 8 {
			call()
		}
		calls += 8
	}
	return float64(time.Since(began)) / float64(calls)
}
