package machine

import (
	"fmt"
	"time"

	"github.com/connpool/connpool"
)

// conn is a connection, with what the world knows of it. All fields but the
// first two are guarded by the world's lock.
type conn struct {
	id   int
	born time.Duration

	generation int           // how often Retire had been called when its dial began
	dead       time.Duration // when the server dropped it, or -1
	unfit      string        // why it must never be lent again
	proved     time.Duration // last found working, by the dial, a Check or a Reset
	returned   time.Duration // when its last lease ended, or 0

	user     *hold   // who has it
	handed   bool    // it is on its way to somebody: Prepare has begun and nothing since
	handedTo *client // to whom; nil for an AcquireIdle
	handedAt time.Duration
	busy     *run // the Check or Reset that is under way
	closes   int  // calls of Close
	left     bool // it has no slot any more: closed, hijacked or abandoned
	hijacked bool
}

func (c *conn) String() string { return fmt.Sprintf("connection %d", c.id) }

// pooledLocked reports whether the connection has a slot and is not being
// closed.
func (c *conn) pooledLocked(w *world) bool {
	return !c.left && c.closes == 0 && (c.busy == nil || !c.busy.abandoned(w.now()))
}

// idleLocked reports whether nobody has the connection and nothing happens to
// it.
func (c *conn) idleLocked(w *world) bool {
	return c.pooledLocked(w) && c.user == nil && !c.handed && c.busy == nil
}

// hold is one lease, or one call of Do's function.
type hold struct {
	by     *client
	conn   *conn
	lease  connpool.Lease[*conn]
	since  time.Duration
	kept   time.Duration // since when it is meant to be long, or -1
	finish chan ending   // of a Do: what its function is to do
}

// end tells a Do's function how to end, unless it has been told.
func (h *hold) end(how ending) {
	select {
	case h.finish <- how:
	default:
	}
}

// GoString is how rapid prints what it has drawn.
func (c *conn) GoString() string { return c.String() }

// GoString is how rapid prints what it has drawn.
func (h *hold) GoString() string { return h.String() }

func (h *hold) String() string { return fmt.Sprintf("%v's lease of %v", h.by, h.conn) }

// take enters a lease into the books.
func (w *world) take(by *client, c *conn, lease connpool.Lease[*conn]) *hold {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.count.granted++
	if c.user != nil {
		w.wrongLocked("%v is lent to %v, and %v has it", c, by, c.user)
	}
	if !c.handed { // else it was judged before Prepare
		w.judgeLocked(by, c)
	}
	h := &hold{by: by, conn: c, lease: lease, since: w.now(), kept: -1}
	if c.handed {
		h.since = c.handedAt
	}
	c.user, c.handed = h, false
	w.mu.holds[h] = true
	w.moveLocked()
	return h
}

// judgeLocked looks at a connection as it is lent: invariants 4, 6, 10 and 15.
// by is nil for an AcquireIdle, as seen from Prepare.
func (w *world) judgeLocked(by *client, c *conn) {
	now := w.now()
	switch {
	case c.user != nil:
		w.wrongLocked("%v is on its way to %v, and %v has it", c, by, c.user)
	case c.closes > 0 || c.hijacked || c.left:
		w.wrongLocked("%v is lent to %v, and has left the pool", c, by)
	case c.unfit != "":
		w.wrongLocked("%v is lent to %v after %s", c, by, c.unfit)
	case by != nil && c.generation < by.generation:
		w.wrongLocked("%v of generation %d is lent to %v, who came in generation %d", c, c.generation, by, by.generation)
	case w.cfg.MaxLifetime > 0 && now-c.born >= w.cfg.MaxLifetime:
		w.wrongLocked("%v is lent to %v at the age of %v", c, by, now-c.born)
	case w.cfg.Alive != nil && c.dead >= 0 && c.dead < now:
		w.wrongLocked("%v is lent to %v after it has died, and Alive knows", c, by)
	}
	if by == nil || by.kind == acquireIdle || w.cfg.Check == nil {
		return
	}
	if c.suspectLocked(w) {
		w.wrongLocked("%v is lent to %v unchecked, though suspect", c, by)
	}
	unproved := now - max(c.proved, c.returned)
	if w.cfg.CheckAfterIdle > 0 && unproved > w.cfg.CheckAfterIdle+2*w.period {
		w.wrongLocked("%v is lent to %v unchecked after %v", c, by, unproved)
	}
}

// giveUpLocked ends a lease in the books, before the pool is told. why is set if
// the connection must not be lent again.
func (w *world) giveUpLocked(h *hold, why string) {
	delete(w.mu.holds, h)
	w.moveLocked()
	w.mu.leaks = w.mu.leaks.plus(w.leaksOf(h))
	h.conn.user, h.conn.returned = nil, w.now()
	if why != "" {
		h.conn.unfit = why
	}
}

// doubt is reason to check every connection that was last proved before then. It
// was given at some instant, and counts from the next: within one, nobody can
// tell what came first.
type doubt struct{ at, then time.Duration }

func (w *world) doubt(then time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.doubtLocked(then)
}

func (w *world) doubtLocked(then time.Duration) {
	w.mu.doubts = append(w.mu.doubts, doubt{at: w.now(), then: then})
}

// suspectLocked reports whether the connection must be checked before it is
// lent: another one has been found dead since it was last proved.
func (c *conn) suspectLocked(w *world) bool {
	now := w.now()
	for _, d := range w.mu.doubts {
		if d.at < now && c.proved < d.then {
			return true
		}
	}
	return false
}

// foldDoubtsLocked keeps the one doubt that says it all.
func (w *world) foldDoubtsLocked() {
	var last doubt
	for _, d := range w.mu.doubts {
		last = doubt{at: max(last.at, d.at), then: max(last.then, d.then)}
	}
	w.mu.doubts = append(w.mu.doubts[:0], last)
}

// leaks says how many leases the pool must have reported by now, and how many
// it may have.
type leaks struct{ must, may uint64 }

func (l leaks) plus(more leaks) leaks { return leaks{l.must + more.must, l.may + more.may} }

// leaksOf says the same of one lease. Ages are lower bounds, to a few looks of
// the pool.
func (w *world) leaksOf(h *hold) (l leaks) {
	threshold := w.cfg.LeakThreshold
	if threshold < 0 {
		return l
	}
	held := w.now() - h.since
	if h.kept >= 0 {
		held = min(held, h.kept-h.since)
	}
	if held >= threshold {
		l.may = 1
	}
	if held >= threshold+3*w.period {
		l.must = 1
	}
	return l
}
