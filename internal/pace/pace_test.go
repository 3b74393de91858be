package pace

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	ms      = time.Millisecond
	second  = time.Second
	forever = time.Duration(math.MaxInt64)
)

var errDial = errors.New("connection refused")

// config is the configuration of the tests that do not say otherwise.
var config = Config{MaxWindow: 8, BackoffMin: 50 * ms, BackoffMax: second, DownAfter: 3 * second}

// starts are times from which the tests' clocks run: at the epoch, before it,
// and a century after it.
var starts = []time.Duration{0, 1, -time.Hour, 100 * 365 * 24 * time.Hour}

func fromEachStart(t *testing.T, f func(t *testing.T, start time.Duration)) {
	for _, start := range starts {
		t.Run(fmt.Sprint("from ", start), func(t *testing.T) { f(t, start) })
	}
}

func TestANewPaceHasNoOpinion(t *testing.T) {
	p := New(config)
	require.NoError(t, p.Failing())
	require.False(t, p.Down())
	_, paused := p.ReadyAt()
	require.False(t, paused)
	_, ok := p.DownAt()
	require.False(t, ok)
	p.Observe(forever)
	require.False(t, p.Down(), "time alone is no failure")
}

func TestTheWindowDoublesWithEachSuccessUpToItsMost(t *testing.T) {
	for _, c := range []struct {
		most int
		want []int
	}{
		{1, []int{1, 1, 1}},
		{2, []int{2, 2, 2}},
		{3, []int{2, 3, 3}},
		{8, []int{2, 4, 8, 8, 8}},
		{20, []int{2, 4, 8, 16, 20, 20}},
	} {
		p := New(Config{MaxWindow: c.most, BackoffMin: 1, BackoffMax: 1, DownAfter: 1})
		for i, want := range c.want {
			require.Equal(t, want, p.Window(), "most %d, after %d successes", c.most, i)
			p.Succeeded()
		}
	}
}

func TestTheWindowIsOneAfterAFailureAndOpensAgain(t *testing.T) {
	p := New(config)
	for _, successes := range []int{0, 1, 5} {
		for range successes {
			p.Succeeded()
		}
		for range 3 {
			p.Failed(0, 0, errDial)
			require.Equal(t, 1, p.Window())
		}
		p.Succeeded()
		require.Equal(t, 2, p.Window())
	}
}

func TestTheWindowStartsAnewAfterARest(t *testing.T) {
	for _, most := range []int{1, 2, 3, 20} {
		p := New(Config{MaxWindow: most, BackoffMin: 1, BackoffMax: 1, DownAfter: 1})
		initial := p.Window()
		p.Rested()
		require.Equal(t, initial, p.Window())
		for range 5 {
			p.Succeeded()
		}
		p.Rested()
		require.Equal(t, initial, p.Window())
		p.Failed(0, 0, errDial)
		p.Rested()
		require.Equal(t, 1, p.Window(), "a rest does not make up for a failure")
	}
}

func TestAfterAStandstillAnOutageBeginsAnew(t *testing.T) {
	fromEachStart(t, func(t *testing.T, start time.Duration) {
		p := New(config)
		p.Resumed(start)
		_, ok := p.DownAt()
		require.False(t, ok, "nothing has failed")
		p.Failed(start, start, errDial)
		p.Observe(start + 9*second)
		require.True(t, p.Down())
		p.Resumed(start + 9*second)
		require.False(t, p.Down())
		require.ErrorIs(t, p.Failing(), errDial, "it is still what happened last")
		at, ok := p.DownAt()
		require.True(t, ok)
		require.Equal(t, start+12*second, at)
	})
}

func TestAFailureIsTheLastErrorUntilASuccess(t *testing.T) {
	p := New(config)
	p.Failed(0, 5*ms, errors.New("no route"))
	p.Failed(0, 9*ms, errDial)
	require.Equal(t, errDial, p.Failing())
	require.Equal(t, 5*ms, p.Since(), "of the first in the row")

	p.Succeeded()
	require.NoError(t, p.Failing())
	_, paused := p.ReadyAt()
	require.False(t, paused)
	_, ok := p.DownAt()
	require.False(t, ok)

	p.Failed(10*ms, 20*ms, errDial)
	require.Equal(t, 20*ms, p.Since(), "a new row")
}

// pauses fails one dial after another, each started when the pause before it is
// over, and returns how long the pauses were.
func pauses(c Config, start time.Duration, n int) (drawn []time.Duration) {
	p := New(c)
	now := start
	for range n {
		p.Failed(now, now, errDial)
		at, _ := p.ReadyAt()
		drawn = append(drawn, at-now)
		now = at
	}
	return drawn
}

