package connpool

import (
	"context"
	"log/slog"
	"runtime/debug"
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
		err = &PanicError{Callback: name, Value: panicked, Stack: debug.Stack()}
		p.notePanic(name, err.(*PanicError))
	case err == errGoexit:
		p.count.panics.Add(1)
	}
	return err
}

func (p *Pool[T]) notePanic(name string, err *PanicError) {
	p.count.panics.Add(1)
	p.event(func() {
		p.cfg.Logger.Warn("connpool: a callback panicked", "pool", p.cfg.Name, "callback", name,
			"error", err.Error(), "stack", string(err.Stack))
	})
}

// event tells the user's logger or trace of something, on a goroutine of its
// own: a handler that hangs, panics or calls the pool must not hold up the sweep
// or a dial.
func (p *Pool[T]) event(tell func()) {
	p.tasks.Add(1)
	explore.Go(func() {
		defer p.taskDone()
		p.guarded(tell)
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

func (p *Pool[T]) log(level slog.Level, message string, args ...any) {
	p.cfg.Logger.Log(context.Background(), level, "connpool: "+message, append([]any{"pool", p.cfg.Name}, args...)...)
}

// taskDone ends a goroutine of the pool's, as far as Shutdown is concerned.
func (p *Pool[T]) taskDone() {
	if p.tasks.Add(-1) == 0 {
		p.checkDrained()
	}
}
