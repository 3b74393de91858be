package report

import (
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/connpool/connpool/bench/plan"
	"github.com/connpool/connpool/bench/rival"
	"github.com/connpool/connpool/bench/run"
	"github.com/connpool/connpool/bench/work"
)

// goal is something that this pool is to reach, and what has come of it.
type goal struct {
	work, target string
	met          []finding
}

// finding is one condition of a goal.
type finding struct {
	text string // what was reached
	ok   bool
	even bool // not ok by the medians, but the rounds overlap
	none bool // it was not measured
}

const missed = "**no**"

func (g goal) verdict() string {
	verdict := "yes"
	for _, f := range g.met {
		switch {
		case f.none:
			return "not measured"
		case f.ok || verdict == missed:
		case f.even:
			verdict = "within the spread"
		default:
			verdict = missed
		}
	}
	return verdict
}

func (g goal) reached() string {
	var texts []string
	for _, f := range g.met {
		if !f.none {
			texts = append(texts, f.text)
		}
	}
	return strings.Join(texts, "; ")
}

// WriteGoals writes the table of goals.
func WriteGoals(w io.Writer, r run.Results) {
	t := &table{words: true}
	t.add("work", "goal", "reached", "")
	for _, g := range goals(r) {
		t.add(g.work, g.target, g.reached(), g.verdict())
	}
	t.writeTo(w)
}

func goals(r run.Results) []goal {
	return append(poolGoals(r), adapterGoals(r)...)
}

func poolGoals(r run.Results) []goal {
	j := judge{r}
	parallel := fmt.Sprintf("parallel/%d", runtime.NumCPU())
	return []goal{
		{"acquire and release, serial", "at most 1.3 x sync.Pool, at least 6 x faster than puddle, 0 allocations", []finding{
			j.atMostTimes("serial", floor, 1.3), j.faster("serial", "puddle", 6), j.noAllocations("serial"),
		}},
		{"the same, parallel on all CPUs", "at most 1.5 x sync.Pool, at least 10 x faster than puddle, 0 allocations", []finding{
			j.atMostTimes(parallel, floor, 1.5), j.faster(parallel, "puddle", 10), j.noAllocations(parallel),
		}},
		{"16 goroutines a core on 8 connections", "at least 4 x faster than puddle, ahead of every fair rival", []finding{
			j.faster("oversubscribed/16", "puddle", 4), j.aheadOfFair("oversubscribed/16"), j.waits("oversubscribed/16"),
		}},
		{"256 goroutines a core", "ahead of every fair rival", []finding{
			j.aheadOfFair("oversubscribed/256"), j.waits("oversubscribed/256"),
		}},
		{"64 callers on 4 connections, held 50 µs", saturatedTarget, j.saturated("saturated/50us")},
		{"the same, held 1 ms", saturatedTarget, j.saturated("saturated/1ms")},
		{"order of service", "no pair of a queue of 50 out of order, and nobody in the work above overtaken by 5 ms or more", []finding{
			j.atMost("order", work.OutOfOrder, work.Count, 0, "pairs out of order"),
			j.atMost("saturated/1ms", work.OvertakenLate, work.Count, 0, "per 1,000 overtaken"),
		}},
		{"spike", "at most 8 connections opened, everybody served no later than by any rival", []finding{
			j.atMost(plan.Spike, plan.Opened, work.Count, 8, "opened"), j.noneBelow(plan.Spike, plan.Served),
		}},
		{"cold start", "at most MaxConnecting (8) dials at once", []finding{
			j.atMost(plan.ColdStart, plan.AtOnce, work.Count, 8, "at once"),
		}},
		{"dead server, 2 s", "at most 60 dials", []finding{j.atMost(plan.DeadServer, plan.Dials, work.Count, 60, "dials")}},
		{"50,000 waiters", "cancelled in less than 100 ms, at most 1 KB each beside the goroutine", []finding{
			j.atMost(plan.Crowd, plan.Cancelled, work.Duration, 100e6, "to cancel all"),
			j.atMost(plan.Crowd, plan.HeapEach, work.Bytes, 1024, "each"),
		}},
		{"acquire and release with 100,000 connections", "at most 1.5 x that with 8", []finding{j.grows("grow/connections", "8", "100000", 1.5)}},
	}
}

const saturatedTarget = "throughput at least, and p99 wait at most, those of the best fair rivals"

// judge finds out what was reached.
type judge struct{ run.Results }

func (j judge) ours(name, key string) (run.Summary, bool) { return j.Work(name).Row(our).Of(key) }

// first is the key of a work's first metric.
func (j judge) first(name string) string {
	if w := j.Work(name); w != nil {
		return w.Metrics[0].Key
	}
	return ""
}

