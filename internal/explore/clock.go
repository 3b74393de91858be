//go:build explore

package explore

import (
	"fmt"
	"time"
)

// Time in a schedule stands still until a timer rings, which moves it to when that
// was due. Timers ring in the order in which they are due, but at any point: how long
// the threads take meanwhile is nobody's to say.

// Go starts a goroutine: in a schedule, one more thread of it.
func Go(f func()) {
	switch r := running.Load(); {
	case r == nil:
		go f()
	case !r.unwinds:
		r.Go(fmt.Sprint("goroutine ", len(r.threads)), f)
	}
}

// Since returns the time since an epoch: in a schedule, since it began.
func Since(epoch time.Time) time.Duration {
	if r := running.Load(); r != nil {
		return r.clock
	}
	return time.Since(epoch)
}

// Timer is a time.Timer that calls a function.
type Timer struct {
	real *time.Timer
	run  *Run
	f    func()
	set  int  // how often it has been set or stopped
	on   bool // it is set, and has not rung
}

// AfterFunc starts a timer.
func AfterFunc(d time.Duration, f func()) *Timer {
	r := running.Load()
	if r == nil {
		return &Timer{real: time.AfterFunc(d, f)}
	}
	t := &Timer{run: r, f: f}
	t.start(d)
	return t
}

// Stop stops the timer and reports whether it was set.
func (t *Timer) Stop() (was bool) {
	if t.real != nil {
		return t.real.Stop()
	}
	was, t.on = t.on, false
	t.set++
	return was
}

// Reset sets the timer anew and reports whether it was set.
func (t *Timer) Reset(d time.Duration) (was bool) {
	if t.real != nil {
		return t.real.Reset(d)
	}
	was = t.Stop()
	t.start(d)
	return was
}

// start adds the thread that rings, unless the timer is stopped or set anew
// before. Nobody waits for such a thread: a schedule is at an end when all others
// are.
func (t *Timer) start(d time.Duration) {
	r := t.run
	if r.unwinds {
		return
	}
	t.set++
	mine := t.set
	t.on = true
	r.Go(fmt.Sprint("timer ", len(r.threads)), func() {
		r.current.timer, t.on = false, false
		r.clock = max(r.clock, r.current.due)
		t.f()
	})
	thread := r.threads[len(r.threads)-1]
	thread.timer, thread.due = true, r.clock+d
	thread.ready = func() bool { return t.on && t.set == mine }
}

// nextTimer returns the thread of the timer that is due next.
func (r *Run) nextTimer() (next *thread) {
	for _, t := range r.threads {
		if t.timer && !t.done && t.canRun() && (next == nil || t.due < next.due) {
			next = t
		}
	}
	return next
}
