package connpool

import (
	"fmt"

	"github.com/connpool/connpool/internal/slot"
)

// Lease is the right to use one connection until it ends. It is a small value
// that may be copied: whichever copy ends it first ends it for all. Ending an
// ended lease does nothing but count in Stats.StaleReleases; ending the zero
// Lease does nothing. A stale lease can never touch the next user's connection.
//
// What a lease protects goes through Conn. A connection saved in a variable and
// used after the lease has ended is beyond the pool.
type Lease[T any] struct {
	seat  *seat[T]
	word  slot.Word // the slot's word while this lease lasts, without flags
	token *token    // with ReclaimLost: what becomes garbage when the lease does
}

// Conn returns the connection. It panics on an ended or zero lease.
func (l Lease[T]) Conn() T {
	if l.seat != nil {
		// The box first, then the word: if the lease lasts now, the box loaded
		// before was its own.
		if conn := l.seat.conn.Load(); l.seat.word.Load().Same(l.word) {
			return *conn
		}
	}
	panic(l.misused("Conn"))
}

func (l Lease[T]) misused(method string) string {
	if l.seat == nil {
		return fmt.Sprintf("connpool: Lease.%s on a zero Lease: Acquire returned an error, or it was never called", method)
	}
	return fmt.Sprintf("connpool %q: Lease.%s after the lease has ended: the connection may be in another's hands", l.seat.pool.cfg.Name, method)
}

// Release ends the lease and returns the connection to the pool. If others wait
// and the lease was shorter than 20 µs, it lets them run first.
func (l Lease[T]) Release() {
	if l.seat == nil {
		return
	}
	p := l.seat.pool
	if p.plain && l.seat.word.CAS(l.word, l.word.Back()) {
		if !l.word.Has(slot.Listed) {
			p.idle.Push(l.seat.n)
		}
		if p.gate.Load()&gateRelease != 0 {
			p.look()
		}
		return
	}
	l.release(nil)
}

// End is ReleaseErr for a defer statement, with a pointer to the error that the
// function returns:
//
//	func count(ctx context.Context) (n int, err error) {
//		lease, err := pool.Acquire(ctx)
//		if err != nil {
//			return 0, err
//		}
//		defer lease.End(&err)
//		...
//
// While the function panics the work has not ended, so the connection is
// destroyed, as in Do; the panic goes on. That is noticed only if End itself is
// deferred, and runtime.Goexit is not. A nil pointer is a plain Release.
func (l Lease[T]) End(err *error) {
	if v := recover(); v != nil {
		defer panic(v)
		returned := l.seat == nil
		l.unlessReturned(&returned, ClosedDiscarded)
		return
	}
	if err == nil {
		l.Release()
		return
	}
	l.ReleaseErr(*err)
}

// ReleaseErr ends the lease as Release does, or as Discard does if err is not
// nil and IsBad(err).
//
// It is not for a defer statement, which evaluates its arguments at once: that
// of defer lease.ReleaseErr(err) is the nil error that Acquire has just returned.
// Defer End there.
func (l Lease[T]) ReleaseErr(err error) {
	switch {
	case l.seat == nil:
	case err == nil:
		l.Release()
	case l.isBad(err):
		l.discard(err, true)
	default:
		l.release(err)
	}
}

// Discard ends the lease and destroys the connection, in the background: Settled
// waits for that. If cause is bad, by IsBad,
// and not just a context's error, it makes the connections that are open now
// suspect: they are checked before they are lent again.
func (l Lease[T]) Discard(cause error) {
	if l.seat != nil {
		l.discard(cause, cause != nil && l.isBad(cause))
	}
}

// Hijack ends the lease and returns the connection, which is the caller's from
// now on: the pool forgets it and may open another in its place. It panics on an
// ended or zero lease.
func (l Lease[T]) Hijack() T {
	if l.seat == nil {
		panic(l.misused("Hijack"))
	}
	p, s := l.seat.pool, l.seat
	conn := s.conn.Load()
	was, ok := l.end(slot.Closing)
	if !ok {
		panic(l.misused("Hijack"))
	}
	p.count.hijacks.Add(1)
	defer p.traceReleased(s.erase(was), nil)
	p.beginClosing(s, was)
	p.vacate(s)
	return *conn
}

