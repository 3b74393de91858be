package connpooltest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/connpool/connpool"
)

// TestConfig runs the callbacks of a Config through what the pool relies on, and
// reports each fault with t.Errorf: what it is, why the pool cares, what to do.
// It goes on after a fault, as far as it can. It needs a server that works, opens
// some twenty connections, never more than two at a time, and closes them.
//
//   - New takes the Config.
//   - Connect returns a connection, not nil and not with an error, and each time
//     another one. With a context that has ended it fails, and it returns soon
//     when its context ends meanwhile.
//   - A connection outlives the context of the Connect that opened it.
//   - Alive, Check, Clean and Prepare pass a fresh connection, and so they do
//     when it has been borrowed, returned and Reset. Reset leaves nothing behind
//     that one of them would object to.
//   - Alive and Check notice a connection that has been closed.
//   - Check and Reset fail with a context that has ended, and return soon when it
//     ends meanwhile.
//   - Close succeeds; a second Close of the same connection, as after a borrower
//     that has closed it, does no harm to it or to others.
//   - IsBad knows ErrBadConn, and does not blame a connection for another acquire.
//   - Nothing outlasts its time-out, panics, or calls runtime.Goexit.
//   - No goroutine is left behind, those apart that the first connection started.
//
// What is not set is tried as the pool would have it by default: T's Close,
// IsClosed and Ping. That a callback which is always done in no time would not
// watch a slow one's context cannot be found out from outside.
//
// TestConfig may be called inside a testing/synctest bubble if the factory works
// there, and from several tests at once.
func TestConfig[T any](t testing.TB, cfg connpool.Config[T]) {
	t.Helper()
	tr := newTrial(t, cfg)
	if err := refusal(cfg); err != nil {
		tr.report(configRefused.of(printed(err)))
		return
	}
	tr.step = firstStep
	if !tr.tryOutliving() || !tr.tryFresh() {
		return // nothing can be tried without a connection
	}
	for _, s := range []struct {
		name string
		try  func()
	}{
		{"a connection that is used and closed", func() { tr.tryFresh() }},
		{"two connections", tr.tryTwo},
		{"a connection that is closed", tr.tryClosed},
		{"a context that has ended", tr.tryEnded},
		{"a context that ends", tr.tryEnding},
		{"IsBad", tr.tryIsBad},
	} {
		tr.step = s.name
		s.try()
	}
	tr.tryGoroutines()
}

// settling is how long a connection is given to die of the end of a context: a
// process has to be killed, and its end noticed.
const settling = 100 * time.Millisecond

// tryOutliving asks about a connection while the context that it was opened with
// lasts, and after that, and reports whether there is one that outlives it.
func (tr *trial[T]) tryOutliving() bool {
	tr.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), tr.cfg.ConnectTimeout)
	defer cancel()
	conn, ok := tr.openWith(ctx)
	if !ok {
		return false
	}
	defer tr.shut(conn)
	before := tr.ask(conn)
	cancel()
	time.Sleep(settling)
	for _, now := range tr.ask(conn) {
		if now.failedSince(before) {
			tr.report(diesOfContext.of(now.by, printed(now.err)))
			return false
		}
	}
	return true
}

// tryFresh takes a connection through two leases, as far as it gets, and
// reports whether there was one.
func (tr *trial[T]) tryFresh() bool {
	tr.t.Helper()
	conn, ok := tr.open()
	if !ok {
		return false
	}
	if tr.usable(conn, "just opened") && tr.lease(conn) && tr.usable(conn, "returned") {
		tr.lease(conn)
	}
	if out := tr.shut(conn); out.returned && out.err != nil {
		tr.report(closeFailed.of(printed(out.err)))
	}
	return true
}

// usable reports whether Alive and Check pass a connection.
func (tr *trial[T]) usable(conn T, when string) bool {
	tr.t.Helper()
	fine := true
	for _, verdict := range tr.ask(conn) {
		fine = fine && verdict.fine()
		if verdict.returned && !verdict.fine() {
			tr.report(refusesFresh.of(verdict.by, when, printed(verdict.err)))
		}
	}
	return fine
}

// verdict is what Alive or Check says.
type verdict struct {
	by string
	outcome
}

func (v verdict) fine() bool { return v.returned && v.err == nil }

// failedSince reports whether the verdict was fine before and is not any more.
func (v verdict) failedSince(before []verdict) bool {
	was := func(w verdict) bool { return w.by == v.by && w.fine() }
	return v.returned && v.err != nil && slices.ContainsFunc(before, was)
}

// ask asks Alive and Check. An Alive that is unsure has said nothing, if there
// is a Check.
func (tr *trial[T]) ask(conn T) (verdicts []verdict) {
	tr.t.Helper()
	if tr.cfg.Alive != nil {
		out := tr.inline("Alive", func() error { return tr.cfg.Alive(conn) })
		if unsure := errors.Is(out.err, connpool.ErrUnsure); !unsure {
			verdicts = append(verdicts, verdict{"Alive", out})
		} else if tr.cfg.Check == nil {
			tr.report(unsureWithoutCheck)
		}
	}
	if tr.cfg.Check != nil {
		verdicts = append(verdicts, verdict{"Check", tr.check(conn)})
	}
	return verdicts
}

