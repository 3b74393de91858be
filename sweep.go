package connpool

import (
	"math/rand/v2"
	"time"

	"github.com/connpool/connpool/internal/slot"
)

// The sweep observes what the common path does not write down. A slot whose turn
// has not moved since a sweep saw it first has been idle, or leased, ever since:
// so ages are lower bounds, known to within a period.
//
// It ticks with the period while slots move. One that has not moved is marked
// quiet, which sends its next move down the slow path to stir the sweep; when
// all are, the sweep sleeps until the next limit comes due. A pool at rest wakes
// nothing.

// sweepState is what one sweep leaves for the next; guarded by Pool.mu.
type sweepState struct {
	at   time.Duration // when it ran
	wall time.Time     // the same by the wall clock
}

// census is what a sweep counts before it judges.
type census struct {
	now          time.Duration
	idle, leased int
	open         int // less what this sweep has decided to close
	checks       int // background checks that may still be started
	leaving      int
	next         time.Duration // when the next sweep is due
}

// chores are what a sweep has claimed, to be done once it has unlocked.
type chores[T any] struct {
	close []closing[T]
	check []*seat[T]
	leaks []Leak
}

type closing[T any] struct {
	seat *seat[T]
	why  CloseReason
}

// sweepPeriod returns the time between sweeps: a quarter of the shortest limit.
func (c *Config[T]) sweepPeriod() time.Duration {
	shortest := min(c.CheckAfterIdle, c.CheckInterval, c.IdleTimeout, c.MaxLifetime, c.LeakThreshold)
	return max(min(shortest, maxPeriod)/4, minPeriod)
}

// A sweep of 100,000 slots takes about a millisecond, so it is not worth its
// while to run it more often than that; and once a minute costs nothing even
// where every limit is off, which keeps the counters of turns from wrapping and
// notices a suspended machine.
const (
	minPeriod = time.Millisecond
	maxPeriod = 4 * time.Minute
)

// stir makes the sweep tick again if it sleeps.
func (p *Pool[T]) stir() { p.sweeper.By(p.now() + p.period) }

// sweep looks at every slot once. It claims under the lock, by compare-and-swap
// from the very word that it judged, and acts after it.
func (p *Pool[T]) sweep(due time.Duration) {
	p.mu.Lock()
	if p.mu.closed {
		p.mu.Unlock()
		return
	}
	c := p.censusLocked()
	if p.jumpedLocked(c.now, due) {
		p.eachLocked(func(s *seat[T]) { p.excuse(s, c.now) })
	}
	var todo chores[T]
	p.eachLocked(func(s *seat[T]) { p.judge(s, &c, &todo) })
	p.mu.leaving = c.leaving
	p.mu.sweep = sweepState{at: c.now, wall: time.Now()}
	p.relaxLocked(&c)
	p.mu.Unlock()

	p.do(todo)
	// Cells are emptied so that what they hold ages in order. Each number is in
	// neither cell nor stack for a moment, so look for who went to sleep in it.
	p.idle.Settle()
	p.look()
	p.grow()
	p.sweeper.By(c.next)
}

func (p *Pool[T]) censusLocked() census {
	c := census{now: p.now(), open: p.liveLocked(), next: off}
	checking := 0
	p.eachLocked(func(s *seat[T]) {
		w := s.word.Load()
		p.tallyLocked(s, w)
		switch w.State() {
		case slot.Idle:
			c.idle++
		case slot.Leased:
			c.leased++
		case slot.Checking:
			checking++
		}
	})
	c.checks = max(c.idle/4, 1) - checking
	if c.idle == 1 && p.queue.Len() > 0 {
		c.checks = 0 // the last one is for the caller that waits
	}
	return c
}

// judge decides what a slot needs, from its word and what is known beside it. A
// word that changes meanwhile is left for the next sweep.
func (p *Pool[T]) judge(s *seat[T], c *census, todo *chores[T]) {
	w := s.word.Load()
	if w.State() == slot.Closing {
		return // see closingSince
	}
	moved := w.Turn() != s.seenTurn
	if moved {
		s.seenTurn, s.seenAt = w.Turn(), c.now
	}
	left := s.expiry() - c.now
	switch w.State() {
	case slot.Idle:
		if p.claimed(s, w, left, c, todo) {
			return
		}
		p.scheduleIdle(s, c)
		p.markIdle(s, w, moved, c)
	case slot.Leased:
		if leak := p.judgeLeased(s, w, left, moved, c); leak != nil {
			todo.leaks = append(todo.leaks, *leak)
		}
	case slot.Resetting: // it will be idle without a mark, and stir nobody
		c.next = min(c.next, c.now+p.period)
		return
	default:
		return
	}
	p.countLeaving(left, c)
}

// claimed claims an idle slot whose time has come.
func (p *Pool[T]) claimed(s *seat[T], w slot.Word, left time.Duration, c *census, todo *chores[T]) bool {
	var why CloseReason
	switch {
	case left <= p.period: // it would be too old before the next sweep
		why = ClosedLifetime
	case p.spare(c) && c.now-s.seenAt >= p.cfg.IdleTimeout:
		why = ClosedIdle
	case c.checks > 0 && s.unproved(c.now) >= p.cfg.CheckInterval:
		if !s.claimIdle(w, slot.Checking) {
			return false
		}
		c.checks--
		todo.check = append(todo.check, s)
		return true
	default:
		return false
	}
	if !s.claimIdle(w, slot.Closing) {
		return false
	}
	c.idle--
	c.open--
	todo.close = append(todo.close, closing[T]{s, why})
	return true
}

