package connpool

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/connpool/connpool/internal/slot"
)

// Budget caps several pools together: a connection is opened only with one of
// its units, and returns the unit when it is closed. While units are short they
// go round to the pools with callers that wait, in turn. A pool with idle
// connections gives one up to a pool that waits, even below its MinSize, and a
// pool that holds more than an even share of the units gives up connections as
// they return, even if callers of its own wait: a busy pool cannot starve the
// others.
//
// A Budget is safe for concurrent use and must not be copied. Pools join it
// through Config.Budget and leave it when they are closed.
type Budget struct {
	units int

	mu struct {
		sync.Mutex
		used     int
		members  map[member]*account
		waiting  []member // with callers that wait for a unit, in turn
		hopeful  []member // that would fill a minimum
		yielding int      // connections being closed for a pool that waits
	}
}

// member is a pool, as its Budget sees it. The Budget calls none of these with
// its lock held.
type member interface {
	offer() bool         // uses a unit, if one is still wanted
	yield() bool         // closes an idle connection, if there is one
	demand() int         // callers that wait
	heedBudget(on bool)  // sets or clears the gate's bit; may be called with the lock held
	inBackground(func()) // runs f on a goroutine of the pool's; the same
}

// account is what a Budget knows of one member.
type account struct {
	held int
	left bool // the pool is closed; the account goes with its last unit
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
	m.heedBudget(len(b.mu.waiting) > 0)
}

// leave takes a closed pool out of the queues. Its units return as its
// connections close.
func (b *Budget) leave(m member) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.waiting = without(b.mu.waiting, m)
	b.mu.hopeful = without(b.mu.hopeful, m)
	b.heedLocked()
	b.mu.members[m].left = true
	b.givenBackLocked(m, 0)
}

// givenBackLocked takes units off a member's account.
func (b *Budget) givenBackLocked(m member, units int) {
	a := b.mu.members[m]
	if a.held -= units; a.left && a.held == 0 {
		delete(b.mu.members, m)
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
	switch {
	case b.mu.used < b.units && len(b.mu.waiting) == 0:
		b.mu.used++
		b.mu.members[m].held++
		return true
	case m.demand() == 0:
		if !slices.Contains(b.mu.hopeful, m) {
			b.mu.hopeful = append(b.mu.hopeful, m)
		}
	case !slices.Contains(b.mu.waiting, m):
		b.mu.waiting = append(b.mu.waiting, m)
		b.heedLocked()
		m.inBackground(b.squeeze)
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
		b.mu.waiting = without(b.mu.waiting, m)
		b.heedLocked()
	case len(b.mu.hopeful) > 0:
		m, b.mu.hopeful = b.mu.hopeful[0], b.mu.hopeful[1:]
	default:
		b.mu.used--
		return nil
	}
	b.mu.members[m].held++
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
func (b *Budget) shareLocked() int {
	users := 0
	for m, a := range b.mu.members {
		if a.held > 0 || slices.Contains(b.mu.waiting, m) {
			users++
		}
	}
	return max(1, b.units/max(1, users))
}

// heedLocked tells the pools whether any of them waits, so that each looks here
// after a connection has returned.
func (b *Budget) heedLocked() {
	for m := range b.mu.members {
		m.heedBudget(len(b.mu.waiting) > 0)
	}
}

// collect has m, to which a connection has just returned, close an idle one if
// another pool waits that needs it more.
func (b *Budget) collect(m member) {
	b.mu.Lock()
	owes := len(b.mu.waiting) > b.mu.yielding && b.owesLocked(m)
	if owes {
		b.mu.yielding++
	}
	b.mu.Unlock()
	if owes && !m.yield() {
		b.unyield()
	}
}

func (b *Budget) owesLocked(m member) bool {
	needy := b.neediestLocked()
	switch share := b.shareLocked(); {
	case needy == m:
		return false
	case m.demand() == 0:
		return true
	default:
		return b.mu.members[m].held > share && b.mu.members[needy].held < share
	}
}

func (b *Budget) unyield() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.yielding = max(0, b.mu.yielding-1)
}

// squeeze has pools with idle connections close as many of them as pools wait,
// those first that hold most.
func (b *Budget) squeeze() {
	for _, m := range b.richest() {
		for b.claimYield(m) {
			if !m.yield() {
				b.unyield()
				break
			}
		}
	}
}

func (b *Budget) richest() []member {
	b.mu.Lock()
	defer b.mu.Unlock()
	held := func(m member) int { return b.mu.members[m].held }
	return slices.SortedFunc(maps.Keys(b.mu.members), func(m, n member) int { return held(n) - held(m) })
}

// claimYield reports whether one more connection should be closed for those who
// wait, by m.
func (b *Budget) claimYield(m member) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.mu.waiting) <= b.mu.yielding || m.demand() > 0 {
		return false
	}
	b.mu.yielding++
	return true
}

// A pool is a member of its Budget.

func (p *Pool[T]) demand() int           { return p.queue.Len() }
func (p *Pool[T]) heedBudget(on bool)    { p.gate.Set(gateBudget, on) }
func (p *Pool[T]) inBackground(f func()) { p.event(f) }

func (p *Pool[T]) offer() bool {
	p.mu.Lock()
	now := p.now()
	wanted := p.mu.connecting < p.wantedLocked() && p.mayDialLocked(now)
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

func (p *Pool[T]) yield() bool {
	var claimed *seat[T]
	p.mu.Lock()
	p.eachLocked(func(s *seat[T]) {
		if claimed == nil && s.claimIdle(s.word.Load(), slot.Closing) {
			claimed = s
		}
	})
	p.mu.Unlock()
	if claimed == nil {
		return false
	}
	p.shut(claimed, ClosedResized, nil)
	return true
}
