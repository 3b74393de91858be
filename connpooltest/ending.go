package connpooltest

import (
	"context"
	"time"
)

// What becomes of a callback whose context ends, before it begins or meanwhile.

// ending is when a callback's context ends.
type ending struct {
	before   bool          // before the callback begins
	quarters time.Duration // else after so many quarters of the time that it took the first time
}

func (e ending) String() string {
	if e.before {
		return "it had ended before"
	}
	return "it ended meanwhile"
}

// context returns the callback's context, and how long it lasts.
func (e ending) context(usual time.Duration) (context.Context, context.CancelFunc, time.Duration) {
	if e.before {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return ctx, cancel, 0
	}
	lasts := max(usual/4*e.quarters, 1) // with 0 it would have ended before
	ctx, cancel := context.WithCancel(context.Background())
	timer := time.AfterFunc(lasts, cancel) // no deadline: a cancel has to be noticed, too
	return ctx, func() { timer.Stop(); cancel() }, lasts
}

func (tr *trial[T]) tryEnded() {
	tr.t.Helper()
	tr.tryEndingAt(ending{before: true})
}

func (tr *trial[T]) tryEnding() {
	tr.t.Helper()
	for quarters := range time.Duration(4) {
		tr.tryEndingAt(ending{quarters: quarters})
	}
}

// tryEndingAt runs all that runs with a context with one that ends then.
func (tr *trial[T]) tryEndingAt(when ending) {
	tr.t.Helper()
	tr.endingDial(when)
	if tr.cfg.Check != nil {
		tr.endingTrip(when, "Check", tr.cfg.Check)
	}
	if tr.cfg.Reset != nil {
		tr.endingTrip(when, "Reset", tr.cfg.Reset)
	}
}

func (tr *trial[T]) endingDial(when ending) {
	tr.t.Helper()
	dial := tr.dial()
	out := tr.ends(when, "Connect", dial.run)
	switch {
	case !out.returned:
		dial.abandon()
	case out.err == nil:
		tr.shut(dial.conn)
	default:
		tr.failed(dial)
	}
}

// endingTrip runs a callback on a connection of its own: nobody knows what state
// it leaves it in.
func (tr *trial[T]) endingTrip(when ending, name string, f func(context.Context, T) error) {
	tr.t.Helper()
	if conn, ok := tr.open(); ok {
		tr.ends(when, name, func(ctx context.Context) error { return f(ctx, conn) })
		tr.shut(conn)
	}
}

// ends runs a callback with a context that ends, and reports one that does not
// notice.
func (tr *trial[T]) ends(when ending, name string, f func(context.Context) error) outcome {
	tr.t.Helper()
	ctx, cancel, lasts := when.context(tr.took[name])
	defer cancel()
	out := tr.run(name, lasts+patience, outlivesContext.of(name, patience, when), func() error { return f(ctx) })
	if when.before && out.returned && out.err == nil {
		tr.report(succeedsCancelled.of(name))
	}
	return out
}