// Whatever is drawn a thousand times lies within its bounds; that the longest
// comes near the upper one shows that the bound is the one meant (by chance it
// would fail in fewer than one of 10^40 runs).
func TestAPauseIsDrawnFromAboveZeroUpToABackoffThatDoubles(t *testing.T) {
	for _, c := range []struct {
		promise  string
		min, max time.Duration
		bounds   []time.Duration
	}{
		{"up to its most", 50 * ms, second, []time.Duration{50 * ms, 100 * ms, 200 * ms, 400 * ms, 800 * ms, second, second, second}},
		{"exactly to its most", 250 * ms, second, []time.Duration{250 * ms, 500 * ms, second, second}},
		{"all the same", second, second, []time.Duration{second, second, second}},
		{"the shortest there is", 1, 4, []time.Duration{1, 2, 4, 4}},
	} {
		t.Run(c.promise, func(t *testing.T) {
			fromEachStart(t, func(t *testing.T, start time.Duration) {
				longest := make([]time.Duration, len(c.bounds))
				for range 1000 {
					drawn := pauses(Config{MaxWindow: 8, BackoffMin: c.min, BackoffMax: c.max, DownAfter: forever}, start, len(c.bounds))
					for i, pause := range drawn {
						if pause <= 0 || pause > c.bounds[i] {
							require.FailNow(t, "out of bounds", "pause %d is %v", i, pause)
						}
						longest[i] = max(longest[i], pause)
					}
				}
				for i, bound := range c.bounds {
					require.Greater(t, longest[i], bound*9/10-1, "pause %d", i)
				}
			})
		})
	}
}

func TestOnlyADialStartedAfterThePauseLengthensIt(t *testing.T) {
	fromEachStart(t, func(t *testing.T, start time.Duration) {
		p := New(config)
		p.Failed(start, start+10*ms, errDial)
		at, paused := p.ReadyAt()
		require.True(t, paused)

		for _, started := range []time.Duration{start, start + 5*ms, start + 10*ms, at - 1} {
			p.Failed(started, start+20*ms, errDial)
			same, paused := p.ReadyAt()
			require.True(t, paused)
			require.Equal(t, at, same, "a dial that was under way knows nothing new")
		}
		now := start + 10*second
		p.Failed(at, now, errDial)
		later, paused := p.ReadyAt()
		require.True(t, paused)
		require.Greater(t, later, now, "the pause begins when the dial failed, not when it started")
		require.LessOrEqual(t, later, now+100*ms)
	})
}

func TestASuccessEndsThePauseAndTheNextIsShortAgain(t *testing.T) {
	fromEachStart(t, func(t *testing.T, start time.Duration) {
		for range 200 {
			p := New(config)
			now := start
			for range 6 {
				p.Failed(now, now, errDial)
				now, _ = p.ReadyAt()
			}
			p.Succeeded()
			// Started before the pause of the row that is over: that row counts no more.
			p.Failed(start, now, errDial)
			at, paused := p.ReadyAt()
			require.True(t, paused)
			require.Greater(t, at, now)
			require.LessOrEqual(t, at, now+config.BackoffMin)
		}
	})
}

func TestAnOutageBeginsAfterFailingForDownAfter(t *testing.T) {
	fromEachStart(t, func(t *testing.T, start time.Duration) {
		p := New(config)
		first := start + second
		p.Failed(start, first, errDial)
		at, ok := p.DownAt()
		require.True(t, ok)
		require.Equal(t, first+3*second, at, "counted from the first failure, not from the start of its dial")
		require.False(t, p.Down())
		p.Failed(first, at-1, errDial)
		require.False(t, p.Down())

		p.Failed(first, at, errDial)
		require.True(t, p.Down())
		_, ok = p.DownAt()
		require.False(t, ok, "it has begun")
		p.Failed(at, at+second, errDial)
		p.Observe(at + time.Hour)
		require.True(t, p.Down())
		require.Equal(t, first, p.Since())

		p.Succeeded()
		require.False(t, p.Down())
	})
}

func TestAnOutageMayBeginBetweenTwoFailures(t *testing.T) {
	fromEachStart(t, func(t *testing.T, start time.Duration) {
		p := New(config)
		p.Failed(start, start, errDial)
		p.Observe(start)
		p.Observe(start + 3*second - 1)
		require.False(t, p.Down())
		p.Observe(start + 3*second)
		require.True(t, p.Down())
		require.Equal(t, errDial, p.Failing())
	})
}

func TestASuccessStartsTheCountOfAnOutageAnew(t *testing.T) {
	fromEachStart(t, func(t *testing.T, start time.Duration) {
		p := New(config)
		for row := range time.Duration(3) {
			began := start + row*10*second
			p.Failed(began, began, errDial)
			p.Failed(began, began+2*second, errDial)
			require.False(t, p.Down())
			p.Succeeded()
			p.Observe(began + 9*second)
			require.False(t, p.Down())
		}
	})
}

