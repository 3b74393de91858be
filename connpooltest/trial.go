package connpooltest

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/connpool/connpool"
)

// patience is how long past its end a callback is waited for. The pool waits 10
// ms; a machine that runs many tests may be slower than that.
const patience = 2 * time.Second

// trial is one run of TestConfig.
type trial[T any] struct {
	t      testing.TB
	cfg    connpool.Config[T] // with the pool's defaults
	number string
	step   string          // what is being tried
	said   map[string]bool // faults that have been reported
	hung   bool            // a callback has not returned yet
	took   map[string]time.Duration
}

func newTrial[T any](t testing.TB, cfg connpool.Config[T]) *trial[T] {
	return &trial[T]{
		t: t, cfg: withDefaults(cfg), number: strconv.FormatUint(trials.Add(1), 10),
		said: map[string]bool{}, took: map[string]time.Duration{},
	}
}

// report fails the test, once for each fault.
func (tr *trial[T]) report(f fault) {
	tr.t.Helper()
	if !tr.said[f.what] {
		tr.said[f.what] = true
		tr.t.Errorf("%s", f)
	}
}

// outcome is what came of a callback that has been run.
type outcome struct {
	err      error
	returned bool // or else it panicked, called Goexit, or hangs, which has been reported
}

// end is how a callback's goroutine ended.
type end struct {
	outcome
	panicked any
}

// run runs a callback on a goroutine of its own. If it is not back by the limit,
// that is reported as the fault given, and the callback left alone; it is not run
// again to the same end.
func (tr *trial[T]) run(name string, limit time.Duration, late fault, f func() error) outcome {
	tr.t.Helper()
	if tr.said[late.what] {
		return outcome{}
	}
	began := time.Now()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case e := <-tr.start(name, f):
		tr.note(name, time.Since(began), e.returned)
		tr.reportEnd(name, e)
		return e.outcome
	case <-timer.C:
		tr.hung = true
		tr.report(late)
		return outcome{}
	}
}

// start runs f on a goroutine that is labelled as the trial's.
func (tr *trial[T]) start(name string, f func() error) <-chan end {
	done := make(chan end, 1)
	step := tr.step
	if step != firstStep {
		step = name + ", tried with " + step
	}
	go func() {
		label(tr.number, step)
		var e end
		defer func() {
			e.panicked = recover()
			done <- e
		}()
		e.err = f()
		e.returned = true
	}()
	return done
}

// reportEnd reports a callback that did not return.
func (tr *trial[T]) reportEnd(name string, e end) {
	tr.t.Helper()
	switch {
	case e.returned:
	case e.panicked != nil:
		tr.report(panics.of(&connpool.PanicError{Callback: name, Value: e.panicked}))
	default:
		tr.report(exits.of(name))
	}
}

// note keeps how long the callback took the first time.
func (tr *trial[T]) note(name string, took time.Duration, returned bool) {
	if _, known := tr.took[name]; !known && returned {
		tr.took[name] = took
	}
}

// within runs a callback that has a time-out, with a context that has it too.
func (tr *trial[T]) within(name string, timeout time.Duration, f func(context.Context) error) outcome {
	tr.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return tr.run(name, timeout+patience, hangs.of(name, timeout), func() error { return f(ctx) })
}

// inline runs a callback that the pool runs in the caller's goroutine.
func (tr *trial[T]) inline(name string, f func() error) outcome {
	tr.t.Helper()
	return tr.run(name, patience, hangs.of(name, patience), f)
}

// open returns a connection, or reports why there is none.
func (tr *trial[T]) open() (conn T, ok bool) {
	tr.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), tr.cfg.ConnectTimeout)
	defer cancel()
	return tr.openWith(ctx)
}

// openWith is open with a context that has ConnectTimeout and does not end when
// Connect has returned.
func (tr *trial[T]) openWith(ctx context.Context) (conn T, ok bool) {
	tr.t.Helper()
	dial := tr.dial()
	limit := tr.cfg.ConnectTimeout
	out := tr.run("Connect", limit+patience, hangs.of("Connect", limit), func() error { return dial.run(ctx) })
	switch {
	case !out.returned:
		dial.abandon()
	case out.err != nil:
		tr.report(connectFailed.of(printed(out.err)))
		tr.failed(dial)
	case isNil(dial.conn):
		tr.report(connectNil)
	default:
		return dial.conn, true
	}
	return conn, false
}

// failed closes what Connect should not have returned with its error.
func (tr *trial[T]) failed(dial *dialling[T]) {
	tr.t.Helper()
	if canBeNil(dial.conn) && !isNil(dial.conn) {
		tr.report(connectBoth)
		tr.shut(dial.conn)
	}
}

// shut closes a connection as the pool does.
func (tr *trial[T]) shut(conn T) outcome {
	tr.t.Helper()
	if tr.cfg.Close == nil {
		return outcome{returned: true}
	}
	return tr.within("Close", tr.cfg.CloseTimeout, func(ctx context.Context) error { return tr.cfg.Close(ctx, conn) })
}

// dialling is one call of Connect, whose connection is closed when nobody is
// there any more to take it.
type dialling[T any] struct {
	trial *trial[T]
	over  atomic.Bool // set by the dial's end and by who leaves it to itself: the second closes the connection

	conn T // written before over is set
	err  error
}

func (tr *trial[T]) dial() *dialling[T] { return &dialling[T]{trial: tr} }

func (d *dialling[T]) run(ctx context.Context) error {
	d.conn, d.err = d.trial.cfg.Connect(ctx)
	if d.over.Swap(true) {
		d.drop()
	}
	return d.err
}

// abandon leaves the dial to itself.
func (d *dialling[T]) abandon() {
	if d.over.Swap(true) {
		d.drop()
	}
}

// drop closes a connection that has come too late, without a word.
func (d *dialling[T]) drop() {
	shut := d.trial.cfg.Close
	if d.err != nil || isNil(d.conn) || shut == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), d.trial.cfg.CloseTimeout)
	defer cancel()
	_ = shut(ctx, d.conn) // what comes of a Close has been tried, or will be
}
