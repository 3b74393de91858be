package work

import (
	"math"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/connpool/connpool/bench/rival"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// go-redis keeps the time of day in a variable, updated by one goroutine for ever.
		goleak.IgnoreTopFunction("github.com/redis/go-redis/v9/internal/pool.startGlobalTimeCache.func1"))
}

var least = Effort{Sample: 2 * time.Millisecond, Largest: 100}

func TestEveryWorkRunsWithEveryRivalOfIts(t *testing.T) {
	for _, w := range All(least) {
		t.Run(w.Name, func(t *testing.T) {
			for _, r := range w.Rivals {
				figures, err := w.Run(least, r)
				if err != nil {
					t.Errorf("%s: %v", r.Name, err)
				}
				checkFigures(t, w, r, figures)
			}
		})
	}
}

func checkFigures(t *testing.T, w Work, r rival.Rival, figures Figures) {
	known := map[string]bool{}
	for _, m := range w.Metrics {
		known[m.Key] = true
	}
	for key, value := range figures {
		if !known[key] {
			t.Errorf("%s: figure %q has no column", r.Name, key)
		}
		if math.IsNaN(value) || math.IsInf(value, 0) {
			t.Errorf("%s: %s is %v", r.Name, key, value)
		}
	}
	if _, ok := figures[w.Metrics[0].Key]; !ok {
		t.Errorf("%s: the first column is missing", r.Name)
	}
}

func TestOvertakenCountsThoseServedAfterALaterOne(t *testing.T) {
	at := func(asked, served int) service {
		return service{time.Duration(asked) * time.Millisecond, time.Duration(served) * time.Millisecond}
	}
	inOrder := []service{at(1, 10), at(2, 20), at(3, 30)}
	if n := overtaken(inOrder, 0); n != 0 {
		t.Errorf("%d in a queue kept", n)
	}
	oneLate := []service{at(1, 40), at(2, 20), at(3, 30)}
	if n := overtaken(oneLate, 0); n != 1 {
		t.Errorf("%d, not 1", n)
	}
	if n := overtaken(oneLate, 2*time.Millisecond); n != 0 {
		t.Errorf("%d by more than 2 ms", n)
	}
	everyoneBehindTheLast := []service{at(1, 20), at(2, 30), at(3, 10)}
	if n := overtaken(everyoneBehindTheLast, 0); n != 2 {
		t.Errorf("%d, not 2", n)
	}
}

func TestThoseWhoStarveCount(t *testing.T) {
	second := window{0, time.Second}
	served := []service{{0, 1}, {2, 3}, {4, 5}}
	starved := []service{{1, 2 * time.Second}}
	f := second.describe([][]service{served, starved})
	if f[Throughput] != 3 || f[Uneven] != 3 {
		t.Errorf("throughput %v, uneven %v", f[Throughput], f[Uneven])
	}
	if f[Longest] != float64(time.Second-1) {
		t.Errorf("longest %v", f[Longest])
	}
	if f[Overtaken] != 250 {
		t.Errorf("%v of 1,000 overtaken, not one of four", f[Overtaken])
	}
}

func TestInversionsAreAllPairsWhenTheQueueIsAStack(t *testing.T) {
	if n := inversions([]int{3, 2, 1, 0}); n != 6 {
		t.Errorf("%d, not 6", n)
	}
	if n := inversions([]int{0, 1, 2, 3}); n != 0 {
		t.Errorf("%d, not 0", n)
	}
}

func TestQuantilesAreOfTheSortedDurations(t *testing.T) {
	d := []time.Duration{1, 2, 3, 4, 5}
	if p50, longest := quantile(d, 0.5), quantile(d, 1); p50 != 3 || longest != 5 {
		t.Errorf("p50 %v, longest %v", p50, longest)
	}
}

func TestThousandsAreGrouped(t *testing.T) {
	for n, want := range map[int]string{1: "1", 999: "999", 1000: "1,000", 100_000: "100,000"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is written %s", n, got)
		}
	}
}
