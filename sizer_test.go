package connpool

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

var _ Sizer = UtilizationSizer{}

func TestUtilizationSizerStaysWithinTheBandAndMovesToItsMiddle(t *testing.T) {
	largest := "over 1e15"
	if math.MaxInt == math.MaxInt32 {
		largest = "2147483646"
	}
	for name, c := range map[string]struct {
		u      UtilizationSizer
		s      SizeSample
		want   int
		reason string
	}{
		"in the band": {
			s: SizeSample{Limit: 10, Max: 100, InUse: 5}, want: 10,
		},
		"at its upper edge": {
			s: SizeSample{Limit: 10, Max: 100, InUse: 8}, want: 10,
		},
		"at its lower edge": {
			s: SizeSample{Limit: 10, Max: 100, InUse: 3}, want: 10,
		},
		"above it, to the middle": {
			s: SizeSample{Limit: 10, Max: 100, InUse: 9}, want: 17,
			reason: "90 % of 10 connections wanted, above 80 %: the limit grows to 17.",
		},
		"waiters are wanted connections too": {
			s: SizeSample{Limit: 10, Max: 100, InUse: 9.5, Waiting: 1}, want: 20,
			reason: "105 % of 10 connections wanted, above 80 %: the limit grows to 20.",
		},
		"far above it, at most twice": {
			s: SizeSample{Limit: 10, Max: 100, InUse: 10, Waiting: 500}, want: 20,
			reason: "5100 % of 10 connections wanted, above 80 %: the limit grows to 20.",
		},
		"above it, at most the maximum": {
			s: SizeSample{Limit: 10, Max: 12, InUse: 10}, want: 12,
			reason: "100 % of 10 connections wanted, above 80 %: the limit grows to 12.",
		},
		"above it, at the maximum already": {
			s: SizeSample{Limit: 10, Max: 10, InUse: 10, Waiting: 5}, want: 10,
		},
		"below it, to the middle": {
			s: SizeSample{Limit: 10, Max: 100, InUse: 2.9}, want: 8,
			reason: "29 % of 10 connections wanted, below 30 %: the limit shrinks to 8.",
		},
		"far below it, at most by a quarter": {
			s: SizeSample{Limit: 100, Max: 100, InUse: 1}, want: 75,
			reason: "1 % of 100 connections wanted, below 30 %: the limit shrinks to 75.",
		},
		"below it, by one at least": {
			s: SizeSample{Limit: 3, Max: 100}, want: 2,
			reason: "0 % of 3 connections wanted, below 30 %: the limit shrinks to 2.",
		},
		"below it, at least the minimum": {
			s: SizeSample{Limit: 100, Min: 90, Max: 100}, want: 90,
			reason: "0 % of 100 connections wanted, below 30 %: the limit shrinks to 90.",
		},
		"below it, at least one": {
			s: SizeSample{Limit: 1, Max: 100}, want: 1,
		},
		"a refusing server is not asked for more": {
			s: SizeSample{Limit: 10, Max: 100, InUse: 10, ConnectErrors: 1}, want: 10,
			reason: "100 % of 10 connections wanted, above 80 %, but 1 dial failed: the limit stays, since the server refuses more.",
		},
		"a refusing server may be left more": {
			s: SizeSample{Limit: 100, Max: 100, InUse: 1, ConnectErrors: 9}, want: 75,
			reason: "1 % of 100 connections wanted, below 30 %: the limit shrinks to 75.",
		},
		"a refusing server at the maximum is no news": {
			s: SizeSample{Limit: 10, Max: 10, InUse: 10, ConnectErrors: 1}, want: 10,
		},
		"a band of its own": {
			u: UtilizationSizer{High: 0.5, Low: 0.3}, s: SizeSample{Limit: 10, Max: 100, InUse: 6}, want: 15,
			reason: "60 % of 10 connections wanted, above 50 %: the limit grows to 15.",
		},
		"only High given": {
			u: UtilizationSizer{High: 0.9}, s: SizeSample{Limit: 10, Max: 100, InUse: 8.5}, want: 10,
		},
		"only Low given": {
			u: UtilizationSizer{Low: 0.1}, s: SizeSample{Limit: 10, Max: 100, InUse: 2}, want: 10,
		},
		"a limit above the maximum": {
			s: SizeSample{Limit: 50, Min: 2, Max: 20, InUse: 10}, want: 20,
			reason: "The limit of 50 was outside 2 to 20 and is now 20.",
		},
		"a limit below the minimum": {
			s: SizeSample{Limit: 1, Min: 2, Max: 20, InUse: 1}, want: 2,
			reason: "The limit of 1 was outside 2 to 20 and is now 2.",
		},
		"the zero sample": {
			want: 1, reason: "The limit of 0 was outside 1 to 1 and is now 1.",
		},
		"a minimum above the maximum": {
			s: SizeSample{Limit: 7, Min: 9, Max: 5}, want: 5,
			reason: "The limit of 7 was outside 5 to 5 and is now 5.",
		},
		"the largest limit does not overflow": {
			s: SizeSample{Limit: math.MaxInt - 1, Max: math.MaxInt, InUse: math.MaxFloat64}, want: math.MaxInt,
			reason: fmt.Sprintf("over 1e15 %% of %s connections wanted, above 80 %%: the limit grows to %d.", largest, math.MaxInt),
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, SizeDecision{Limit: c.want, Reason: c.reason}, c.u.Next(c.s))
		})
	}
}

