package report

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/connpool/connpool/bench/plan"
	"github.com/connpool/connpool/bench/rival"
	"github.com/connpool/connpool/bench/run"
	"github.com/connpool/connpool/bench/work"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// go-redis keeps the time of day in a variable, updated by one goroutine for ever.
		goleak.IgnoreTopFunction("github.com/redis/go-redis/v9/internal/pool.startGlobalTimeCache.func1"))
}

func TestFiguresHaveThreeDigitsAndAUnit(t *testing.T) {
	for _, c := range []struct {
		value float64
		unit  work.Unit
		want  string
	}{
		{17.34, work.Duration, "17.3 ns"},
		{999.6, work.Duration, "1.00 µs"},
		{16_740_000, work.Duration, "16.7 ms"},
		{2.5e9, work.Duration, "2.50 s"},
		{156, work.Bytes, "156 B"},
		{-0.2, work.Bytes, "-0.20 B"},
		{2048, work.Bytes, "2 KB"},
		{0, work.Count, "0"},
		{-0.001, work.Count, "0"},
		{0.25, work.Count, "0.25"},
		{14_500, work.Count, "14,500"},
		{1_234_567, work.PerSecond, "1,234,567"},
		{1.5, work.Ratio, "1.50 x"},
		{99.5, work.Percent, "99.5 %"},
	} {
		if got := format(c.value, c.unit); got != c.want {
			t.Errorf("%v is written %q, not %q", c.value, got, c.want)
		}
	}
}

