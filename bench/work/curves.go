package work

import (
	"fmt"
	"runtime"
	"strconv"
	"time"

	"github.com/connpool/connpool/bench/rival"
)

// The curves: one figure as something grows.

// sizes are the points of a curve that are at most largest.
func sizes(largest int, points ...int) (fit []int) {
	for _, n := range points {
		if n <= largest {
			fit = append(fit, n)
		}
	}
	return fit
}

// columns are the metrics of a curve, one a size.
func columns(sizes []int, unit Unit) []Metric {
	var all []Metric
	for _, n := range sizes {
		all = append(all, Metric{Key: strconv.Itoa(n), Title: thousands(n), Unit: unit})
	}
	return all
}

func thousands(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

// notMeasured stands for a figure that would be of no use.
const notMeasured = -1

// along measures one figure at every size.
func along(sizes []int, measure func(n int) (float64, error)) (Figures, error) {
	f := Figures{}
	for _, n := range sizes {
		runtime.GC()
		value, err := measure(n)
		if err != nil {
			return nil, fmt.Errorf("at %d: %w", n, err)
		}
		if value != notMeasured {
			f[strconv.Itoa(n)] = value
		}
	}
	return f, nil
}

func connectionCurve(e Effort) Work {
	sizes := sizes(e.Largest, 1, 8, 100, 1000, 10_000, 100_000)
	return Work{
		Name:  "grow/connections",
		Title: "Borrow and return as open connections grow",
		How: "One goroutine borrows and returns while that many connections are open, which all were idle before. " +
			"A channel goes round all of them, so its figure includes fetching cold memory; the others take the last returned.",
		Metrics: columns(sizes, Duration),
		Rivals:  rival.Main(),
		Curve:   true,
		Late:    true,
		Run: func(e Effort, r rival.Rival) (Figures, error) {
			return along(sizes, func(n int) (float64, error) {
				pool, err := full(r, n)
				if err != nil {
					return 0, err
				}
				defer pool.Close()
				return onlyTime(measureLoop(e.Sample/2, 1, 64, pool))
			})
		},
	}
}

func goroutineCurve(e Effort) Work {
	sizes := sizes(e.Largest, 1, 10, 100, 1000, 10_000, 100_000)
	return Work{
		Name:  "grow/goroutines",
		Title: "Borrow and return as goroutines grow",
		How: "That many goroutines borrow and return in a closed loop on 8 connections. Time is wall time divided by all operations, " +
			"after each goroutine has had its first turn if that did not take too long. Nobody has to wait as long as nobody is " +
			"preempted with a connection in hand, so pools that hand over to the first of a queue do worse here than those that " +
			"let who runs go on.",
		Metrics: columns(sizes, Duration),
		Rivals:  rival.Main(),
		Curve:   true,
		Late:    true,
		Run: func(e Effort, r rival.Rival) (Figures, error) {
			return along(sizes, func(n int) (float64, error) {
				pool, err := r.New(rival.Setup{Max: eight})
				if err != nil {
					return 0, err
				}
				defer pool.Close()
				return onlyTime(measureLoop(e.Sample/2, n, chunkOf(n), pool))
			})
		},
	}
}

func shardCurve(e Effort) Work {
	sizes := sizes(min(e.Largest, 1000), 1, 10, 100, 1000)
	return Work{
		Name:  "grow/pools",
		Title: "Borrow and return as pools grow",
		How: "A process with that many pools of 8 connections, as a sharded database needs them. One goroutine borrows from and " +
			"returns to each in turn, so the figures include a call through an interface, and fetching cold memory.",
		Metrics: columns(sizes, Duration),
		Rivals:  rival.Main(),
		Curve:   true,
		Late:    true,
		Run: func(e Effort, r rival.Rival) (Figures, error) {
			return along(sizes, func(n int) (float64, error) { return measureShards(e.Sample/2, r, n) })
		},
	}
}

func measureShards(sample time.Duration, r rival.Rival, n int) (float64, error) {
	var pools []rival.Pool
	defer func() {
		for _, p := range pools {
			p.Close()
		}
	}()
	for range n {
		pool, err := r.New(rival.Setup{Max: eight})
		if err != nil {
			return 0, err
		}
		pools = append(pools, pool)
	}
	return onlyTime(measureLoop(sample, 1, 1, pools...))
}

func onlyTime(f Figures, err error) (float64, error) { return f[NsPerOp], err }
