// Package pace decides how fast to dial: how many dials at once, how long to
// pause after a failure, and when a server counts as down. It is arithmetic on
// what it is told; it reads no clock and starts nothing.
package pace

import (
	"math"
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

	failing  bool // the last dial failed
	down     bool // and has for DownAfter
	doubted  bool // it was down, and is again with the next failure
	refused  bool // the last failure was of a kind that trying again does not mend
	err      error
	since    time.Duration // of the first failure in a row
	failedAt time.Duration // of the last one
	downAt   time.Duration // when the row is an outage if nothing succeeds before

	// After a failure there are two pauses: one for those who want a connection, and
	// a longer one for finding out, with nobody there, that the server is back.
	backoff, rest   time.Duration // the longest that they may be now
	readyAt, restAt time.Duration // when they end
}

// initialWindow is how many dials a pool starts at once before it knows anything
// of its server, or of a crowd: two, so that one slow dial does not stand in the way
// of all.
const initialWindow = 2

// LongestRest bounds the pauses that BackoffMax does not: those between dials for
// nobody, and those after a refusal that trying again does not mend. Of a wrong
// password it makes at most seven logins in the first quarter of an hour, and three
// to six in each that follows, however many callers come: where servers lock an
// account, they do so after five to ten within a quarter or half of an hour, or
// after a number in a row, which no pace avoids. And five minutes after the
// password has been corrected, at the latest, the service works again by itself.
const LongestRest = 5 * time.Minute

// firstRefusal is the pause after the first refusal. It doubles with each.
const firstRefusal = 10 * time.Second

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

// ReadyAt returns when the next dial may start that somebody wants. A time that
// has passed means no pause.
func (p *Pace) ReadyAt() (at time.Duration, paused bool) { return p.readyAt, p.failing }

// RestAt is ReadyAt for a dial that nobody wants.
func (p *Pace) RestAt() (at time.Duration, paused bool) { return p.restAt, p.failing }

// Fresh reports whether the last failure still says how things are: its pause
// lasts, or could.
func (p *Pace) Fresh(now time.Duration) bool {
	return p.failing && (now < p.readyAt || now-p.failedAt < p.BackoffMax)
}

// DownAt returns when the present row of failures becomes an outage if nothing
// succeeds before, and whether there is such a row and it is not one yet.
func (p *Pace) DownAt() (at time.Duration, ok bool) {
	return p.downAt, p.failing && !p.down && p.downAt != never
}

// Succeeded tells of a dial that succeeded.
func (p *Pace) Succeeded() {
	p.window += min(p.window, p.MaxWindow-p.window) // doubling may overflow
	*p = Pace{Config: p.Config, window: p.window}
}

// Rested tells that no dial is under way or wanted. A crowd that comes next may be
// served by what is open before the first dial ends: it must not find the window
// as wide as the last one left it. 50 callers with queries of 2 ms on 5
// connections that take 150 ms to open need no sixth.
func (p *Pace) Rested() { p.window = min(p.window, initialWindow) }

// Resumed tells that dials may be started again after a time in which none could
// be, or that something has changed at the server: what failed before says nothing
// of now, but that one should go slowly, and how an account is spared.
func (p *Pace) Resumed(now time.Duration) {
	if p.failing {
		p.since, p.down, p.doubted = now, false, false
		p.downAt = later(now, p.DownAfter)
		p.readyAt, p.restAt = now, now
		if !p.refused {
			p.backoff = 0
		}
	}
}

// Doubt tells that a dial starts for somebody and that the last failure is too
// long ago to say how things are. The outage goes on with the next failure, or if
// there is no answer for DownAfter.
func (p *Pace) Doubt(now time.Duration) {
	if p.down {
		p.down, p.doubted, p.downAt = false, true, later(now, p.DownAfter)
	}
}

// Failed tells of a dial, started and failed at the given times.
func (p *Pace) Failed(started, now time.Duration, err error) { p.failed(started, now, err, false) }

// Refused tells of a dial that failed in a way that trying again does not mend. It
// is an outage at once.
func (p *Pace) Refused(started, now time.Duration, err error) { p.failed(started, now, err, true) }

func (p *Pace) failed(started, now time.Duration, err error, refused bool) {
	if !p.failing {
		p.failing, p.since, p.downAt = true, now, later(now, p.DownAfter)
	}
	p.err, p.window, p.failedAt = err, 1, now
	// Dials that were under way when the pause began know nothing new: only one
	// started after it may lengthen it.
	if p.backoff == 0 || started >= p.readyAt || refused && !p.refused {
		p.pause(now, refused)
	}
	p.refused = refused
	p.down = p.down || p.doubted || refused
	p.doubted = false
	p.Observe(now)
}

// Observe tells that time has passed.
func (p *Pace) Observe(now time.Duration) {
	if at, ok := p.DownAt(); ok && now >= at {
		p.down, p.doubted = true, false
	}
}

// pause draws the next pauses: exponential, with full jitter, so that a thousand
// clients of one server do not come back at once (M. Brooker, "Exponential
// Backoff And Jitter", AWS Architecture Blog, 2015). One that is to spare an account
// is at least half of what it may be.
func (p *Pace) pause(now time.Duration, refused bool) {
	longest := max(p.BackoffMax, LongestRest)
	if refused {
		p.backoff = min(max(2*p.backoff, p.BackoffMin, firstRefusal), longest)
		p.readyAt = now + p.backoff - rand.N(p.backoff/2)
		p.rest, p.restAt = p.backoff, p.readyAt
		return
	}
	p.backoff = min(max(2*p.backoff, p.BackoffMin), p.BackoffMax)
	p.readyAt = now + rand.N(p.backoff) + 1
	p.rest, p.restAt = min(max(2*p.rest, p.BackoffMin), longest), p.readyAt
	if p.rest > p.backoff {
		p.restAt = max(p.readyAt, now+rand.N(p.rest)+1)
	}
}

const never = time.Duration(math.MaxInt64)

// later returns the time that is d after t, or never.
func later(t, d time.Duration) time.Duration {
	if sum := t + d; sum > t {
		return sum
	}
	return never
}