// atMostTimes asks for at most so many times what another takes. If it is more, it
// tells what no pool can be below on this machine.
func (j judge) atMostTimes(name, other string, limit float64) finding {
	ours, ok := j.ours(name, j.first(name))
	theirs, ok2 := j.Work(name).Row(other).Of(j.first(name))
	if !ok || !ok2 {
		return finding{none: true}
	}
	times := ours.Median / theirs.Median
	f := finding{text: fmt.Sprintf("%s x %s", number(times), other), ok: times <= limit}
	if least, ok := j.Work(name).Row(leastOfAll).Of(j.first(name)); ok && !f.ok {
		f.text += fmt.Sprintf(" (%s alone: %s x)", leastOfAll, number(least.Median/theirs.Median))
	}
	return f
}

func (j judge) faster(name, than string, limit float64) finding {
	ours, ok := j.ours(name, j.first(name))
	theirs, ok2 := j.Work(name).Row(than).Of(j.first(name))
	if !ok || !ok2 {
		return finding{none: true}
	}
	times := theirs.Median / ours.Median
	return finding{text: fmt.Sprintf("%s x faster than %s", number(times), than), ok: times >= limit}
}

// noAllocations asks for less than one allocation in a hundred operations: the
// process itself makes some now and then.
func (j judge) noAllocations(name string) finding {
	allocs, ok := j.ours(name, work.AllocsPerOp)
	return finding{text: number(allocs.Median) + " allocations", ok: allocs.Median < 0.01, none: !ok}
}

// waits only tells.
func (j judge) waits(name string) finding {
	waits, ok := j.ours(name, work.WaitsPerOp)
	return finding{text: number(waits.Median) + " waits/op", ok: true, none: !ok}
}

func (j judge) atMost(name, key string, unit work.Unit, limit float64, what string) finding {
	s, ok := j.ours(name, key)
	return finding{text: format(s.Median, unit) + " " + what, ok: s.Median <= limit, none: !ok}
}

// fairRivals calls f for every rival that is fair and not this pool.
func (j judge) fairRivals(name, key string, f func(rivalName string, s run.Summary)) {
	w := j.Work(name)
	if w == nil {
		return
	}
	for i := range w.Rows {
		row := &w.Rows[i]
		if s, ok := row.Of(key); ok && row.Rival.Kind == rival.Fair && row.Rival.Name != our {
			f(row.Rival.Name, s)
		}
	}
}

// best names the best fair rival by a metric.
func (j judge) best(name, key string, better func(a, b float64) bool) (rivalName string, best run.Summary) {
	j.fairRivals(name, key, func(n string, s run.Summary) {
		if rivalName == "" || better(s.Median, best.Median) {
			rivalName, best = n, s
		}
	})
	return rivalName, best
}

func less(a, b float64) bool { return a < b }
func more(a, b float64) bool { return a > b }

func (j judge) aheadOfFair(name string) finding {
	ours, ok := j.ours(name, j.first(name))
	who, best := j.best(name, j.first(name), less)
	if !ok || who == "" {
		return finding{none: true}
	}
	return finding{
		text: fmt.Sprintf("%s to %s of the next, %s", format(ours.Median, work.Duration), format(best.Median, work.Duration), who),
		ok:   ours.Median < best.Median,
	}
}

// saturated compares with the best of the fair rivals, which need not be the same
// one for throughput and for waits.
func (j judge) saturated(name string) []finding {
	ours, ok := j.ours(name, work.Throughput)
	fastest, theirs := j.best(name, work.Throughput, more)
	wait, ok2 := j.ours(name, work.P99)
	steadiest, theirWait := j.best(name, work.P99, less)
	if !ok || !ok2 || fastest == "" || steadiest == "" {
		return []finding{{none: true}}
	}
	return []finding{
		{
			text: fmt.Sprintf("%s/s to %s/s of %s", number(ours.Median), number(theirs.Median), fastest),
			ok:   ours.Median >= theirs.Median,
			even: ours.Max >= theirs.Min,
		},
		{
			text: fmt.Sprintf("p99 %s to %s of %s", format(wait.Median, work.Duration), format(theirWait.Median, work.Duration), steadiest),
			ok:   wait.Median <= theirWait.Median,
			even: wait.Min <= theirWait.Max,
		},
	}
}

// noneBelow asks that no rival, fair or not, is better by a metric.
func (j judge) noneBelow(name, key string) finding {
	ours, ok := j.ours(name, key)
	if !ok {
		return finding{none: true}
	}
	f := finding{text: "all served in " + format(ours.Median, work.Duration), ok: true, even: true}
	w := j.Work(name)
	for i := range w.Rows {
		if s, ok := w.Rows[i].Of(key); ok && s.Median < ours.Median {
			f.ok = false
			f.even = f.even && s.Max >= ours.Min
			f.text += fmt.Sprintf(", %s in %s", w.Rows[i].Rival.Name, format(s.Median, work.Duration))
		}
	}
	return f
}

func (j judge) grows(name, from, to string, limit float64) finding {
	before, ok := j.ours(name, from)
	after, ok2 := j.ours(name, to)
	if !ok || !ok2 {
		return finding{none: true}
	}
	times := after.Median / before.Median
	return finding{text: number(times) + " x", ok: times <= limit}
}