func TestAnOutageThatNeverIsNeverIs(t *testing.T) {
	for _, never := range []time.Duration{forever, forever - 1, forever - second} {
		for _, start := range []time.Duration{-time.Hour, 0, 1, 2 * second, time.Hour, forever / 2, forever - second} {
			p := New(Config{MaxWindow: 8, BackoffMin: 1, BackoffMax: 1, DownAfter: never})
			for _, passed := range []time.Duration{0, 1, second / 2, second - 1} {
				p.Failed(start, start+passed, errDial)
				p.Observe(start + passed)
				require.False(t, p.Down())
			}
			if at, ok := p.DownAt(); ok {
				require.Greater(t, at, start+second-1, "not in this century")
			}
		}
	}
}

func TestTheShortestDownAfterNeedsOneFailureAndTime(t *testing.T) {
	p := New(Config{MaxWindow: 8, BackoffMin: 1, BackoffMax: 1, DownAfter: 1})
	p.Failed(0, second, errDial)
	require.False(t, p.Down())
	p.Observe(second + 1)
	require.True(t, p.Down())
}

func TestASuccessForgetsTheFailures(t *testing.T) {
	p, fresh := New(config), New(config)
	for n := range time.Duration(50) {
		p.Failed(n*second, n*second+ms, errDial)
	}
	require.True(t, p.Down())
	p.Succeeded()
	require.Equal(t, fresh.Window(), p.Window())
	require.Equal(t, fresh.Failing(), p.Failing())
	require.Equal(t, fresh.Down(), p.Down())
	_, paused := p.ReadyAt()
	require.False(t, paused)
	_, ok := p.DownAt()
	require.False(t, ok)
	p.Observe(time.Hour)
	require.False(t, p.Down())
}

func TestAWindowWithoutALimitNeverOverflows(t *testing.T) {
	p := New(Config{MaxWindow: math.MaxInt, BackoffMin: 1, BackoffMax: 1, DownAfter: 1})
	for range 100 {
		before := p.Window()
		p.Succeeded()
		require.GreaterOrEqual(t, p.Window(), before)
	}
	require.Equal(t, math.MaxInt, p.Window())
}

func TestARefusalIsAnOutageAtOnceAndSparesTheServer(t *testing.T) {
	fromEachStart(t, func(t *testing.T, start time.Duration) {
		for range 100 {
			p := New(Config{MaxWindow: 8, BackoffMin: 1, BackoffMax: second, DownAfter: forever})
			p.Failed(start, start, errDial)
			p.Refused(start, start, errDial)
			require.True(t, p.Down())
			now, longest := start, firstRefusal
			for range 8 {
				at, paused := p.ReadyAt()
				require.True(t, paused)
				require.Greater(t, at, now+longest/2-1)
				require.LessOrEqual(t, at, now+longest)
				require.True(t, p.Fresh(at-1))
				now, longest = at, min(2*longest, LongestRest)
				p.Refused(now, now, errDial)
			}
			p.Failed(now+LongestRest, now+LongestRest, errDial)
			at, _ := p.ReadyAt()
			require.LessOrEqual(t, at, now+LongestRest+second, "what may get better is tried as usual")
			require.True(t, p.Down())
		}
	})
}

func TestWithNobodyThereThePausesGrowToMinutes(t *testing.T) {
	fromEachStart(t, func(t *testing.T, start time.Duration) {
		p, now, n := New(config), start, 0
		for ; now < start+time.Hour; n++ {
			p.Failed(now, now, errDial)
			ready, _ := p.ReadyAt()
			rest, paused := p.RestAt()
			require.True(t, paused)
			require.GreaterOrEqual(t, rest, ready)
			require.LessOrEqual(t, rest, now+LongestRest)
			now = rest
		}
		require.Less(t, n, 100)
	})
}

func TestAnOutageInDoubtIsOneAgainAfterAFailureOrDownAfter(t *testing.T) {
	fromEachStart(t, func(t *testing.T, start time.Duration) {
		p := New(config)
		p.Doubt(start)
		require.False(t, p.Down(), "there is nothing to doubt")
		p.Failed(start, start, errDial)
		p.Observe(start + 3*second)
		require.True(t, p.Down())
		require.False(t, p.Fresh(start+3*second))

		now := start + time.Hour
		p.Doubt(now)
		require.False(t, p.Down())
		p.Failed(now, now+1, errDial)
		require.True(t, p.Down())
		require.True(t, p.Fresh(now+1))

		p.Doubt(now + time.Hour)
		at, ok := p.DownAt()
		require.True(t, ok)
		require.Equal(t, now+time.Hour+3*second, at)
		p.Observe(at)
		require.True(t, p.Down())
	})
}
