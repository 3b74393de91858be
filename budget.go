package connpool

import (
	"fmt"
	"slices"
	"time"

	"github.com/connpool/connpool/internal/explore"
	"github.com/connpool/connpool/internal/slot"
)

// Budget caps several pools together: a connection is opened only with one of
// its units, and returns the unit when it is closed. While units are short they
// go round to the pools with callers that wait, in turn. Pools give connections up
// to a pool that waits, even below their MinSize: to one that has none, or two
// fewer than they, as soon as a connection returns, even if callers of their own
// wait, so a busy pool cannot starve the others; to any other, what has been idle
// for a moment. What two pools with equal shares both use stays where it is, since
// each trade costs a close and a dial. With fewer units than pools in need, every
// turn is such a trade.
//
// A Budget is safe for concurrent use and must not be copied. Pools join it
// through Config.Budget and leave it when they are closed.
type Budget struct {
	units int

	mu struct {
		explore.Mutex
		used     int
		members  map[member]*account
		order    []member // the same, as they joined
		users    int      // members that hold a unit, or wait for one
		waiting  []member // with callers that wait for a unit, in turn
		hopeful  []member // that would fill a minimum
		yielding int      // connections being closed for a pool that waits
		relied   bool     // a claim was left out because of those
		again    bool     // squeeze will run again by itself
		sampled  bool     // a member has had a leak that nobody could name

		squeezing, resqueeze bool // squeeze is running, and has to start anew
	}
}

// member is a pool, as its Budget sees it. The Budget calls none of these with
// its lock held.
type member interface {
	offer() bool                         // uses a unit, if one is still wanted
	yield(rested bool) (gave, soon bool) // closes an idle connection; only one that has rested, or tells whether one may soon have
	demand() int                         // callers that wait for a connection that may be dialled
	heedBudget(on bool)                  // sets or clears the gate's bit; may be called with the lock held
	inBackground(func())                 // runs f on a goroutine of the pool's; the same
	sampleStacks() bool                  // has the next leak named; the same
}

// account is what a Budget knows of one member.
type account struct {
	held    int
	waiting bool // the pool is in Budget.mu.waiting
	left    bool // the pool is closed; the account goes with its last unit
}

// uses is 1 if the member holds a unit or waits for one.
func (a *account) uses() int {
	if a.held > 0 || a.waiting {
		return 1
	}
	return 0
}

// bookLocked changes a member's account.
func (b *Budget) bookLocked(a *account, units int, waiting bool) {
	b.mu.users -= a.uses()
	a.held, a.waiting = a.held+units, waiting
	b.mu.users += a.uses()
}

// NewBudget returns a budget of the given number of units, at least one.
// It panics on less: a budget of none would block its pools for ever.
func NewBudget(units int) *Budget {
	if units < 1 {
		panic(fmt.Sprintf("connpool: NewBudget(%d): a budget needs at least one unit", units))
	}
	b := &Budget{units: units}
	b.mu.members = make(map[member]*account)
	return b
}

func (b *Budget) join(m member) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.members[m] = &account{}
	b.mu.order = append(b.mu.order, m)
	m.heedBudget(len(b.mu.waiting) > 0)
	if b.mu.sampled {
		m.sampleStacks()
	}
}

// sampleStacks has all pools learn from the leak of one: they are mostly of one
// program's code, and each of many may have its first leak.
func (b *Budget) sampleStacks() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.sampled = true
	for m := range b.mu.members {
		m.sampleStacks()
	}
}

// leave takes a closed pool out of the queues. Its units return as its
// connections close.
func (b *Budget) leave(m member) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dropLocked(m)
	b.mu.hopeful = without(b.mu.hopeful, m)
	b.mu.members[m].left = true
	b.givenBackLocked(m, 0)
}

// givenBackLocked takes units off a member's account.
func (b *Budget) givenBackLocked(m member, units int) {
	a := b.mu.members[m]
	b.bookLocked(a, -units, a.waiting)
	if a.left && a.held == 0 {
		delete(b.mu.members, m)
		b.mu.order = without(b.mu.order, m)
	}
}

func without(queue []member, m member) []member {
	return slices.DeleteFunc(queue, func(other member) bool { return other == m })
}