// spare reports whether an idle connection is one more than the minimums ask for.
func (p *Pool[T]) spare(c *census) bool { return c.open > p.cfg.MinSize && c.idle > p.cfg.MinIdle }

// unproved returns how long an idle connection has neither been lent nor found
// working.
func (s *seat[T]) unproved(now time.Duration) time.Duration {
	return now - max(s.seenAt, time.Duration(s.checked.Load()))
}

// scheduleIdle sees to it that there is a sweep when the next limit of an idle
// slot comes due.
func (p *Pool[T]) scheduleIdle(s *seat[T], c *census) {
	if p.spare(c) {
		c.after(p.cfg.IdleTimeout, c.now-s.seenAt, p.period)
	}
	c.after(p.cfg.CheckInterval, s.unproved(c.now), p.period)
	c.after(s.expiry(), c.now+p.period, p.period)
}

// markIdle marks an idle slot due for a check, or quiet, and keeps the sweep
// ticking until it is one of them. A slot that moves just now had no mark that
// would have stirred the sweep, so the sweep has to come again for it.
func (p *Pool[T]) markIdle(s *seat[T], w slot.Word, moved bool, c *census) {
	marks := slot.Quiet
	switch {
	case w.Has(slot.Due):
		return
	case s.unproved(c.now) >= p.cfg.CheckAfterIdle:
		marks |= slot.Due
	case moved || p.cfg.CheckAfterIdle != off:
		c.next = min(c.next, c.now+p.period)
		return
	}
	if !s.word.CAS(w, w.With(marks).Without(slot.Fresh)) {
		c.next = min(c.next, c.now+p.period)
	}
}

// judgeLeased marks a lease whose connection is too old, and one that has not
// moved as quiet. It returns the leak if it has just found one.
func (p *Pool[T]) judgeLeased(s *seat[T], w slot.Word, left time.Duration, moved bool, c *census) *Leak {
	next, held := w, c.now-s.leasedSince(w)
	leaked := held >= p.cfg.LeakThreshold && !w.Has(slot.Leaked|slot.Kept)
	if left <= p.period { // it could be lent too old before the next sweep
		next = next.With(slot.Expired)
	} else {
		c.after(s.expiry(), c.now+p.period, p.period)
	}
	if moved {
		c.next = min(c.next, c.now+p.period)
	} else {
		next = next.With(slot.Quiet)
	}
	if leaked {
		s.leakID.Store(p.leakID.Add(1))
		next = next.With(slot.Leaked)
	} else if !w.Has(slot.Leaked | slot.Kept) {
		c.after(p.cfg.LeakThreshold, held, p.period)
	}
	if next != w && !s.word.CAS(w, next) {
		c.next = min(c.next, c.now+p.period) // as in markIdle
		return nil
	}
	if !leaked {
		return nil
	}
	return s.leak(w, held)
}

// after notes that a limit comes due once so much more time has passed, but no
// sooner than in a period.
func (c *census) after(limit, passed, period time.Duration) {
	if limit != off {
		c.next = min(c.next, c.now+max(limit-passed, period))
	}
}

// countLeaving counts the connections that are soon too old, so that the dial
// rule can have replacements open before they close where MinSize asks for them.
func (p *Pool[T]) countLeaving(left time.Duration, c *census) {
	if p.cfg.MinSize == 0 || p.cfg.MaxLifetime == off {
		return
	}
	lead := min(p.cfg.ConnectTimeout, p.cfg.MaxLifetime/20) + 2*p.period
	if left <= lead {
		c.leaving++
		return
	}
	c.after(left, lead, p.period)
}

func (p *Pool[T]) do(todo chores[T]) {
	for _, c := range todo.close {
		p.shut(c.seat, c.why, nil)
	}
	for _, s := range todo.check {
		// A caller that comes meanwhile dials, if it may: what has been silent for long
		// may be dead, and the check of a dead one lasts until its timeout.
		p.check(s, s.word.Load().With(slot.Suspect))
	}
	for _, leak := range todo.leaks {
		p.noteLeak(leak)
	}
}

// jumpedLocked reports whether the machine seems to have stood still: the sweep
// comes far too late, or the wall clock has gone on while the monotonic clock
// stood (a suspended laptop).
func (p *Pool[T]) jumpedLocked(now, due time.Duration) bool {
	last := p.mu.sweep
	slept := time.Duration(0)
	if !last.wall.IsZero() {
		slept = time.Now().Round(0).Sub(last.wall.Round(0)) - (now - last.at)
	}
	return max(now-due, slept) > max(standstill, 2*p.period)
}

// standstill is how late a sweep has to be to count as a jump in time. A machine
// under load is late by some tens of milliseconds; a mistake costs a Check of
// each idle connection.
const standstill = time.Second

// excuse takes the time that the machine stood still off what is held against
// an idle connection: it is checked before it is lent, and neither its idle time
// nor its age closes it together with all others.
func (p *Pool[T]) excuse(s *seat[T], now time.Duration) {
	w := s.word.Load()
	if w.State() != slot.Idle {
		return
	}
	s.seenAt = now
	if s.expiry() <= now+p.period {
		spread := max(p.cfg.LifetimeJitter, 2*p.period)
		s.expires.Store(int64(now + p.period + 1 + rand.N(spread)))
	}
	if p.cfg.Check != nil {
		s.word.CAS(w, w.With(slot.Due|slot.Quiet).Without(slot.Fresh))
	}
}
