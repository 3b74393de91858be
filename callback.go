package connpool

import (
	"bytes"
	"context"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/connpool/connpool/internal/explore"
)

// call is one run of a callback of the user's on a goroutine of the pool's.
// Exactly one of two things happens first and decides: the callback returns (or
// panics, or calls Goexit), or its time is over. end is called once, with the
// callback's error or errAbandoned. late is called, if not nil, when an
// abandoned callback returns after all.
type call struct {
	name    string
	timeout time.Duration // off: it may take for ever
	strays  bool          // abandoned, it has a connection that no slot counts
	run     func(ctx context.Context) error
	end     func(err error)
	late    func(err error)
}

// grace is how long past its deadline a callback is waited for before it is
// abandoned: one that watches its context returns its own error, which says more
// than the pool's.
const grace = 10 * time.Millisecond

// call runs c. Seam 12: whatever the callback does, end is called, and puts the
// slot right.
func (p *Pool[T]) call(ctx context.Context, c call) {
	p.tasks.Add(1)
	ctx, cancel := withTimeout(ctx, c.timeout)
	var settled explore.Bool
	settle := func(err error, abandoned int64) bool {
		if !settled.CompareAndSwap(false, true) {
			return false
		}
		defer p.taskDone()
		if abandoned != 0 {
			p.countAbandoned(c, abandoned)
		}
		c.end(err)
		return true
	}
	var timer *explore.Timer
	if c.timeout != off {
		timer = explore.AfterFunc(c.timeout+grace, func() { settle(errAbandoned, 1) })
	}
	explore.Go(func() {
		defer cancel()
		err := errGoexit
		defer func() {
			err = p.outcome(c.name, err, recover())
			if timer != nil {
				timer.Stop()
			}
			if settle(err, 0) {
				return
			}
			p.countAbandoned(c, -1)
			if c.late != nil {
				c.late(err)
			}
			p.grow() // strays may have stopped the dialling
		}()
		err = c.run(ctx)
	})
}

// countAbandoned counts callbacks that hang past their time-out, and the
// connections that hang with them.
func (p *Pool[T]) countAbandoned(c call, n int64) {
	p.abandoned.Add(n)
	if c.strays {
		p.strays.Add(n)
	}
}

func withTimeout(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout == off {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, timeout)
}

// outcome returns the error of a callback that has returned, panicked or called
// Goexit.
func (p *Pool[T]) outcome(name string, err error, panicked any) error {
	switch {
	case panicked != nil:
		err = &PanicError{Callback: name, Value: panicked, Stack: stack()}
		p.notePanic(name, err.(*PanicError))
	case err == errGoexit:
		p.count.panics.Add(1)
	}
	return err
}

// mostStack is the most of a panic's stack that is kept, in bytes: some thirty
// frames from where it came from.
const mostStack = 4 << 10

// stack returns the stack of the goroutine that runs, or its top.
func stack() []byte {
	buf := make([]byte, mostStack)
	n := runtime.Stack(buf, false)
	if n == len(buf) {
		n = bytes.LastIndexByte(buf, '\n') + 1
	}
	return buf[:n]
}

// A panic is logged every panicEvery, after a burst. A callback that panics each
// time it is called would otherwise fill a disk.
const (
	panicEvery = time.Second
	panicBurst = 10 * panicEvery
)

func (p *Pool[T]) notePanic(name string, err *PanicError) {
	p.count.panics.Add(1)
	if !p.panics.take(p.now(), panicEvery, panicBurst) {
		p.panicsUnlogged.Add(1)
		return
	}
	unlogged := p.panicsUnlogged.Swap(0)
	p.event(func() { // the value's Error method is the user's, and may do anything
		attrs := []any{"callback", name, "error", err.Error(), "stack", string(err.Stack)}
		if unlogged > 0 {
			attrs = append(attrs, "not_logged", unlogged)
		}
		p.warn("a callback panicked", attrs...)
	})
}

// teller calls what the user wants to be told with, one call at a time and in
// order, on a goroutine that is there only while there is something to tell. So a
// logger, a trace or an OnLeak that hangs, panics or calls the pool holds up
// neither the sweep nor a dial, and costs one goroutine and a bounded queue.
type teller struct {
	mu struct {
		sync.Mutex
		waiting []func()
		telling bool   // the goroutine is there
		dropped uint64 // since the last call
	}
}

