package main

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/connpool/connpool"
)

// worker borrows from all pools in turn, in every way there is.
type worker struct {
	dice
	rigs    []*rig
	weights []int // how often each is chosen
	think   time.Duration
	verdict *verdict
	late    *sync.WaitGroup // what goes on after a lease has ended
}

// work borrows until the phase is over.
func (w *worker) work(ctx context.Context) {
	for ctx.Err() == nil {
		r := w.rigs[w.pick(w.weights...)]
		if r.inline {
			apart(func() { w.borrow(r) })
		} else {
			w.borrow(r)
		}
		if w.think > 0 {
			time.Sleep(w.upTo(w.think))
		}
	}
}

// apart runs f on a goroutine of its own, which may panic with what we inject,
// or call Goexit.
func apart(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil && p != (injected{}) {
				panic(p)
			}
		}()
		f()
	}()
	<-done
}

func (w *worker) borrow(r *rig) {
	switch w.pick(70, 8, 8, 6, 2, 1) {
	case 0:
		w.acquire(r, w.patience(), nil)
	case 1:
		w.try(r)
	case 2:
		w.do(r)
	case 3:
		w.acquire(r, time.Minute, w.cancelSoon())
	case 4:
		w.acquire(r, 0, nil)
	case 5:
		w.takeIdle(r)
	}
}

// unlimited is the deadline of who can wait for anything.
const unlimited = time.Minute

func (w *worker) patience() time.Duration {
	return [...]time.Duration{w.upTo(5 * time.Millisecond), w.upTo(500 * time.Millisecond), unlimited}[w.pick(2, 4, 4)]
}

// cancelSoon returns what cancels a context from another goroutine.
func (w *worker) cancelSoon() func(context.CancelFunc) {
	after := w.upTo(2 * time.Millisecond)
	return func(cancel context.CancelFunc) { time.AfterFunc(after, cancel) }
}

func (w *worker) acquire(r *rig, patience time.Duration, cancelBy func(context.CancelFunc)) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if cancelBy != nil {
		cancelBy(cancel)
	}
	began, retired := time.Now(), r.retired.Load()
	l, err := r.pool.Acquire(ctx)
	w.judge(r, ctx, patience, time.Since(began), err)
	if err == nil {
		r.acquired.Add(1)
		w.use(r, l, retired)
	}
}

// tardy is how late a caller may learn that its time is over: far more than even
// a crowded machine takes, far less than for ever.
const tardy = 20 * time.Second

// judge checks that an acquire came back in time, and if it failed, for a reason
// that we know.
func (w *worker) judge(r *rig, ctx context.Context, patience, waited time.Duration, err error) {
	switch {
	case waited > patience+tardy:
		w.verdict.broken("%s: an acquire with %v took %v: %v", r.name, patience, waited, err)
	case err == nil:
	case !errors.As(err, new(*connpool.AcquireError)):
		w.verdict.broken("%s: an acquire failed with a %T: %v", r.name, err, err)
	case patience == unlimited && errors.Is(ctx.Err(), context.DeadlineExceeded):
		w.verdict.broken("%s: an acquire was not served in %v: %v", r.name, patience, err)
	case !known(err):
		w.verdict.broken("%s: an acquire failed for no reason that we know: %v", r.name, err)
	}
}

// known reports whether an acquire may fail with the error.
func known(err error) bool {
	for _, reason := range []error{
		context.DeadlineExceeded, context.Canceled, connpool.ErrQueueFull, connpool.ErrBadConn,
		connpool.ErrClosed, errRefused, errUnwell, io.EOF,
	} {
		if errors.Is(err, reason) {
			return true
		}
	}
	// What panics, calls Goexit or returns nil in Connect is an error too, during
	// an outage.
	var failed *connpool.AcquireError
	return errors.As(err, &failed) && failed.Stage == connpool.StageConnect
}

func (w *worker) try(r *rig) {
	retired := r.retired.Load()
	l, err := r.pool.TryAcquire(context.Background())
	switch {
	case err == nil:
		r.acquired.Add(1)
		w.use(r, l, retired)
	case !errors.Is(err, connpool.ErrNoneIdle) && !known(err):
		w.verdict.broken("%s: TryAcquire: %v", r.name, err)
	}
}

func (w *worker) takeIdle(r *rig) {
	retired := r.retired.Load()
	leases := r.pool.AcquireIdle()
	r.acquired.Add(uint64(len(leases)))
	for _, l := range leases {
		apart(func() { w.use(r, l, retired) }) // what ends one must not lose the others
	}
}

// do borrows through Do, and leaves in every way.
func (w *worker) do(r *rig) {
	ctx, cancel := context.WithTimeout(context.Background(), w.patience())
	defer cancel()
	how, retired := w.IntN(8), r.retired.Load()
	apart(func() {
		// An error is either f's or a failed acquire's, which others judge.
		_ = r.pool.Do(ctx, func(_ context.Context, c *conn) error {
			r.acquired.Add(1)
			w.hold(r, c, retired)
			r.end()
			switch how {
			case 0:
				panic(injected{})
			case 1:
				runtime.Goexit()
			case 2:
				return connpool.ErrBadConn
			case 3:
				return errHarmless
			}
			return nil
		})
	})
}

// use uses a lease and ends it, one way or another.
func (w *worker) use(r *rig, l lease, retired uint64) {
	c := l.Conn()
	if !w.hold(r, c, retired) {
		r.end()
		l.ReleaseErr(connpool.ErrBadConn)
		return
	}
	w.part(r, l, c)
}

// hold uses a connection for a while, and reports whether it works. It must be
// newer than the last Retire that had returned when the worker asked for it.
func (w *worker) hold(r *rig, c *conn, retired uint64) (works bool) {
	r.begin()
	if c.age < retired {
		w.verdict.broken("%s: connection %d of generation %d is lent after a Retire that began generation %d", r.name, c.id, c.age, retired)
	}
	me := c.claim("a worker")
	defer c.yield(me)
	switch w.pick(60, 30, 9, 1) {
	case 1:
		runtime.Gosched()
	case 2:
		time.Sleep(w.upTo(200 * time.Microsecond))
	case 3:
		time.Sleep(w.upTo(5 * time.Millisecond))
	}
	if c.socket != nil && w.chance(0.3) && c.echo(me) != nil {
		return false
	}
	return !c.dead.Load()
}