func (tr *trial[T]) check(conn T) outcome {
	tr.t.Helper()
	return tr.within("Check", tr.cfg.CheckTimeout, func(ctx context.Context) error { return tr.cfg.Check(ctx, conn) })
}

// lease lends and returns a connection as the pool does, and reports whether it
// can be lent again.
func (tr *trial[T]) lease(conn T) bool {
	tr.t.Helper()
	if tr.cfg.Prepare != nil {
		out := tr.within("Prepare", tr.cfg.CheckTimeout, func(ctx context.Context) error { return tr.cfg.Prepare(ctx, conn) })
		if !tr.passes("Prepare", out) {
			return false
		}
	}
	if tr.cfg.Clean != nil && !tr.passes("Clean", tr.inline("Clean", func() error { return tr.cfg.Clean(conn) })) {
		return false
	}
	return tr.cfg.Reset == nil || tr.reset(conn)
}

func (tr *trial[T]) passes(name string, out outcome) bool {
	tr.t.Helper()
	if out.returned && out.err != nil {
		tr.report(refusesFresh.of(name, "that nobody has used", printed(out.err)))
	}
	return out.returned && out.err == nil
}

// reset runs Reset, after which the connection must be of use.
func (tr *trial[T]) reset(conn T) bool {
	tr.t.Helper()
	out := tr.within("Reset", tr.cfg.CheckTimeout, func(ctx context.Context) error { return tr.cfg.Reset(ctx, conn) })
	if !tr.passes("Reset", out) {
		return false
	}
	for _, verdict := range tr.ask(conn) {
		if !verdict.fine() {
			if verdict.returned {
				tr.report(resetSpoils.of(verdict.by, printed(verdict.err)))
			}
			return false
		}
	}
	return tr.nothingLeft(conn)
}

// nothingLeft asks Clean, which has passed the connection before Reset, what that
// has left behind.
func (tr *trial[T]) nothingLeft(conn T) bool {
	tr.t.Helper()
	if tr.cfg.Clean == nil {
		return true
	}
	out := tr.inline("Clean", func() error { return tr.cfg.Clean(conn) })
	if out.returned && out.err != nil {
		tr.report(resetLeaves.of(printed(out.err)))
	}
	return out.returned && out.err == nil
}

// tryTwo opens two connections at once and closes one of them, twice.
func (tr *trial[T]) tryTwo() {
	tr.t.Helper()
	first, ok := tr.open()
	if !ok {
		return
	}
	second, ok := tr.open()
	if !ok {
		tr.shut(first)
		return
	}
	defer tr.shut(second)
	if same(first, second) {
		tr.report(connectShared)
		return
	}
	before := tr.ask(second)
	tr.shut(first)
	tr.shut(first)
	for _, now := range tr.ask(second) {
		if now.failedSince(before) {
			tr.report(closeHurtsOthers.of(now.by, printed(now.err)))
		}
	}
}

// tryClosed asks about a connection that has been closed.
func (tr *trial[T]) tryClosed() {
	tr.t.Helper()
	if tr.cfg.Alive == nil && tr.cfg.Check == nil {
		tr.t.Logf("connpooltest: there is neither an Alive nor a Check, so nobody notices a dead connection before its borrower does")
		return
	}
	conn, ok := tr.open()
	if !ok || tr.cfg.Close == nil || !tr.shut(conn).returned {
		return
	}
	for _, verdict := range tr.ask(conn) {
		if verdict.fine() {
			tr.report(passesClosed.of(verdict.by))
		}
	}
}

// tryIsBad asks IsBad, or else the connection, about what it may meet.
func (tr *trial[T]) tryIsBad() {
	tr.t.Helper()
	isBad := tr.cfg.IsBad
	if isBad == nil && mayJudge[T]() {
		conn, ok := tr.open()
		if !ok {
			return
		}
		defer tr.shut(conn)
		if c, ok := any(conn).(judge); ok {
			isBad = c.IsBad
		}
	}
	if isBad == nil {
		return // DefaultIsBad knows all this
	}
	ask := func(err error) (bad, ok bool) {
		err = fmt.Errorf("query: %w", err)
		out := tr.inline("IsBad", func() error { bad = isBad(err); return nil })
		return bad, out.returned
	}
	for _, err := range []error{context.Canceled, context.DeadlineExceeded} {
		ask(err)
	}
	if bad, ok := ask(connpool.ErrBadConn); ok && !bad {
		tr.report(blindToBad)
	}
	another := &connpool.AcquireError{Pool: "another", Err: os.ErrDeadlineExceeded}
	plain, ok := ask(errNotNow) // one that counts every error as bad means it
	if bad, asked := ask(another); ok && asked && bad && !plain {
		tr.report(blamesForOthers)
	}
}

// judge is a connection with an IsBad of its own.
type judge interface{ IsBad(err error) bool }

// mayJudge reports whether a T may be a judge: if it is an interface, what it holds
// matters, as it does to the pool.
func mayJudge[T any]() bool {
	return reflect.TypeFor[T]().Kind() == reflect.Interface || has[T, judge]()
}

// tryGoroutines looks for goroutines that have been left behind. While a
// callback hangs it has one by rights.
func (tr *trial[T]) tryGoroutines() {
	tr.t.Helper()
	if tr.hung {
		return
	}
	for _, left := range leftovers(tr.number) {
		tr.report(leavesGoroutines.of(left.count, left.step, left.stack))
	}
}
