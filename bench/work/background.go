package work

import (
	"context"
	"time"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/bench/rival"
)

// The background rows. They are no rivals, but stand where rivals do.
const (
	noPool     = "no pool: the Go runtime alone"
	atRest     = "defaults"
	justIdle   = "with a Check, in the first second of idleness"
	sweptOften = "swept every 10 ms"
)

func backgroundCurve(e Effort) Work {
	sizes := sizes(e.Largest, 10, 1000, 100_000)
	return Work{
		Name:  "background",
		Title: "What goes on in the background",
		How: "CPU time a second, by getrusage, of a process that does nothing but hold a pool of that many idle connections. " +
			"A pool at rest wakes nothing. With a Check it looks every 250 ms until all are marked for one. To make what a sweep costs visible, " +
			"the last pool is kept from resting and sweeps 100 times a second: a hundredth of its figure is one sweep.",
		Metrics: columns(sizes, Duration),
		Rivals:  []rival.Rival{{Name: noPool}, {Name: atRest}, {Name: justIdle}, {Name: sweptOften}},
		Curve:   true,
		Late:    true,
		Rounds:  3,
		Run: func(e Effort, r rival.Rival) (Figures, error) {
			return along(sizes, func(n int) (float64, error) { return background(r.Name, n, 6*e.Sample) })
		},
	}
}

func background(row string, n int, window time.Duration) (float64, error) {
	if row == noPool {
		heap()
		return idleCPU(window), nil
	}
	pool, err := warmPool(backgroundConfig(row, n))
	if err != nil {
		return 0, err
	}
	defer pool.Shutdown(context.Background())
	heap() // let no garbage collection fall into the window
	return idleCPU(window), nil
}

func backgroundConfig(row string, n int) connpool.Config[*rival.Conn] {
	cfg := connpool.Config[*rival.Conn]{MaxSize: n, MinSize: n}
	check := func(context.Context, *rival.Conn) error { return nil }
	switch row {
	case justIdle:
		cfg.Check = check
	case sweptOften:
		// The period is a quarter of the shortest limit, and a check that will be
		// due some day keeps the sweep from resting.
		cfg.Check, cfg.CheckAfterIdle, cfg.CheckInterval = check, time.Hour, -1
		cfg.LeakThreshold = 40 * time.Millisecond
	}
	return cfg
}

// idleCPU returns the CPU time a second that the process uses while this
// goroutine sleeps.
func idleCPU(window time.Duration) float64 {
	cpu, began := cpuTime(), time.Now()
	time.Sleep(window)
	return float64(cpuTime()-cpu) / time.Since(began).Seconds()
}