// take takes a unit for m to dial with. If there is none it has m wait for one,
// and reports false. It is called with m's lock held.
func (b *Budget) take(m member) bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.mu.members[m]
	switch {
	case b.mu.used < b.units && len(b.mu.waiting) == 0:
		b.mu.used++
		b.bookLocked(a, 1, a.waiting)
		return true
	case m.demand() == 0:
		if !slices.Contains(b.mu.hopeful, m) {
			b.mu.hopeful = append(b.mu.hopeful, m)
		}
	case !a.waiting:
		b.waitLocked(m)
		b.squeezeSoonLocked()
	}
	return false
}

// put returns a unit of m's, and passes it on to the first pool that still
// wants one.
func (b *Budget) put(m member) {
	if b == nil {
		return
	}
	b.giveBack(m)
	for next := b.next(); next != nil && !next.offer(); next = b.next() {
		b.giveBack(next)
	}
}

func (b *Budget) giveBack(m member) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.givenBackLocked(m, 1)
}

// next passes the unit in hand to the pool whose turn it is, or back to the
// budget, and then returns nil.
func (b *Budget) next() (m member) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.yielding = max(0, b.mu.yielding-1)
	switch {
	case len(b.mu.waiting) > 0:
		m = b.neediestLocked()
		b.dropLocked(m)
	case len(b.mu.hopeful) > 0:
		m, b.mu.hopeful = b.mu.hopeful[0], b.mu.hopeful[1:]
	default:
		b.mu.used--
		return nil
	}
	b.bookLocked(b.mu.members[m], 1, false)
	return m
}

// neediestLocked returns the first pool that waits and holds less than an even
// share, or if all have theirs, the first that waits.
func (b *Budget) neediestLocked() member {
	share := b.shareLocked()
	for _, m := range b.mu.waiting {
		if b.mu.members[m].held < share {
			return m
		}
	}
	return b.mu.waiting[0]
}

// shareLocked returns an even share of the units among the pools that use the
// budget now.
func (b *Budget) shareLocked() int { return max(1, b.units/max(1, b.mu.users)) }

// waitLocked puts m at the end of those who wait, and dropLocked takes it out.
func (b *Budget) waitLocked(m member) {
	b.bookLocked(b.mu.members[m], 0, true)
	b.mu.waiting = append(b.mu.waiting, m)
	if len(b.mu.waiting) == 1 {
		b.heedLocked()
	}
}

func (b *Budget) dropLocked(m member) {
	a := b.mu.members[m]
	if !a.waiting {
		return
	}
	b.bookLocked(a, 0, false)
	b.mu.waiting = without(b.mu.waiting, m)
	if len(b.mu.waiting) == 0 {
		b.heedLocked()
	}
}

// heedLocked tells the pools whether any of them waits, so that each looks here
// after a connection has returned.
func (b *Budget) heedLocked() {
	for _, m := range b.mu.order {
		m.heedBudget(len(b.mu.waiting) > 0)
	}
}

// collect has m, to which a connection has just returned, give one up if another
// pool waits that needs it more.
func (b *Budget) collect(m member) {
	if _, soon := b.press(m); soon {
		b.squeezeLater()
	}
}

// press has m give up a connection, if another pool waits that it owes one.
func (b *Budget) press(m member) (gave, soon bool) {
	rested, owes := b.claim(m)
	if !owes {
		return false, false
	}
	if gave, soon = m.yield(rested); !gave {
		b.unclaim()
	}
	return gave, soon
}

// claim reports whether one more connection should be closed for those who wait,
// by m, and whether only one that has rested: a pool that just finds its
// connections idle when it comes for them would come straight back for the unit.
func (b *Budget) claim(m member) (rested, owes bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pruneLocked()
	if len(b.mu.waiting) <= b.mu.yielding {
		b.mu.relied = b.mu.relied || b.mu.yielding > 0
		return false, false
	}
	if b.neediestLocked() == m {
		return false, false
	}
	b.mu.yielding++
	mine, theirs := b.mu.members[m], b.mu.members[b.neediestLocked()]
	switch {
	case mine == nil: // closed
		return true, true
	case theirs.held == 0 || mine.held > theirs.held+1:
		return false, true
	}
	return m.demand() > 0 || mine.held <= theirs.held, true
}