func TestUtilizationSizerTakesANonsenseBandForTheDefaults(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, u := range []UtilizationSizer{
		{}, {High: 0.3, Low: 0.8}, {High: 0.5, Low: 0.5}, {High: nan}, {Low: nan}, {High: nan, Low: nan}, {High: inf},
		{High: -1}, {Low: -1}, {High: 1.5}, {High: 0.2}, {Low: 0.9},
	} {
		high, low := u.band()
		require.Equal(t, []float64{defaultHigh, defaultLow}, []float64{high, low}, "%+v", u)
	}
}

func TestUtilizationSizerKeepsTheLimitOnANonsenseSample(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1} {
		for _, s := range []SizeSample{{InUse: bad}, {Waiting: bad}, {InUse: bad, Waiting: bad}} {
			s.Limit, s.Max = 10, 100
			require.Equal(t, SizeDecision{Limit: 10}, UtilizationSizer{}.Next(s), "%v", bad)
		}
	}
}

// A constant load is settled from any starting limit: the limit moves in one
// direction only, rests in the band or against what holds it, and then no
// decision follows.
func TestUtilizationSizerSettlesUnderAConstantLoad(t *testing.T) {
	const most = 300
	for _, u := range []UtilizationSizer{{}, {High: 0.9, Low: 0.1}, {High: 0.5, Low: 0.49}, {High: 1, Low: 0.99}} {
		for load := 0.0; load < 400; load = load*1.13 + 0.07 {
			for start := 1; start <= most; start += 1 + start/10 {
				requireSettles(t, u, load, start, most)
			}
		}
	}
}

func requireSettles(t *testing.T, u UtilizationSizer, load float64, start, most int) {
	t.Helper()
	// From 300 down to 1 by quarters takes 18 decisions and up by doubling 9.
	const decisions = 20
	limit, up, down := start, false, false
	for range decisions {
		next := u.Next(constantLoad(load, limit, most)).Limit
		up, down = up || next > limit, down || next < limit
		limit = next
	}
	require.False(t, up && down, "load %v from %d oscillates", load, start)
	require.Equal(t, SizeDecision{Limit: limit}, u.Next(constantLoad(load, limit, most)), "load %v from %d", load, start)
	high, _ := u.band()
	require.True(t, load <= high*float64(limit)*(1+sizeNoise) || limit == most, "load %v from %d starves at %d", load, start, limit)
}

// constantLoad is a window in which load connections were wanted all the time.
func constantLoad(load float64, limit, most int) SizeSample {
	lent := min(load, float64(limit))
	return SizeSample{Limit: limit, Min: 1, Max: most, InUse: lent, Waiting: load - lent}
}

func TestUtilizationSizerNeverBreaksItsPromises(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 20_000 {
		u := UtilizationSizer{High: rnd.Float64() * 1.2, Low: rnd.Float64()}
		least := 1 + rnd.IntN(50)
		most := least + rnd.IntN(200)
		s := SizeSample{
			Min: least, Max: most, Limit: least + rnd.IntN(most-least+1),
			InUse: rnd.ExpFloat64() * 50, Waiting: rnd.ExpFloat64() * float64(rnd.IntN(100)), ConnectErrors: uint64(rnd.IntN(4) / 3),
		}
		d := u.Next(s)
		high, low := u.band()
		used := (s.InUse + s.Waiting) / float64(s.Limit)
		require.GreaterOrEqual(t, d.Limit, least)
		require.LessOrEqual(t, d.Limit, most)
		require.LessOrEqual(t, d.Limit, 2*s.Limit)
		require.GreaterOrEqual(t, d.Limit, s.Limit-max(s.Limit/4, 1))
		require.Zero(t, d.Window)
		if d.Limit > s.Limit {
			require.Greater(t, used, high)
			require.Zero(t, s.ConnectErrors)
		}
		if d.Limit < s.Limit {
			require.Less(t, used, low)
		}
		if s.ConnectErrors == 0 {
			require.Equal(t, d.Limit == s.Limit, d.Reason == "")
		}
		require.Equal(t, d, u.Next(s), "the same sample gets the same decision")
	}
}
