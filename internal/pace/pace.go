// Package pace decides how fast to dial: how many dials at once, how long to
// pause after a failure, and when a server counts as down. It is arithmetic on
// what it is told; it reads no clock and starts nothing.
package pace

import (
	"math/rand/v2"
	"time"
)

// Config is what the decisions depend on. All fields must be positive;
// DownAfter may be the largest duration for never.
type Config struct {
	MaxWindow  int           // most dials at once
	BackoffMin time.Duration // the first pause after a failure is up to this
	BackoffMax time.Duration // and no pause is longer than this
	DownAfter  time.Duration // failing for this long is an outage
}

// Pace is the state of one pool's dialling. The caller guards it with a lock.
// Times are durations since any one epoch.
type Pace struct {
	Config

	// The window opens like TCP's: a server that has just come back is asked for
	// little, one that answers is asked for more, and after a rest it starts anew
	// (RFC 5681, section 4.1). INVARIANT: 1 <= window <= MaxWindow.
	window int

	failing bool // the last dial failed
	down    bool // and has for DownAfter
	err     error
	since   time.Duration // of the first failure in a row

	backoff time.Duration // the longest that the current pause may be
	readyAt time.Duration // and when it ends
}

// initialWindow is how many dials a pool starts at once before it knows anything
// of its server, or of a crowd: two, so that one slow dial does not stand in the way
// of all.
const initialWindow = 2

// New returns the pace of a pool that has not dialled yet.
func New(c Config) Pace {
	return Pace{Config: c, window: min(initialWindow, c.MaxWindow)}
}

// Window returns how many dials may be under way at once.
func (p *Pace) Window() int { return p.window }

// Failing returns the error of the last dial in an unbroken row of failures, or
// nil.
func (p *Pace) Failing() error { return p.err }

// Since returns when the row of failures began.
func (p *Pace) Since() time.Duration { return p.since }

// Down reports whether dials have failed for DownAfter with no success.
func (p *Pace) Down() bool { return p.down }

// ReadyAt returns the end of the pause after the last failure. A time that has
// passed means no pause.
func (p *Pace) ReadyAt() (at time.Duration, paused bool) { return p.readyAt, p.failing }

// DownAt returns when the present row of failures becomes an outage if nothing
// succeeds before, and whether there is such a row and it is not one yet.
func (p *Pace) DownAt() (at time.Duration, ok bool) {
	at = p.since + p.DownAfter
	return at, p.failing && !p.down && at > p.since // no overflow: DownAfter may be forever
}

// Succeeded tells of a dial that succeeded.
func (p *Pace) Succeeded() {
	p.window += min(p.window, p.MaxWindow-p.window) // doubling may overflow
	p.failing, p.down, p.err, p.backoff = false, false, nil, 0
}

// Rested tells that no dial is under way or wanted. A crowd that comes next may be
// served by what is open before the first dial ends: it must not find the window
// as wide as the last one left it. 50 callers with queries of 2 ms on 5
// connections that take 150 ms to open need no sixth.
func (p *Pace) Rested() { p.window = min(p.window, initialWindow) }

// Resumed tells that dials may be started again after a time in which none could
// be: what failed before says nothing of now, but that one should go slowly.
func (p *Pace) Resumed(now time.Duration) {
	if p.failing {
		p.since, p.down = now, false
	}
}

// Failed tells of a dial, started and failed at the given times.
func (p *Pace) Failed(started, now time.Duration, err error) {
	if !p.failing {
		p.failing, p.since = true, now
	}
	p.err, p.window = err, 1
	// Dials that were under way when the pause began know nothing new: only one
	// started after it may lengthen it.
	if p.backoff == 0 || started >= p.readyAt {
		p.pause(now)
	}
	p.Observe(now)
}

// Observe tells that time has passed.
func (p *Pace) Observe(now time.Duration) {
	if at, ok := p.DownAt(); ok && now >= at {
		p.down = true
	}
}

// pause draws the next pause: exponential, with full jitter, so that a thousand
// clients of one server do not come back at once (M. Brooker, "Exponential
// Backoff And Jitter", AWS Architecture Blog, 2015).
func (p *Pace) pause(now time.Duration) {
	p.backoff = min(max(2*p.backoff, p.BackoffMin), p.BackoffMax)
	p.readyAt = now + rand.N(p.backoff) + 1
}
