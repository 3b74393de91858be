package row

import (
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/chaos/row/pool"
)

// Of the later rows there are those in which a server is involved.
func TestTheRowsAreInOrderAndTheFirstFiftyTwoWithoutAGap(t *testing.T) {
	rows := All()
	require.GreaterOrEqual(t, len(rows), 52)
	for i, r := range rows {
		require.True(t, i >= 52 || r.Number == i+1, r.Number)
		require.True(t, i == 0 || r.Number > rows[i-1].Number, r.Number)
		require.NotEmpty(t, r.Name, r.Number)
		require.NotEmpty(t, r.Injected, r.Number)
		require.NotEmpty(t, r.Required, r.Number)
		require.True(t, r.AppliesTo(pool.Ours), r.Number)
	}
}

// A scenario that finds nothing wrong with anybody is worth nothing.
func TestScenariosFindWhatIsWrongWithOthers(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	for _, test := range []struct {
		row  int
		kind pool.Kind
		says string
	}{
		{3, pool.Puddle, "got the other user's connection"},
		{21, pool.Puddle, "handed out"},
		{22, pool.Puddle, "too many"},
		{23, pool.Puddle, "too many"},
		{12, pool.SQL, "dials wasted"},
		{34, pool.SQL, "handed out all the same"},
		{49, pool.SQL, "replaced all at once"},
	} {
		outcome := Run(t.Context(), All()[test.row-1], test.kind)
		require.Equal(t, Failed, outcome.Verdict, "row %d: %s", test.row, outcome.Seen)
		require.Contains(t, outcome.Seen, test.says, "row %d", test.row)
	}
}

func TestAFaultFailsTheRunAndIsTold(t *testing.T) {
	outcome := try(t, func(t *Trial) {
		t.Sawf("something")
		t.Require(true, "fine")
		t.Require(false, "not fine")
		t.Faultf("not fine")
	})
	require.Equal(t, Outcome{"something; not fine", Failed}, outcome)
}

func TestWithoutAFaultItPasses(t *testing.T) {
	require.Equal(t, Outcome{"something", Passed}, try(t, func(t *Trial) { t.Sawf("something") }))
}

func TestAPanicOfAPoolIsAFault(t *testing.T) {
	require.Equal(t, Outcome{"panicked: on fire", Failed}, try(t, func(*Trial) { onFire() }))
}

func TestCleanupsRunLastFirstEvenAfterAnAbort(t *testing.T) {
	var order []int
	outcome := try(t, func(t *Trial) {
		t.Cleanup(func() { order = append(order, 1) })
		t.Cleanup(func() { order = append(order, 2); t.Abortf("late") })
		t.Abortf("early")
	})
	require.Equal(t, []int{2, 1}, order)
	require.Equal(t, Outcome{"early; late", Failed}, outcome)
}

func TestWhatIsMissingIsSkippedButNotInCI(t *testing.T) {
	skip := func(t *Trial) { t.Skip("no server") }
	part := func(t *Trial) { t.lackPart("one", "no server") }
	t.Setenv("CI", "")
	require.Equal(t, Outcome{"no server", Skipped}, try(t, skip))
	require.Equal(t, Outcome{"one not run: no server", Passed}, try(t, part))
	t.Setenv("CI", "true")
	require.Equal(t, Outcome{"not run: no server", Failed}, try(t, skip))
	require.Equal(t, Outcome{"one not run: no server", Failed}, try(t, part))
}

func TestBoundedToldApartWhatDoesNotReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := make(chan struct{})
		try(t, func(trial *Trial) {
			began := time.Now()
			require.ErrorIs(t, trial.Bounded(func() { <-never }), errStuck)
			require.Equal(t, patience, time.Since(began))
			require.ErrorIs(t, trial.Bounded(runtime.Goexit), errExit)
			require.ErrorAs(t, trial.Bounded(onFire), new(panicError))
			require.NoError(t, trial.Bounded(func() {}))
		})
		close(never)
	})
}

func TestWordsFitTheTable(t *testing.T) {
	require.Equal(t, "one two", short(errors.New("one\n\ttwo")))
	long := make([]rune, 2*mostWords)
	for i := range long {
		long[i] = 'ä'
	}
	require.Len(t, []rune(short(errors.New(string(long)))), mostWords)
	require.Equal(t, "9999", thousands(9999))
	require.Equal(t, "15k", thousands(15_482))
}

func TestMostWithinCountsTheDensestStretch(t *testing.T) {
	at := func(seconds ...int) (times []time.Time) {
		for _, s := range seconds {
			times = append(times, time.Unix(int64(s), 0))
		}
		return times
	}
	require.Equal(t, 3, mostWithin(at(0, 10, 11, 12, 20), 2*time.Second))
	require.Equal(t, 1, mostWithin(at(0, 10, 20), time.Second))
	require.Zero(t, mostWithin(nil, time.Second))
}

func TestInversions(t *testing.T) {
	require.Zero(t, inversions([]int{0, 1, 2}))
	require.Equal(t, 3, inversions([]int{2, 1, 0}))
}

func try(t *testing.T, scenario func(*Trial)) Outcome {
	return Run(t.Context(), Row{Scenario: scenario}, pool.Ours)
}
