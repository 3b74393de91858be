package scenario

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/bench/rival"
)

// What is asserted here are counts. How long anything takes depends on the machine
// and who else uses it.

func each(t *testing.T, f func(t *testing.T, r rival.Rival)) {
	for _, r := range bounded() {
		t.Run(r.Name, func(t *testing.T) { f(t, r) })
	}
}

func TestSpikeServesAllWithinTheLimit(t *testing.T) {
	s := SpikeSettings{Min: 2, Max: 10, Callers: 20, Dial: 20 * time.Millisecond, Query: time.Millisecond, Every: 250 * time.Microsecond}
	each(t, func(t *testing.T, r rival.Rival) {
		got, err := Spike(t.Context(), r, s)
		require.NoError(t, err)
		assert.Equal(t, r.Name, got.Rival)
		assert.Equal(t, s.Min, got.Before)
		assert.Equal(t, got.Before+got.Dials, got.Open)
		assert.LessOrEqual(t, got.Open, s.Max)
		assert.LessOrEqual(t, got.Late, got.Dials)
		assert.Positive(t, got.Served)
		checkSamples(t, s, got)
	})
}

func checkSamples(t *testing.T, s SpikeSettings, got SpikeResult) {
	first, last := got.Samples[0], got.Samples[len(got.Samples)-1]
	assert.Zero(t, first.At)
	assert.Equal(t, Sample{At: last.At, Open: got.Open}, last, "all are served and every dial has ended")
	for i, sample := range got.Samples {
		assert.Equal(t, time.Duration(i)*s.Every, sample.At)
		assert.LessOrEqual(t, sample.InUse, sample.Open)
		assert.LessOrEqual(t, sample.InUse+sample.Waiting, s.Callers)
		assert.GreaterOrEqual(t, sample.Waiting, 0)
	}
}

func TestColdStartServesAllWithinTheLimit(t *testing.T) {
	s := ColdStartSettings{Max: 12, Callers: 40, Dial: 5 * time.Millisecond, Query: time.Millisecond}
	each(t, func(t *testing.T, r rival.Rival) {
		got, err := ColdStart(t.Context(), r, s)
		require.NoError(t, err)
		assert.Equal(t, got.Dials, got.Opened)
		assert.LessOrEqual(t, got.Opened, s.Max)
		assert.Positive(t, got.MostAtOnce)
		assert.LessOrEqual(t, got.MostAtOnce, got.Dials)
		assert.Positive(t, got.Served)
	})
}

func TestTheChannelDialsForAllAtOnce(t *testing.T) {
	s := ColdStartSettings{Max: 12, Callers: 40, Dial: 50 * time.Millisecond}
	got, err := ColdStart(t.Context(), channel(), s)
	require.NoError(t, err)
	assert.Equal(t, s.Max, got.MostAtOnce)
}

func TestOursDialsAFewAtATime(t *testing.T) {
	s := ColdStartSettings{Max: 40, Callers: 40, Dial: 5 * time.Millisecond, Query: time.Millisecond}
	got, err := ColdStart(t.Context(), rival.Connpool(), s)
	require.NoError(t, err)
	assert.LessOrEqual(t, got.MostAtOnce, 8, "the default of MaxConnecting")
}

func TestADeadServerServesNobody(t *testing.T) {
	s := DeadServerSettings{Max: 4, Retriers: 8, Deadline: 20 * time.Millisecond, Dial: time.Millisecond, For: 100 * time.Millisecond}
	each(t, func(t *testing.T, r rival.Rival) {
		got, err := DeadServer(t.Context(), r, s)
		require.NoError(t, err)
		assert.Positive(t, got.Dials)
		assert.GreaterOrEqual(t, got.Failures, s.Retriers)
		assert.LessOrEqual(t, max(got.KnewWhy, got.TimedOut), got.Failures)
		assert.GreaterOrEqual(t, got.KnewWhy+got.TimedOut, got.Failures)
		assert.GreaterOrEqual(t, got.For, s.For)
		assert.Positive(t, got.Longest)
		assert.Equal(t, got.KnewWhy > 0, got.FirstKnew > 0)
	})
}

func TestWaitersAreAllCancelledOrAllServed(t *testing.T) {
	each(t, func(t *testing.T, r rival.Rival) {
		got, err := Waiters(t.Context(), r, WaitersSettings{Callers: 500})
		require.NoError(t, err) // counted inside
		assert.Equal(t, 500, got.Callers)
		assert.Positive(t, got.Cancel)
		assert.Positive(t, got.CancelAlone)
		assert.Positive(t, got.Serve)
	})
}

func TestNobodyWaitsForWhatHasNoLimit(t *testing.T) {
	unbounded := channel()
	unbounded.Bounded = false
	_, err := Waiters(t.Context(), unbounded, WaitersSettings{Callers: 1})
	assert.ErrorIs(t, err, ErrUnbounded)
}

func TestAPoolThatCannotBeMadeIsAnError(t *testing.T) {
	broken := errors.New("broken")
	r := rival.Rival{Name: "broken", Bounded: true, New: func(rival.Setup) (rival.Pool, error) { return nil, broken }}
	for name, run := range scenarios() {
		assert.ErrorIs(t, run(t.Context(), r), broken, name)
	}
}

func TestAScenarioEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, run := range scenarios() {
		assert.ErrorIs(t, run(ctx, channel()), context.Canceled, name)
	}
}

func scenarios() map[string]func(context.Context, rival.Rival) error {
	return map[string]func(context.Context, rival.Rival) error{
		"spike": func(ctx context.Context, r rival.Rival) error {
			_, err := Spike(ctx, r, PublishedSpike(true))
			return err
		},
		"cold start": func(ctx context.Context, r rival.Rival) error {
			_, err := ColdStart(ctx, r, UsualColdStart(true))
			return err
		},
		"dead server": func(ctx context.Context, r rival.Rival) error {
			_, err := DeadServer(ctx, r, UsualDeadServer(true))
			return err
		},
		"waiters": func(ctx context.Context, r rival.Rival) error {
			_, err := Waiters(ctx, r, WaitersSettings{Callers: 10})
			return err
		},
	}
}
