package plan

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/connpool/connpool/bench/rival"
	"github.com/connpool/connpool/bench/work"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// go-redis keeps the time of day in a variable, updated by one goroutine for ever.
		goleak.IgnoreTopFunction("github.com/redis/go-redis/v9/internal/pool.startGlobalTimeCache.func1"))
}

func TestEveryWorkHasANameOfItsOwnAndSaysHowItIsMeasured(t *testing.T) {
	for _, quick := range []bool{true, false} {
		seen := map[string]bool{}
		p, _ := New(quick)
		for _, w := range p.Works {
			if seen[w.Name] {
				t.Errorf("two works are called %q", w.Name)
			}
			seen[w.Name] = true
			if w.Title == "" || w.How == "" || len(w.Metrics) == 0 || len(w.Rivals) == 0 || w.Run == nil {
				t.Errorf("%s is incomplete", w.Name)
			}
		}
	}
}

func TestScenariosHaveTheirFiguresInColumns(t *testing.T) {
	p, spikes := New(true)
	for _, w := range p.Works {
		switch w.Name {
		case Spike, ColdStart, DeadServer, Crowd:
		default:
			continue
		}
		t.Run(w.Name, func(t *testing.T) {
			figures, err := w.Run(p.Effort, rival.Connpool())
			if err != nil {
				t.Fatal(err)
			}
			checkColumns(t, w, figures)
		})
	}
	if n := len(spikes.All()); n != 1 {
		t.Errorf("%d spikes kept", n)
	}
}

func checkColumns(t *testing.T, w work.Work, figures work.Figures) {
	if len(figures) != len(w.Metrics) {
		t.Errorf("%d figures in %d columns", len(figures), len(w.Metrics))
	}
	for _, m := range w.Metrics {
		if _, ok := figures[m.Key]; !ok {
			t.Errorf("no %q", m.Key)
		}
	}
}
