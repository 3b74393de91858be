package plan

import (
	"context"
	"fmt"

	"github.com/connpool/connpool/bench/rival"
	"github.com/connpool/connpool/bench/scenario"
	"github.com/connpool/connpool/bench/work"
)

// Names of the scenarios, as works, and keys of the figures that goals are about.
const (
	Spike          = "spike"
	ColdStart      = "coldstart"
	DeadServer     = "deadserver"
	Crowd          = "crowd"
	Postgres       = "postgres"
	SecurePostgres = "postgres-tls"

	Opened    = "opened"
	Served    = "served"
	AtOnce    = "at once"
	Dials     = "dials"
	Cancelled = "cancelled"
	HeapEach  = "heap each"
)

func spike(quick bool, kept *Spikes) work.Work {
	s := scenario.PublishedSpike(quick)
	return work.Work{
		Name:  Spike,
		Title: fmt.Sprintf("Spike: %d callers at once on %d open connections", s.Callers, s.Min),
		How: fmt.Sprintf("%d callers come at the same time to a pool that may open %d connections and has %d. A dial takes %v, a "+
			"query %v: those that are open serve everybody long before another one can be. Connections are counted in the dial "+
			"function, from the start to a while after the last caller has been served.", s.Callers, s.Max, s.Min, s.Dial, s.Query),
		Metrics: []work.Metric{
			{Key: Opened, Title: "connections opened", Unit: work.Count},
			{Key: Served, Title: "all served in", Unit: work.Duration},
			{Key: "late", Title: "opened when no longer needed", Unit: work.Count},
		},
		Rivals: work.Bounded(),
		Run: func(_ work.Effort, r rival.Rival) (work.Figures, error) {
			result, err := scenario.Spike(context.Background(), r, s)
			if err != nil {
				return nil, err
			}
			kept.keep(r, result)
			return work.Figures{Opened: float64(result.Open), Served: float64(result.Served), "late": float64(result.Late)}, nil
		},
	}
}

func coldStart(quick bool) work.Work {
	s := scenario.UsualColdStart(quick)
	return work.Work{
		Name:  ColdStart,
		Title: fmt.Sprintf("Cold start: %d callers on an empty pool", s.Callers),
		How: fmt.Sprintf("%d callers come at the same time to an empty pool that may open %d connections. A dial takes %v, a query "+
			"%v, however many of them there are at once; a real server would slow down.", s.Callers, s.Max, s.Dial, s.Query),
		Metrics: []work.Metric{
			{Key: AtOnce, Title: "dials at once", Unit: work.Count},
			{Key: Dials, Title: "dials", Unit: work.Count},
			{Key: Served, Title: "all served in", Unit: work.Duration},
		},
		Rivals: work.Bounded(),
		Run: func(_ work.Effort, r rival.Rival) (work.Figures, error) {
			result, err := scenario.ColdStart(context.Background(), r, s)
			if err != nil {
				return nil, err
			}
			return work.Figures{AtOnce: float64(result.MostAtOnce), Dials: float64(result.Dials), Served: float64(result.Served)}, nil
		},
	}
}

func deadServer(quick bool) work.Work {
	s := scenario.UsualDeadServer(quick)
	return work.Work{
		Name:  DeadServer,
		Title: fmt.Sprintf("Dead server: %d callers retry for %v", s.Retriers, s.For),
		How: fmt.Sprintf("Every dial fails after %v. %d callers ask for a connection, with a deadline of %v each, and ask again as soon "+
			"as they have failed, for %v. Told why: failures that name the dial's error, and not the deadline alone.",
			s.Dial, s.Retriers, s.Deadline, s.For),
		Metrics: []work.Metric{
			{Key: Dials, Title: "dials", Unit: work.Count},
			{Key: "failures", Title: "failed borrows", Unit: work.Count},
			{Key: "told", Title: "told why", Unit: work.Percent},
			{Key: "longest", Title: "longest borrow", Unit: work.Duration},
		},
		Rivals: work.Bounded(),
		Run: func(_ work.Effort, r rival.Rival) (work.Figures, error) {
			result, err := scenario.DeadServer(context.Background(), r, s)
			if err != nil {
				return nil, err
			}
			return work.Figures{
				Dials:      float64(result.Dials),
				"failures": float64(result.Failures),
				"told":     100 * float64(result.KnewWhy) / float64(max(result.Failures, 1)),
				"longest":  float64(result.Longest),
			}, nil
		},
	}
}

func crowd(quick bool) work.Work {
	s := scenario.UsualWaiters(quick)
	return work.Work{
		Name:  Crowd,
		Title: fmt.Sprintf("Crowd: %d callers wait for one connection", s.Callers),
		How: "All wait with one context, which is then cancelled; cancelled in is the time until the last has returned. A second crowd " +
			"is served by the one connection. Memory is what one that waits takes beyond a goroutine that waits for the same " +
			"context and no pool; stacks grow in steps, so theirs may be nothing or some KB.",
		Metrics: []work.Metric{
			{Key: Cancelled, Title: "cancelled in", Unit: work.Duration},
			{Key: "alone", Title: "the same without a pool", Unit: work.Duration},
			{Key: HeapEach, Title: "heap each", Unit: work.Bytes},
			{Key: "stack each", Title: "stack each", Unit: work.Bytes},
			{Key: Served, Title: "served in", Unit: work.Duration},
		},
		Rivals: work.Bounded(),
		Late:   true,
		Run: func(_ work.Effort, r rival.Rival) (work.Figures, error) {
			result, err := scenario.Waiters(context.Background(), r, s)
			if err != nil {
				return nil, err
			}
			return work.Figures{
				Cancelled:    float64(result.Cancel),
				"alone":      float64(result.CancelAlone),
				HeapEach:     result.HeapEach,
				"stack each": result.StackEach,
				Served:       float64(result.Serve),
			}, nil
		},
	}
}