// pruneLocked drops the pools whose callers have gone or been served. They may
// still want to fill a minimum.
func (b *Budget) pruneLocked() {
	before := len(b.mu.waiting)
	b.mu.waiting = slices.DeleteFunc(b.mu.waiting, func(m member) bool {
		if m.demand() > 0 {
			return false
		}
		b.bookLocked(b.mu.members[m], 0, false)
		if !slices.Contains(b.mu.hopeful, m) {
			b.mu.hopeful = append(b.mu.hopeful, m)
		}
		return true
	})
	if before > 0 && len(b.mu.waiting) == 0 {
		b.heedLocked()
	}
}

// unclaim takes back a claim that came to nothing. Others may have been left out
// because of it, and whoever made them has passed by: so the pools are asked anew.
func (b *Budget) unclaim() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.yielding = max(0, b.mu.yielding-1)
	if b.mu.relied && len(b.mu.waiting) > b.mu.yielding {
		b.mu.relied = false
		b.squeezeSoonLocked()
	}
}

// squeezeSoonLocked has squeeze run in the background, or start anew if it is
// running.
func (b *Budget) squeezeSoonLocked() {
	switch {
	case b.mu.squeezing:
		b.mu.resqueeze = true
	case len(b.mu.waiting) > 0:
		b.mu.squeezing = true
		b.mu.waiting[0].inBackground(b.squeeze)
	}
}

// squeeze has pools give up as many connections as pools wait. It runs once at a
// time.
func (b *Budget) squeeze() {
	for again := true; again; {
		b.pass()
		b.mu.Lock()
		again = b.mu.resqueeze
		b.mu.resqueeze = false
		b.mu.squeezing = again
		b.mu.Unlock()
	}
}

// pass asks the pools, those first that hold most.
func (b *Budget) pass() {
	again := false
	for _, m := range b.richest() {
		gave, soon := true, false
		for gave {
			gave, soon = b.press(m)
		}
		again = again || soon
	}
	if again {
		b.squeezeLater()
	}
}

// rest is how long a connection is idle before a pool that is no richer gives it
// up: longer than the gap between two leases of a busy one, shorter than a caller
// minds.
const rest = 50 * time.Millisecond

// squeezeLater squeezes again once connections that are idle now have rested.
func (b *Budget) squeezeLater() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.again {
		return
	}
	b.mu.again = true
	explore.AfterFunc(rest, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.mu.again = false
		b.squeezeSoonLocked()
	})
}

func (b *Budget) richest() []member {
	b.mu.Lock()
	defer b.mu.Unlock()
	held := func(m member) int { return b.mu.members[m].held }
	rich := slices.Clone(b.mu.order)
	slices.SortStableFunc(rich, func(m, n member) int { return held(n) - held(m) })
	return rich
}

// A pool is a member of its Budget.

// demand counts, beside those who wait, one for all whom an outage has refused
// since the last dial that succeeded: the prober needs a unit too.
func (p *Pool[T]) demand() int {
	switch n := p.queue.Len(); {
	case p.paused():
		return 0
	case n == 0 && p.refused.Load():
		return 1
	default:
		return n
	}
}

func (p *Pool[T]) heedBudget(on bool) { p.gate.Set(gateBudget, on) }

func (p *Pool[T]) offer() bool {
	p.mu.Lock()
	now := p.now()
	wanted := p.wantsDialLocked(now)
	if wanted {
		p.dialLocked(now)
		p.noteLocked()
	}
	p.mu.Unlock()
	if wanted {
		p.grow() // more may be wanted: back into the queue, at its end
	}
	return wanted
}

func (p *Pool[T]) yield(rested bool) (gave, soon bool) {
	var claimed *seat[T]
	p.mu.Lock()
	now := p.now()
	p.eachLocked(func(s *seat[T]) {
		w := s.word.Load()
		switch {
		case claimed != nil || w.State() != slot.Idle:
		case s.uses(w) == 0 && p.demand() > 0: // just dialled, for a waiter
		case rested && !s.restedLocked(w, now):
			soon = true
		case s.claimIdle(w, slot.Closing):
			claimed = s
		}
	})
	p.mu.Unlock()
	if claimed == nil {
		return false, soon
	}
	p.shut(claimed, ClosedResized, nil)
	return true, false
}

// restedLocked reports whether an idle slot has not moved for a while, as far as
// the sweeps and calls of this function have seen.
func (s *seat[T]) restedLocked(w slot.Word, now time.Duration) bool {
	if s.seenTurn != w.Turn() {
		s.seenTurn, s.seenAt = w.Turn(), now
	}
	return now-s.seenAt >= rest
}
