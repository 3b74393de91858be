//go:build explore

package explore

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Run is one schedule of a scenario. The scenario sets up what it needs and names
// its threads with Go; they run, one at a time, after it has returned.
//
// The threads are coroutines, so only one of them runs at any time and whatever
// belongs to a Run needs no lock. All goroutines that touch the explorer's types
// meanwhile must be threads: those that the scenario names, and what Go and
// AfterFunc start.
type Run struct {
	search      *search
	coroutines  *coroutines
	bound       int // preemptions that the schedule may have
	preemptions int // that it has had
	step        int // choices made, those with one option included

	threads []*thread
	current *thread // who runs; nil before and after the threads
	next    *thread // who runs then
	options []*thread

	finally []func()
	failure string
	unwinds bool // the schedule is over and its threads are being ended
	resting bool // see Rest

	clock time.Duration // see Since

	traced bool
	trace  []string
}

// thread is a goroutine of the scenario.
type thread struct {
	name  string
	body  func()
	runs  *coroutine  // nil: it has not begun
	ready func() bool // nil: it can go on
	done  bool

	timer bool          // it is of a timer that has not rung
	due   time.Duration // when that is to ring
}

// running is the schedule under way. The types that the product uses have no
// other way to know of it.
var running atomic.Pointer[Run]

// exploring returns the schedule under way if a thread of it calls.
func exploring() *Run {
	if r := running.Load(); r != nil && r.current != nil {
		return r
	}
	return nil
}

// stepLimit is more than the threads of any scenario need: one that takes so many
// steps goes round in a circle.
const stepLimit = 5000

// unwound is what a thread of a failed schedule panics with.
type unwound struct{}

// Go adds a thread to the scenario.
func (r *Run) Go(name string, body func()) {
	t := &thread{name: name}
	t.body = func() {
		t.ready = nil
		defer func() {
			switch v := recover(); v {
			case nil, unwound{}:
			default:
				r.Failf("%s panics: %v\n%s", name, v, debug.Stack())
			}
		}()
		body()
	}
	r.threads = append(r.threads, t)
}

// resume goes on with a thread until it is another's turn.
func (r *Run) resume(t *thread) {
	r.current = t
	if t.runs == nil {
		t.runs = r.coroutines.start(t.body)
	}
	t.done = r.coroutines.resume(t.runs)
}

// Rest lets all threads go on until each has ended or sleeps, one after the other,
// before the schedule begins: what leads up to a scenario has one order. Timers
// do not ring.
func (r *Run) Rest() {
	r.resting = true
	for moved := true; moved; {
		moved = false
		for i := 0; i < len(r.threads); i++ { // threads may add threads
			if t := r.threads[i]; !t.done && !t.timer && t.canRun() {
				moved = true
				r.resume(t)
			}
		}
	}
	r.current, r.resting = nil, false
}

// Calm ends the preemptions: what comes then is not what the scenario is about.
func (r *Run) Calm() { r.bound = r.preemptions }

// Finally has check run once all threads have ended, in the order of the calls.
func (r *Run) Finally(check func()) { r.finally = append(r.finally, check) }

// Failf says what is wrong. The first fault of a schedule is reported.
func (r *Run) Failf(format string, args ...any) {
	if r.failure == "" {
		r.failure = fmt.Sprintf(format, args...)
	}
}

// Require fails the schedule unless ok.
func (r *Run) Require(ok bool, format string, args ...any) {
	if !ok {
		r.Failf(format, args...)
	}
}

// Asleep reports whether a thread sleeps or waits for a lock.
func (r *Run) Asleep(name string) bool {
	for _, t := range r.threads {
		if t.name == name {
			return !t.done && !t.canRun()
		}
	}
	return false
}

// run takes a scenario through the schedule, and returns what was wrong.
func (r *Run) run(scenario func(*Run)) string {
	running.Store(r)
	defer running.Store(nil)
	scenario(r)
	for r.choose(); r.next != nil && r.failure == ""; {
		if r.resume(r.next); r.current.done {
			r.choose()
		}
	}
	r.requireAwake()
	r.Require(r.search.followed(), "the scenario is not the same each time: it ended at step %d, and did not before", r.step)
	r.unwind()
	for _, check := range r.finally {
		if r.failure == "" {
			check()
		}
	}
	return r.failure
}

func (r *Run) requireAwake() {
	var asleep []string
	for _, t := range r.threads {
		if t.counts() {
			asleep = append(asleep, t.name)
		}
	}
	r.Require(len(asleep) == 0, "asleep for ever: %s", strings.Join(asleep, ", "))
}

// unwind ends threads that have not ended.
func (r *Run) unwind() {
	r.unwinds = true
	for _, t := range r.threads {
		if t.runs != nil && !t.done {
			r.resume(t)
		}
	}
	r.current = nil
}

// pause is a point of the thread that runs: here another may go on. The thread
// goes on when it is its turn and ready, if not nil, says that it can.
func (r *Run) pause(ready func() bool) {
	if r.unwinds {
		return
	}
	t := r.current
	t.ready = ready
	if r.resting {
		r.sleep(t)
		return
	}
	if r.traced {
		r.trace = append(r.trace, fmt.Sprintf("%4d  %-12s %s", r.step, t.name, site()))
	}
	if r.choose(); r.next != t {
		r.leave(t)
	}
	t.ready = nil
}

// sleep is a point of a thread in a Rest: it goes on as long as it can.
func (r *Run) sleep(t *thread) {
	if !t.canRun() {
		r.leave(t)
	}
	t.ready = nil
}

// leave lets others run until it is the thread's turn again.
func (r *Run) leave(t *thread) {
	if t.runs.yield(struct{}{}); r.unwinds {
		panic(unwound{})
	}
}

// choose settles who runs next: nobody if all are asleep or have ended.
//
// When all are asleep time goes on, and the timer rings that is due next. It may
// ring before, as a preemption: somebody else could have gone on.
func (r *Run) choose() {
	r.next = nil
	if !slices.ContainsFunc(r.threads, (*thread).counts) {
		return
	}
	preempts, may := r.current != nil && !r.current.done && r.current.canRun(), r.preemptions < r.bound
	if preempts && !may {
		r.goOn(r.current)
		return
	}
	r.options = r.options[:0]
	if preempts {
		r.options = append(r.options, r.current)
	}
	for _, t := range r.threads {
		if t.counts() && t != r.current && t.canRun() {
			r.options = append(r.options, t)
		}
	}
	awake := len(r.options) > 0
	if t := r.nextTimer(); t != nil && (may || !awake) {
		r.options = append(r.options, t)
	}
	if len(r.options) == 0 {
		return
	}
	r.goOn(r.options...)
	if preempts && r.next != r.current || awake && r.next != nil && r.next.timer {
		r.preemptions++
	}
}

// goOn picks who runs next, unless the schedule has failed.
func (r *Run) goOn(options ...*thread) {
	if choice := r.pick(len(options)); r.failure == "" {
		r.next = options[choice]
	}
}

func (t *thread) canRun() bool { return t.ready == nil || t.ready() }

// counts reports whether the schedule is not at an end before the thread is.
func (t *thread) counts() bool { return !t.done && !t.timer }

// pick makes one choice.
func (r *Run) pick(options int) int {
	step := r.step
	if r.step++; r.step > stepLimit {
		r.Failf("not at an end after %d steps", stepLimit)
		return 0
	}
	choice, err := r.search.pick(step, options)
	if err != nil {
		r.Failf("%v", err)
	}
	return choice
}
