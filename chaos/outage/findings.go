package main

import (
	"math"
	"time"
)

// findings are what a tape says about the promises.
type findings struct {
	before    int // calls that succeeded before the fault
	served    int // calls that succeeded after it
	gaveUp    int // failed calls of those who had little time
	cut       int // patient calls that failed on a connection from before the fault
	failed    int // patient calls that failed otherwise
	example   error
	recovered time.Duration
	most      int64 // connections at once
	dials     int   // begun while the fault lasted
	crowded   int   // of those, begun while another was under way, after the first had failed
	unchecked int   // leases of unproved connections, asked for after the first failure
	outdated  int   // leases on the old server, asked for after the Retire
	lasted    time.Duration
}

// never is the recovery of a pool that has not.
const never = time.Duration(math.MaxInt64)

// review reads a tape.
func (s scenario) review(t *tape) findings {
	f := findings{most: t.sockets.peak(), recovered: never, lasted: t.ended - t.began}
	for _, c := range t.calls() {
		f.count(s, t, c)
	}
	f.countDials(t)
	return f
}

func (f *findings) count(s scenario, t *tape, c call) {
	switch {
	case c.err == nil && c.ended < t.began:
		f.before++
	case c.err == nil && c.ended >= t.ended:
		f.served++
		if !s.renewed || c.server == secondName {
			f.recovered = min(f.recovered, c.ended-t.ended)
		}
	case c.err == nil:
	case !c.patient:
		f.gaveUp++
	case s.mayCut && c.held && c.born < t.began:
		f.cut++
	default:
		f.failed++
		f.example = c.err
	}
	if c.held && t.knew(c.began) && c.proved < time.Duration(t.reported.Load()) {
		f.unchecked++
	}
	if s.renewed && c.began >= t.ended && c.server == firstName {
		f.outdated++
	}
}

// knew reports whether the pool knew by then that a connection was broken.
func (t *tape) knew(at time.Duration) bool {
	reported := time.Duration(t.reported.Load())
	return reported != 0 && at > reported
}

func (f *findings) countDials(t *tape) {
	known, back := t.knownAway()
	for _, d := range t.dials() {
		if d.began < t.began || d.began >= t.ended {
			continue
		}
		f.dials++
		if d.began > known && d.began < back && t.dialling(d) {
			f.crowded++
		}
	}
}

// knownAway returns since when the pool knew from a dial of its own that the
// server was away, and until when: a server answers a moment before its start is
// known here, and the first dial that it answers lets others follow.
func (t *tape) knownAway() (since, until time.Duration) {
	since, until = time.Duration(t.refused.Load()), never
	if since == 0 {
		return never, never
	}
	for _, d := range t.dials() {
		if d.err == nil && d.ended > since {
			until = min(until, d.ended)
		}
	}
	return since, until
}

// dialling reports whether another dial was under way when this one began.
func (t *tape) dialling(d dial) bool {
	for _, other := range t.dials() {
		if other != d && other.began <= d.began && other.ended > d.began {
			return true
		}
	}
	return false
}

// dialsAllowed is how many dials an outage may see. The pauses between them are
// drawn evenly from nothing to the backoff interval, half of it on average: so
// two an interval, once it has doubled from the least to the most. Chance adds
// the square root of two thirds of their number; we allow four times that, and
// the dials under way when the first one failed.
func dialsAllowed(lasted time.Duration) int {
	doublings := math.Ceil(math.Log2(float64(backoffMax) / float64(backoffMin)))
	intervals := lasted.Seconds() / backoffMax.Seconds()
	const underWay = 8 // Config.MaxConnecting
	return int(underWay + doublings + 2*intervals + 4*math.Sqrt(2*intervals/3))
}