// put puts a call into the queue, or drops it if so many wait already, and reports
// whether the caller has to start the goroutine.
func (t *teller) put(tell func(), most int) (start, dropped bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.mu.waiting) >= most {
		t.mu.dropped++
		return false, true
	}
	t.mu.waiting = append(t.mu.waiting, tell)
	start = !t.mu.telling
	t.mu.telling = true
	return start, false
}

// next returns the next call, or nil if the goroutine may end, and how many have
// been dropped.
func (t *teller) next() (tell func(), dropped uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	dropped, t.mu.dropped = t.mu.dropped, 0
	if len(t.mu.waiting) == 0 {
		t.mu.telling, t.mu.waiting = false, nil
		return nil, dropped
	}
	tell, t.mu.waiting[0] = t.mu.waiting[0], nil
	t.mu.waiting = t.mu.waiting[1:]
	return tell, dropped
}

// spareEvents is how many events may wait to be told besides one a connection: to
// close a pool is that many at once.
const spareEvents = 1000

// event tells the user's logger or trace of something in the background.
func (p *Pool[T]) event(tell func()) { p.tell(&p.events, func() { p.guarded(tell) }) }

// tellLeak calls OnLeak in the background.
func (p *Pool[T]) tellLeak(leak Leak) {
	p.tell(&p.leaks, func() {
		err := errGoexit
		defer func() { p.outcome("OnLeak", err, recover()) }()
		p.cfg.OnLeak(leak)
		err = nil
	})
}

func (p *Pool[T]) tell(t *teller, tell func()) {
	start, dropped := t.put(tell, spareEvents+p.cfg.MaxSize)
	if dropped {
		p.count.eventsDropped.Add(1)
	}
	if start {
		p.tasks.Add(1)
		explore.Go(func() { p.tellAll(t) })
	}
}

func (p *Pool[T]) tellAll(t *teller) {
	ended := false
	defer func() {
		if !ended { // but what was called has called Goexit
			explore.Go(func() { p.tellAll(t) })
			return
		}
		p.taskDone()
	}()
	for {
		tell, dropped := t.next()
		if dropped > 0 {
			p.abandonable(func() { p.guarded(func() { p.noteDropped(dropped) }) })
		}
		if tell == nil {
			ended = true
			return
		}
		p.abandonable(tell)
	}
}

func (p *Pool[T]) noteDropped(n uint64) {
	p.warn("events were dropped: the Logger, the Trace or OnLeak did not return in time", "dropped", n)
}

// abandonable calls f, which Shutdown does not wait for longer than CheckTimeout.
func (p *Pool[T]) abandonable(f func()) {
	var settled atomic.Bool
	if p.cfg.CheckTimeout != off {
		timer := time.AfterFunc(p.cfg.CheckTimeout, func() {
			if settled.CompareAndSwap(false, true) {
				p.abandoned.Add(1)
				p.taskDone()
			}
		})
		defer timer.Stop()
	}
	defer func() {
		if !settled.CompareAndSwap(false, true) { // it has been given up meanwhile
			p.tasks.Add(1)
			p.abandoned.Add(-1)
		}
	}()
	f()
}

// inBackground runs f, which is the pool's own, on a goroutine of its own.
func (p *Pool[T]) inBackground(f func()) {
	p.tasks.Add(1)
	explore.Go(func() {
		defer p.taskDone()
		f()
	})
}

// guarded runs a trace or log callback on a goroutine of the pool's, where a
// panic would end the process. There is nobody left to tell but the counter: the
// logger itself may be what panics.
func (p *Pool[T]) guarded(tell func()) {
	returned := false
	defer func() {
		if !returned {
			_ = recover()
			p.count.panics.Add(1)
		}
	}()
	tell()
	returned = true
}

func (p *Pool[T]) warn(message string, args ...any) { p.log(slog.LevelWarn, message, args...) }

// log writes a line. Durations are written as people write them: as a number, which
// is what encoders make of them, they have no unit.
func (p *Pool[T]) log(level slog.Level, message string, args ...any) {
	attrs := []any{"pool", p.cfg.Name}
	for _, arg := range args {
		if d, ok := arg.(time.Duration); ok {
			arg = round(d).String()
		}
		attrs = append(attrs, arg)
	}
	p.cfg.Logger.Log(context.Background(), level, "connpool: "+message, attrs...)
}

// taskDone ends a goroutine of the pool's, as far as Shutdown is concerned.
func (p *Pool[T]) taskDone() {
	if p.tasks.Add(-1) == 0 {
		p.checkDrained()
	}
}
