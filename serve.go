package connpool

import (
	"github.com/connpool/connpool/internal/callers"
	"github.com/connpool/connpool/internal/idle"
	"github.com/connpool/connpool/internal/slot"
	"github.com/connpool/connpool/internal/waitq"
)

// fate is what came of taking a number from the idle list. Whatever it is, the
// taker owns the slot then.
type fate int

const (
	none    fate = iota // the list is empty
	taken               // leased
	toCheck             // in state checking
	toClose             // in state closing
	passed              // it was not idle: the number was out of date
	aside               // it must be checked first: its number moves to due
	known               // the same, and its number is there already
)

// unproved says what to do when there are only slots that are due for a check.
type unproved int

const (
	takeAsIs unproved = iota
	leaveThem
	checkFirst
)

// serve brings together callers that wait and what is idle, head of the queue
// first, until either has run out; then the dial rule decides, and the Budget may
// have what is left. It is the only place where a waiter gets a connection.
//
// Seam 23: what a pool owes its Budget depends on its own callers, which may be
// served or gone before it is acted on. So the Budget is asked once more here,
// when the queue has been looked at, for a connection that was kept for them.
func (p *Pool[T]) serve() {
	p.match()
	p.grow()
	if !p.idle.Empty() || !p.due.Empty() {
		p.heed()
	}
}

// match grants idle connections to waiters.
//
// Seam 2: the slot is leased by a compare-and-swap before it is granted, so the
// sweep cannot claim it on its way. Seam 17: Match tests for a pause under the
// queue's lock.
func (p *Pool[T]) match() {
	for !p.idle.Empty() || !p.due.Empty() {
		var s *seat[T]
		var w slot.Word
		var how unproved
		fate := none
		waiter := p.queue.Match(func(head *waitq.Waiter) bool {
			how = p.dueForWaiters()
			s, w, fate = p.take(nil, head.Tag.(*caller).stack, how)
			return fate == taken
		})
		switch {
		case waiter != nil:
			waiter.Wake(waitq.Grant{Number: s.n, Word: uint64(w)})
		case fate != none:
			p.dispose(s, w, fate)
		case how == leaveThem && p.dueForWaiters() == checkFirst:
			// Seam 21: a check has ended, or a waiter joined, that may have looked at the
			// lists while a number was on its way from one to the other. The numbers are
			// listed before the counts are read here, and there the other way round, so
			// one of the two looks again.
		default:
			return
		}
	}
}

// dueForWaiters says what serve does with slots that have to be checked: they are
// of no use while as many checks are under way as callers wait.
func (p *Pool[T]) dueForWaiters() unproved {
	if int64(p.queue.Len()) <= p.coming.Load() {
		return leaveThem
	}
	return checkFirst
}

// take takes an idle slot, or first if that is not nil, and makes it the
// caller's by its word: a proved one if there is any, else one that is due for a
// check, as how says.
//
// A due slot that is met on the way moves to a list of its own, so that each is
// met once however many there are, and none hides a proved one. It is in neither
// list for a moment, so the caller must look again afterwards: serve at the counts
// by which it has left such slots alone, and all others at the gate, as after
// every push.
func (p *Pool[T]) take(first *seat[T], stack *callers.Stack, how unproved) (*seat[T], slot.Word, fate) {
	for s := first; ; s = nil {
		if s == nil {
			if s = p.pop(p.idle); s == nil {
				break
			}
		}
		switch w, fate := s.claim(slot.Listed, stack, min(how, leaveThem)); fate {
		case passed, known:
		case aside:
			p.due.Push(s.n)
		default:
			return s, w, fate
		}
	}
	for how != leaveThem {
		s := p.pop(p.due)
		if s == nil {
			break
		}
		if w, fate := s.claim(slot.Aside, stack, how); fate != passed {
			return s, w, fate
		}
	}
	return nil, 0, none
}