func TestTheSpreadIsWrittenUnlessItIsNegligible(t *testing.T) {
	for _, c := range []struct {
		s    run.Summary
		want string
	}{
		{run.Summary{Median: 100, Min: 95, Max: 105}, "100 ns ±5 %"},
		{run.Summary{Median: 100, Min: 99.9, Max: 100.1}, "100 ns"},
		{run.Summary{Median: 0, Min: 0, Max: 1}, "0 ns"},
	} {
		if got := withSpread(c.s, work.Duration); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// made returns results as a run would have made them, from one figure each.
func made(t *testing.T, works map[string]map[string]work.Figures) run.Results {
	t.Helper()
	p, _ := plan.New(true)
	var wanted []work.Work
	for _, w := range p.Works {
		figures, ok := works[w.Name]
		if !ok {
			continue
		}
		w.Run = func(_ work.Effort, r rival.Rival) (work.Figures, error) {
			if f, ok := figures[r.Name]; ok {
				return f, nil
			}
			return nil, errors.New("not made")
		}
		wanted = append(wanted, w)
	}
	return run.Plan{Works: wanted, Rounds: 1}.Do(context.Background(), func(run.Step, time.Duration) {})
}

func serially(ours, syncPool, puddle, allocs float64) map[string]map[string]work.Figures {
	return map[string]map[string]work.Figures{"serial": {
		our:      {work.NsPerOp: ours, work.AllocsPerOp: allocs},
		floor:    {work.NsPerOp: syncPool, work.AllocsPerOp: 0},
		"puddle": {work.NsPerOp: puddle, work.AllocsPerOp: 0},
	}}
}

func TestAGoalIsReachedIfAllOfItIs(t *testing.T) {
	for _, c := range []struct {
		ours, allocs float64
		want         string
	}{
		{12, 0, "yes"},
		{14, 0, "**no**"},   // of sync.Pool
		{12, 0.5, "**no**"}, // allocates
	} {
		g := goals(made(t, serially(c.ours, 10, 100, c.allocs)))[0]
		if got := g.verdict(); got != c.want {
			t.Errorf("%v ns, %v allocations: %s: %s", c.ours, c.allocs, got, g.reached())
		}
	}
}

// A median that is missed is not reached, however close the rounds are.
func TestWhatIsMissedWithinTheSpreadSaysSo(t *testing.T) {
	reached, close, far := finding{ok: true}, finding{even: true}, finding{}
	for want, met := range map[string][]finding{
		"yes":               {reached, reached},
		"within the spread": {reached, close, reached},
		"**no**":            {close, far, close},
		"not measured":      {far, {none: true}},
	} {
		if got := (goal{met: met}).verdict(); got != want {
			t.Errorf("%+v: %s, not %s", met, got, want)
		}
	}
	for _, c := range []struct {
		rounds []float64 // of ours; a rival has 100, 101 and 102 borrows a second
		want   string
	}{{[]float64{100, 101, 103}, "yes"}, {[]float64{98, 99, 100}, "within the spread"}, {[]float64{97, 98, 99}, "**no**"}} {
		if got := saturatedIn(t, c.rounds); got != c.want {
			t.Errorf("%v: %s, not %s", c.rounds, got, c.want)
		}
	}
}

// saturatedIn returns the verdict on some rounds of a saturated work.
func saturatedIn(t *testing.T, rounds []float64) string {
	t.Helper()
	p, _ := plan.New(true)
	i := slices.IndexFunc(p.Works, func(w work.Work) bool { return w.Name == "saturated/1ms" })
	theirs, ours := []float64{100, 101, 102}, slices.Clone(rounds)
	next := func(from *[]float64) work.Figures {
		f := work.Figures{work.Throughput: (*from)[0], work.P99: 1}
		*from = (*from)[1:]
		return f
	}
	p.Works[i].Run = func(_ work.Effort, r rival.Rival) (work.Figures, error) {
		switch r.Name {
		case our:
			return next(&ours), nil
		case "puddle":
			return next(&theirs), nil
		}
		return nil, errors.New("not made")
	}
	results := run.Plan{Works: p.Works[i : i+1], Rounds: len(rounds)}.Do(context.Background(), func(run.Step, time.Duration) {})
	for _, g := range goals(results) {
		if g.work == "the same, held 1 ms" {
			return g.verdict()
		}
	}
	return ""
}

func TestWhoIsSlowerThanTheFloorIsToldWhatNoPoolIsBelow(t *testing.T) {
	works := serially(18, 10, 200, 0)
	works["serial"][leastOfAll] = work.Figures{work.NsPerOp: 11}
	const want = "1.80 x sync.Pool (two CAS alone: 1.10 x); 11.1 x faster than puddle; 0 allocations"
	if got := goals(made(t, works))[0].reached(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWhatWasNotRunIsNotMeasured(t *testing.T) {
	for _, g := range goals(run.Results{}) {
		if got := g.verdict(); got != "not measured" {
			t.Errorf("%s: %s", g.work, got)
		}
	}
}

func TestRivalsThatAreNotFairNeedNotBeBeaten(t *testing.T) {
	results := made(t, map[string]map[string]work.Figures{"oversubscribed/256": {
		our:            {work.NsPerOp: 100, work.WaitsPerOp: 0.5},
		"puddle":       {work.NsPerOp: 200},
		"database/sql": {work.NsPerOp: 50},
		floor:          {work.NsPerOp: 5},
	}})
	for _, g := range goals(results) {
		if g.work == "256 goroutines a core" && g.verdict() != "yes" {
			t.Errorf("%s: %s", g.verdict(), g.reached())
		}
	}
}

func TestARivalThatIsTakenForFairAndIsNotIsFlagged(t *testing.T) {
	r := Report{Results: made(t, map[string]map[string]work.Figures{"order": {
		"puddle":       {work.OutOfOrder: 600},
		"database/sql": {work.OutOfOrder: 0},
		our:            {work.OutOfOrder: 0},
	}})}
	for name, want := range map[string]string{
		"puddle":       "fair, **but measured unfair**",
		"database/sql": "not fair, **but measured fair**",
		our:            "fair",
		floor:          "floor",
	} {
		for _, one := range rival.All() {
			if one.Name == name && r.kind(one) != want {
				t.Errorf("%s: %q, not %q", name, r.kind(one), want)
			}
		}
	}
}

func TestAnAdapterIsHeldToTheRateAndTheTail(t *testing.T) {
	rate, tail := plan.RateKey(8), plan.TailKey(8)
	for _, c := range []struct {
		rate, tail float64
		want       string
	}{{101, 9, "yes"}, {99, 9, "**no**"}, {101, 11, "**no**"}} {
		results := made(t, map[string]map[string]work.Figures{plan.Postgres: {
			"pgxconn": {rate: c.rate, tail: c.tail},
			"pgxpool": {rate: 100, tail: 10},
		}})
		if g := adapterGoals(results)[1]; g.verdict() != c.want {
			t.Errorf("%v: %s: %s", c, g.verdict(), g.reached())
		}
	}
	results := made(t, map[string]map[string]work.Figures{plan.Postgres: {
		"sqlconn": {plan.RateKey(1): 94}, "database/sql": {plan.RateKey(1): 100},
	}})
	if g := adapterGoals(results)[3]; g.verdict() != "**no**" {
		t.Errorf("6 %% slower: %s", g.reached())
	}
}

func TestATableIsAlignedToBeReadAsText(t *testing.T) {
	var out bytes.Buffer
	tab := &table{}
	tab.add("", "time")
	tab.add("µ", "1 ns")
	tab.writeTo(&out)
	const want = "|   | time |\n|---|-----:|\n| µ | 1 ns |\n\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestTheReportIsSavedWithItsCharts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out", "RESULTS.md")
	r := Report{Command: "go run .", Machine: ThisMachine(), Rounds: 1, Results: made(t, serially(12, 10, 100, 0))}
	if err := r.Save(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# Results", "Generated by `go run .`", "charts/latency.svg", "| **connpool** ", "redigo failed: not made"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is missing from\n%s", want, text)
		}
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), "charts", "latency.svg")); err != nil {
		t.Error(err)
	}
}
