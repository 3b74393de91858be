package work

import (
	"fmt"
	"runtime"

	"github.com/connpool/connpool/bench/rival"
)

// The works in which nothing is held: what is measured is borrowing and returning.

var loopMetrics = []Metric{
	{NsPerOp, "time/op", Duration},
	{AllocsPerOp, "allocs/op", Count},
	{BytesPerOp, "B/op", Bytes},
}

var waitingMetrics = append(loopMetrics[:len(loopMetrics):len(loopMetrics)], Metric{WaitsPerOp, "waits/op", Count})

func serial() Work {
	return Work{
		Name:  "serial",
		Title: "Serial: one goroutine, 8 connections",
		How: "One goroutine borrows and returns a connection that does nothing, as fast as it can. " +
			"Time is wall time between two looks at its progress while it runs; allocations are those of the whole process.",
		Metrics: loopMetrics,
		Rivals:  rival.All(),
		Run:     cycling(runtime.NumCPU(), 1),
		Ratios:  true,
	}
}

func parallel(procs int) Work {
	return Work{
		Name:  fmt.Sprintf("parallel/%d", procs),
		Title: fmt.Sprintf("Parallel: GOMAXPROCS %d, as many goroutines, 8 connections", procs),
		How: fmt.Sprintf("As in the serial work, with GOMAXPROCS set to %d on %d CPUs and as many goroutines. "+
			"Time is wall time divided by the operations of all of them together.", procs, runtime.NumCPU()),
		Metrics: waitingMetrics,
		Rivals:  rival.All(),
		Run:     cycling(procs, procs),
		Ratios:  true,
	}
}

func oversubscribed(perCore int) Work {
	goroutines := perCore * runtime.NumCPU()
	return Work{
		Name:  fmt.Sprintf("oversubscribed/%d", perCore),
		Title: fmt.Sprintf("Oversubscribed: %d goroutines a core on 8 connections", perCore),
		How: fmt.Sprintf("%d goroutines on %d CPUs borrow and return in a closed loop. A pool that is fair has two stable states "+
			"here: nobody waits as long as nobody is preempted with a connection in hand, and once a queue has formed, it feeds "+
			"itself. So read the waits beside the time. Time is wall time divided by all operations.", goroutines, runtime.NumCPU()),
		Metrics: waitingMetrics,
		Rivals:  rival.All(),
		Run:     cycling(runtime.NumCPU(), goroutines),
		Ratios:  true,
	}
}

func cycling(procs, goroutines int) func(Effort, rival.Rival) (Figures, error) {
	return func(e Effort, r rival.Rival) (Figures, error) {
		defer withProcs(procs)()
		pool, err := r.New(rival.Setup{Max: eight})
		if err != nil {
			return nil, err
		}
		defer pool.Close()
		return measureLoop(e.Sample, goroutines, chunkOf(goroutines), pool)
	}
}
