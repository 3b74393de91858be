package run

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/connpool/connpool/bench/rival"
	"github.com/connpool/connpool/bench/work"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// go-redis keeps the time of day in a variable, updated by one goroutine for ever.
		goleak.IgnoreTopFunction("github.com/redis/go-redis/v9/internal/pool.startGlobalTimeCache.func1"))
}

// log returns a plan whose steps write down who ran, and where.
func log(rounds int, works ...work.Work) (Plan, *[]string) {
	var ran []string
	for i := range works {
		name := works[i].Name
		works[i].Rivals = []rival.Rival{{Name: "A"}, {Name: "B"}, {Name: "C"}}
		works[i].Run = func(_ work.Effort, r rival.Rival) (work.Figures, error) {
			ran = append(ran, name+r.Name)
			return work.Figures{"x": float64(len(ran))}, nil
		}
	}
	return Plan{Works: works, Rounds: rounds}, &ran
}

func silent(Step, time.Duration) {}

func equal(t *testing.T, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

func TestRivalsTakeTurnsAndAnotherBeginsEachRound(t *testing.T) {
	plan, ran := log(3, work.Work{Name: "1"}, work.Work{Name: "2"})
	plan.Do(context.Background(), silent)
	equal(t, *ran, []string{
		"1A", "1B", "1C", "2A", "2B", "2C",
		"1B", "1C", "1A", "2B", "2C", "2A",
		"1C", "1A", "1B", "2C", "2A", "2B",
	})
}

func TestLateWorksRunAfterAllRoundsOfTheOthers(t *testing.T) {
	plan, ran := log(2, work.Work{Name: "late", Late: true}, work.Work{Name: "early", Rounds: 1})
	plan.Do(context.Background(), silent)
	equal(t, *ran, []string{"earlyA", "earlyB", "earlyC", "lateA", "lateB", "lateC", "lateB", "lateC", "lateA"})
}

func TestResultsAreMediansOfTheRounds(t *testing.T) {
	plan, _ := log(3, work.Work{Name: "1"})
	results := plan.Do(context.Background(), silent)
	s, ok := results.Work("1").Row("A").Of("x")
	if !ok || s != (Summary{Median: 6, Min: 1, Max: 8, Rounds: 3}) {
		t.Errorf("got %+v", s)
	}
	if got := s.Spread(); got != 3.5/6 {
		t.Errorf("spread %v", got)
	}
	if _, ok := results.Work("1").Row("A").Of("y"); ok {
		t.Error("a metric that nobody measured")
	}
	if _, ok := results.Work("2").Row("A").Of("x"); ok {
		t.Error("a work that nobody ran")
	}
}

func TestTheMedianOfAnEvenNumberLiesBetweenTheTwoInTheMiddle(t *testing.T) {
	if got := summarize([]float64{4, 1, 3, 2}).Median; got != 2.5 {
		t.Errorf("got %v", got)
	}
}

func TestAFailedRoundIsKeptApart(t *testing.T) {
	broken := errors.New("broken")
	plan, _ := log(2, work.Work{Name: "1"})
	plan.Works[0].Run = func(_ work.Effort, r rival.Rival) (work.Figures, error) {
		if r.Name == "B" {
			return nil, broken
		}
		return work.Figures{"x": 1}, nil
	}
	results := plan.Do(context.Background(), silent)
	if row := results.Work("1").Row("B"); !errors.Is(row.Err, broken) || len(row.Rounds) != 0 {
		t.Errorf("got %+v", row)
	}
	if row := results.Work("1").Row("A"); row.Err != nil || len(row.Rounds) != 2 {
		t.Errorf("got %+v", row)
	}
}

func TestAnInterruptedPlanReturnsWhatThereIs(t *testing.T) {
	plan, ran := log(2, work.Work{Name: "1"})
	ctx, cancel := context.WithCancel(context.Background())
	results := plan.Do(ctx, func(s Step, _ time.Duration) {
		if s.Index == 3 {
			cancel()
		}
	})
	if len(*ran) != 4 { // the step that was announced still runs
		t.Errorf("ran %v", *ran)
	}
	if n := len(results.Work("1").Row("A").Rounds); n != 1 {
		t.Errorf("%d rounds", n)
	}
}

func TestTheTimeLeftIsThatOfTheLastRound(t *testing.T) {
	plan, _ := log(2, work.Work{Name: "1"})
	steps := plan.steps()
	var e estimate
	if left := e.left(steps); left != 0 {
		t.Errorf("%v before anything is known", left)
	}
	e.note(steps[0], time.Second)
	e.note(steps[1], 3*time.Second)
	// C twice at the mean of 2 s, A and B once more.
	if left := e.left(steps[2:]); left != 8*time.Second {
		t.Errorf("%v left", left)
	}
}