func (p *Pool[T]) pop(l *idle.List) *seat[T] {
	n, ok := l.Pop()
	if !ok {
		return nil
	}
	return p.seats.at(n)
}

// claim decides by its word what becomes of a slot whose number the caller has
// popped from the list that the flag tells, and clears that flag.
//
// Seam 5, the popper's half: a slot may be listed and not idle. The sweep, or a
// closer, claims a slot where it lies; who then pops the number only unlists it,
// and who finishes with the slot puts it back if it finds it unlisted. One that
// lies aside is put into the idle list nevertheless: it is proved now, and must
// not lie behind others that are not.
func (s *seat[T]) claim(list slot.Word, stack *callers.Stack, how unproved) (slot.Word, fate) {
	offered := false
	for {
		w := s.word.Load()
		next, fate := w.Without(list), passed
		switch {
		case w.State() != slot.Idle:
		case w.Has(slot.Doomed) || w.Has(slot.Quiet) && s.pool.now() >= s.expiry():
			next, fate = next.To(slot.Closing), toClose
		case w.Has(slot.Unproved) && how == leaveThem:
			next, fate = next.With(slot.Aside), aside
			if w.Has(slot.Aside) {
				fate = known
			}
		case w.Has(slot.Unproved) && how == checkFirst:
			next, fate = next.To(slot.Checking), toCheck
		default:
			if !offered { // it counts as an acquire once its borrower has it
				offered = true
				s.pool.count.withdrawn.Add(1)
			}
			next, fate = s.lease(next, stack), taken
		}
		if s.word.CAS(w, next) {
			if offered && fate != taken {
				s.pool.count.withdrawn.Add(^uint64(0))
			}
			if fate == aside || fate == known {
				return next, fate // still idle
			}
			if fate != passed {
				s.pool.idled(-1)
			}
			if w.Has(slot.Quiet | slot.Due) {
				s.pool.stir()
			}
			return next, fate
		}
	}
}

// lease returns the word with which the slot is lent, having written down what
// goes beside it, which is always done for those who have waited: the caller
// holds the slot's number, so nobody else writes.
func (s *seat[T]) lease(w slot.Word, stack *callers.Stack) slot.Word {
	p := s.pool
	if stack == nil && !p.cfg.Trace.follows() && p.gate.Load()&waitq.Waiting == 0 {
		return w.Lend()
	}
	s.since.Store(int64(p.now()))
	s.stack.Store(stack)
	return w.Lend().With(slot.Recorded)
}

// dispose acts on the fate of a taken slot that cannot be lent.
func (p *Pool[T]) dispose(s *seat[T], w slot.Word, fate fate) {
	switch fate {
	case toClose:
		p.shut(s, doom(w), nil)
	case toCheck:
		p.check(s, w)
	}
}

// doom returns why a connection with a doomed word is closed. An idle one that
// is not marked has just been found too old.
func doom(w slot.Word) CloseReason {
	switch {
	case w.Has(slot.Shut):
		return ClosedPool
	case w.Has(slot.Retired):
		return ClosedRetired
	case w.Has(slot.Surplus):
		return ClosedResized
	}
	return ClosedLifetime
}

// publish makes a slot that the caller owns idle, for the head of the queue or
// for whoever comes, or closes it if it is doomed. proof is slot.Fresh after a
// dial or a round trip, and 0 otherwise.
//
// Seam 9: Close, Retire, Resize and the sweep mark words whatever their state,
// so the compare-and-swap of a dial or a check that was under way fails, and the
// mark is seen here. Nobody tests anything and publishes afterwards.
func (p *Pool[T]) publish(s *seat[T], proof slot.Word) {
	for {
		w := s.word.Load()
		if w.Has(slot.Doomed) && p.condemned(s, w) {
			p.shut(s, doom(w), nil)
			return
		}
		if w.Has(slot.Doomed) {
			continue // the mark has been cleared
		}
		if !p.roomForIdle() {
			p.shut(s, ClosedSurplus, nil)
			return
		}
		next := w.To(slot.Idle).With(slot.Listed)
		if proof != 0 {
			next = next.Without(slot.Unproved).With(p.fresh())
		}
		if s.word.CAS(w, next) {
			p.list(s, w)
			return
		}
		p.idled(-1)
	}
}