// KeepLong says that the lease is meant to be held for long: it is not reported
// as a leak. On an ended or zero lease it does nothing.
func (l Lease[T]) KeepLong() {
	for l.seat != nil {
		w := l.seat.word.Load()
		if !w.Same(l.word) || l.seat.word.CAS(w, w.With(slot.Kept)) {
			return
		}
	}
}

// end ends the lease, its slot moving to the given state, and reports whether it
// was this call that did; if not, the call is stale. The caller then owns the
// slot.
func (l Lease[T]) end(to slot.State) (was slot.Word, ok bool) {
	if was, ok = l.tryEnd(to); !ok {
		l.seat.pool.count.staleReleases.Add(1)
		return was, false
	}
	l.token.cancel()
	return was, true
}

// tryEnd is end for who cannot know whether the lease still lasts.
//
// Seam 14: this one compare-and-swap decides between two releases, a release
// and the clean-up of a lost lease, and whatever else ends leases.
func (l Lease[T]) tryEnd(to slot.State) (was slot.Word, ok bool) {
	for {
		w := l.seat.word.Load()
		if !w.Same(l.word) {
			return w, false
		}
		if l.seat.word.CAS(w, w.End(to)) {
			if w.Has(slot.Quiet) {
				l.seat.pool.stir()
			}
			return w, true
		}
	}
}

// release is Release beside the common path.
func (l Lease[T]) release(err error) {
	was, ok := l.end(slot.Resetting)
	if !ok {
		return
	}
	p := l.seat.pool
	past, gate := l.seat.erase(was), p.gate.Load()
	defer p.traceReleased(past, err)
	p.takeBack(l.seat, err)
	if was.Has(slot.Recorded) {
		giveWay(gate, past.held)
	}
}

func (l Lease[T]) discard(cause error, bad bool) {
	p := l.seat.pool
	past, ok := l.destroy(ClosedDiscarded, cause)
	if !ok {
		return
	}
	defer p.traceReleased(past, cause)
	if bad && !isContextErr(cause) {
		p.suspect(p.now())
	}
}

// destroy ends the lease and closes its connection, and reports whether it was
// this call that ended it.
func (l Lease[T]) destroy(reason CloseReason, cause error) (past pastLease, ok bool) {
	was, ok := l.end(slot.Closing)
	if !ok {
		return pastLease{}, false
	}
	past = l.seat.erase(was)
	l.seat.pool.shut(l.seat, reason, cause)
	return past, true
}

// isBad asks IsBad, or where there is none the connection.
func (l Lease[T]) isBad(err error) bool {
	returned := false
	defer l.unlessReturned(&returned, ClosedDiscarded)
	bad := false
	switch p, conn := l.seat.pool, l.seat.conn.Load(); {
	case p.cfg.IsBad != nil:
		bad = p.cfg.IsBad(err)
	case l.seat.word.Load().Same(l.word): // as in Conn
		bad = isBad(*conn, err)
	}
	returned = true
	return bad
}

// isBad is the IsBad of a Config that sets none.
func isBad[T any](conn T, err error) bool {
	if c, ok := any(conn).(interface{ IsBad(err error) bool }); ok {
		return c.IsBad(err)
	}
	return DefaultIsBad(err)
}

// unlessReturned is deferred around callbacks that run inline while the lease
// lasts. If one panics or calls Goexit, that ends the caller; the connection is
// destroyed and the slot is free (seam 12).
func (l Lease[T]) unlessReturned(returned *bool, reason CloseReason) {
	if *returned {
		return
	}
	p := l.seat.pool
	p.count.panics.Add(1)
	if past, ok := l.destroy(reason, errUnfinished); ok && reason == ClosedDiscarded {
		p.traceReleased(past, errUnfinished) // its borrower had got it
	}
}
