// Package alarm is a timer that many may set: it rings once at the earliest
// time that anybody asked for, and then waits to be asked again. A pool at rest
// has no alarm set and so wakes nobody.
package alarm

import (
	"math"
	"time"

	"github.com/connpool/connpool/internal/explore"
)

// Never is later than every other time.
const Never = time.Duration(math.MaxInt64)

// Alarm calls a function at the earliest time asked for. Times are durations
// since the epoch that New was given: only ever differences of one monotonic
// clock. It is safe for concurrent use.
type Alarm struct {
	epoch time.Time
	ring  func(due time.Duration)

	mu struct {
		explore.Mutex
		timer   *explore.Timer
		at      time.Duration // when it rings next, or Never
		ringing bool          // ring is running: by only notes the time
		stopped bool
	}
}

// New returns an alarm that calls ring with the time that it was set for, on a
// goroutine of its own, never two at a time. ring may call By.
func New(epoch time.Time, ring func(due time.Duration)) *Alarm {
	a := &Alarm{epoch: epoch, ring: ring}
	a.mu.at = Never
	return a
}

// By sees to it that the alarm rings at t or before. A time that has passed
// rings at once; Never asks for nothing.
func (a *Alarm) By(t time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.stopped || t >= a.mu.at {
		return
	}
	a.mu.at = t
	if !a.mu.ringing {
		a.setLocked()
	}
}

func (a *Alarm) setLocked() {
	d := a.mu.at - explore.Since(a.epoch)
	if a.mu.timer == nil {
		a.mu.timer = explore.AfterFunc(d, a.fire)
		return
	}
	a.mu.timer.Reset(d)
}

func (a *Alarm) fire() {
	due, ok := a.begin()
	if !ok {
		return
	}
	defer a.end()
	a.ring(due)
}

func (a *Alarm) begin() (due time.Duration, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.stopped || a.mu.ringing || explore.Since(a.epoch) < a.mu.at {
		return 0, false
	}
	due = a.mu.at
	a.mu.ringing, a.mu.at = true, Never
	return due, true
}

func (a *Alarm) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.ringing = false
	if !a.mu.stopped && a.mu.at != Never {
		a.setLocked()
	}
}

// Stop silences the alarm for good. A ring that is under way goes on.
func (a *Alarm) Stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.stopped = true
	if a.mu.timer != nil {
		a.mu.timer.Stop()
	}
}