// list puts an idle slot's number into the idle list, unless it is still there,
// and looks for who waits for it.
//
// Seam 5, the finisher's half, and seam 1, the releaser's: push, then look at
// the gate, then serve.
func (p *Pool[T]) list(s *seat[T], before slot.Word) {
	if !before.Has(slot.Listed) {
		p.idle.Push(s.n)
	}
	p.look()
	p.trim()
}

// trim closes what is idle above MaxIdle: what was let in for a caller that has
// given up, or got another.
//
// Seam 22: a releaser trims after the look that has served the queue, and a caller
// trims after it has left the queue. The one counts and then looks at the queue, the
// other the other way round, so one of them sees that the connection is for nobody.
// A caller that joins later takes from the list before it sleeps.
func (p *Pool[T]) trim() {
	if p.cfg.MaxIdle == 0 || !p.crowded(p.idleCount.Load()) {
		return
	}
	var claimed []*seat[T]
	p.mu.Lock()
	p.eachLocked(func(s *seat[T]) {
		if p.crowded(p.idleCount.Load()) && s.claimIdle(s.word.Load(), slot.Closing) {
			claimed = append(claimed, s)
		}
	})
	p.mu.Unlock()
	for _, s := range claimed {
		p.shut(s, ClosedSurplus, nil)
	}
}

// crowded reports whether so many idle connections are more than MaxIdle and one
// for each caller that waits and may be granted it.
func (p *Pool[T]) crowded(idle int64) bool {
	surplus := idle - int64(max(p.cfg.MaxIdle, 0))
	return p.cfg.MaxIdle != 0 && surplus > 0 && (surplus > int64(p.queue.Len()) || p.paused())
}

// look serves whoever the gate says is waiting. It follows every push: looked at
// before it, the gate may be clear for a waiter that finds the list still empty
// and then sleeps for ever.
func (p *Pool[T]) look() {
	gate := p.gate.Load()
	if gate&gateSettled != 0 {
		p.announce()
	}
	p.heed()
	if gate&waitq.Waiting != 0 {
		p.serve()
	}
}

// heed lets the pool give a connection up if its Budget has another pool wait.
func (p *Pool[T]) heed() {
	if p.gate.Load()&gateBudget != 0 {
		p.cfg.Budget.collect(p)
	}
}

// fresh is the mark of a connection that a round trip has just proved: needed
// only where Alive may be unsure.
func (p *Pool[T]) fresh() slot.Word {
	if p.cfg.Alive == nil {
		return 0
	}
	return slot.Fresh
}

// roomForIdle counts one more idle connection, unless MaxIdle are idle and
// nobody waits for one.
func (p *Pool[T]) roomForIdle() bool {
	if !p.counted {
		return true
	}
	for {
		n := p.idleCount.Load()
		if p.crowded(n + 1) {
			return false
		}
		if p.idleCount.CompareAndSwap(n, n+1) { // never one too many, for which trim would close another
			return true
		}
	}
}

// idled counts idle connections where MinIdle or MaxIdle needs the number.
func (p *Pool[T]) idled(n int64) {
	if p.counted {
		p.idleCount.Add(n)
	}
}

// withdraw takes back a lease that its borrower never got to see.
func (p *Pool[T]) withdraw(g waitq.Grant) {
	lease := Lease[T]{seat: p.seats.at(g.Number), word: slot.Word(g.Word).Lease()}
	if was, ok := lease.end(slot.Resetting); ok {
		lease.seat.erase(was)
		p.publish(lease.seat, 0)
	}
}
