package connpool

import (
	"fmt"
	"math"
	"time"
)

// A Sizer moves a pool's working limit between max(1, MinSize) and MaxSize:
// after each window the pool gives it what happened and works to the limit it
// gets back. Next runs on one of the pool's goroutines, never on a borrower's.
// A Sizer that serves several pools must be safe for concurrent use.
type Sizer interface {
	Next(SizeSample) SizeDecision
}

// SizeSample is what happened in one window.
type SizeSample struct {
	Window time.Duration

	Limit    int // in force during the window
	Min, Max int // what the next limit must stay within

	InUse, Waiting float64 // connections lent and callers queued: means of samples

	Releases, Waits, Connects, ConnectErrors uint64 // how many in the window

	// HoldTime is how long a lease lasted on average: InUse*Window/Releases, by
	// Little's law (see DemandSize), so that borrowers need not read a clock.
	HoldTime time.Duration
}

// SizeDecision is the limit for the next window, how long that is, and why.
type SizeDecision struct {
	Limit  int           // connections that may be open
	Window time.Duration // zero: Config.SizeInterval; at least 20 ms
	Reason string        // one sentence, or empty when there is nothing to say
}

// The default band. At 80 % of 10 connections 4 of 10 random borrowers have to
// wait already (Erlang C), and the share rises steeply from there; below 30 %
// two of three connections only cost the server memory. The two are far apart
// so that the ordinary ups and downs of a load stay between them.
const (
	defaultHigh = 0.8
	defaultLow  = 0.3
)

// UtilizationSizer keeps utilization, (InUse+Waiting)/Limit, between Low and
// High. Within the band it leaves the limit alone. Outside it aims at the limit
// that puts the same load at the middle of the band, so that it has to move far
// before the next decision: under a constant load it reaches that limit in a
// few steps, never past it, and stays. A step up at most doubles the limit; a
// step down takes at most a quarter of it (but one connection at least), since
// a quiet moment is more often a pause than an end.
//
// High and Low are shares, 0 < Low < High <= 1. Zero means 0.8 and 0.3; a pair
// that is out of order or range, or not a number, is replaced by both defaults.
// The zero UtilizationSizer is ready to use. It has no state: one value may
// serve any number of pools at once.
type UtilizationSizer struct{ High, Low float64 }

// Next is the limit for the next window; its Window is always zero. The limit
// never leaves Min to Max (nor falls below 1; where Min is above Max, Max
// wins), and a limit found outside is brought back at once.
//
// It does not grow after a window with ConnectErrors: a server that refuses
// connections is not helped by being asked for more. Reason then says so; in
// all other cases Reason is empty exactly when the limit stays. Samples with a
// negative, infinite or undefined InUse or Waiting keep the limit.
func (u UtilizationSizer) Next(s SizeSample) SizeDecision {
	least, most := s.bounds()
	if held := min(max(s.Limit, least), most); held != s.Limit {
		return SizeDecision{Limit: held, Reason: fmt.Sprintf(
			"The limit of %d was outside %d to %d and is now %d.", s.Limit, least, most, held)}
	}
	load := s.InUse + s.Waiting
	if !(s.InUse >= 0 && s.Waiting >= 0) || math.IsInf(load, 0) {
		return SizeDecision{Limit: s.Limit}
	}
	high, low := u.band()
	aim := aimedLimit(load, (high+low)/2, least, most)
	switch used := load / float64(s.Limit); {
	case used > high:
		return s.grow(aim, used, high)
	case used < low:
		return s.shrink(aim, used, low)
	}
	return SizeDecision{Limit: s.Limit}
}

// band is High and Low with defaults in place of nonsense.
func (u UtilizationSizer) band() (high, low float64) {
	high, low = u.High, u.Low
	if high == 0 {
		high = defaultHigh
	}
	if low == 0 {
		low = defaultLow
	}
	if !(0 < low && low < high && high <= 1) {
		return defaultHigh, defaultLow
	}
	return high, low
}

// bounds is Min to Max, made to hold at least 1.
func (s SizeSample) bounds() (least, most int) {
	most = max(s.Max, 1)
	return min(max(s.Min, 1), most), most
}

// aimedLimit is the smallest limit within bounds under which load uses at most
// the share middle. It depends on the load alone, not on the limit in force,
// and so grow and shrink meet in it instead of chasing each other.
func aimedLimit(load, middle float64, least, most int) int {
	aim := math.Ceil(withoutNoise(load / middle))
	if aim >= float64(most) {
		return most
	}
	return max(int(aim), least)
}

// grow goes towards aim, at most doubling, unless the server refuses.
func (s SizeSample) grow(aim int, used, high float64) SizeDecision {
	if aim-s.Limit > s.Limit {
		aim = 2 * s.Limit
	}
	switch {
	case aim <= s.Limit:
		return SizeDecision{Limit: s.Limit}
	case s.ConnectErrors > 0:
		return SizeDecision{Limit: s.Limit, Reason: fmt.Sprintf(
			"%s of %s wanted, above %s, but %s failed: the limit stays, since the server refuses more.",
			percent(used), countOf(s.Limit, "connection"), percent(high), countOf(s.ConnectErrors, "dial"))}
	}
	return SizeDecision{Limit: aim, Reason: fmt.Sprintf(
		"%s of %s wanted, above %s: the limit grows to %d.",
		percent(used), countOf(s.Limit, "connection"), percent(high), aim)}
}

// shrink goes towards aim by at most a quarter, but by one at least.
func (s SizeSample) shrink(aim int, used, low float64) SizeDecision {
	aim = max(aim, s.Limit-max(s.Limit/4, 1))
	if aim >= s.Limit {
		return SizeDecision{Limit: s.Limit}
	}
	return SizeDecision{Limit: aim, Reason: fmt.Sprintf(
		"%s of %s wanted, below %s: the limit shrinks to %d.",
		percent(used), countOf(s.Limit, "connection"), percent(low), aim)}
}
