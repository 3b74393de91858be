// Package slot holds the one word that decides everything about a slot of the
// pool. Lists of slot numbers only hint where to look: who wants to lend, check
// or close a slot must win the compare-and-swap on its word.
//
// The word, bit by bit:
//
//	 0..2   the state
//	 3..15  the flags
//	16..63  the turn
//
// The turn goes up by one at each lend and at each end of a lease, and by two
// at each opening, so it is odd exactly while leased, and half of it counts
// leases and openings. It is never reset. After 2^47 leases of one slot (a month
// without pause at 17 ns each) it wraps; a stale lease could act again only if
// it had been kept for exactly that many.
package slot

import "github.com/connpool/connpool/internal/explore"

// State is what a slot is doing.
type State uint8

// The states. The diagram in the root package's doc.go shows the moves between
// them.
const (
	Empty     State = iota // no connection, and none on its way
	Opening                // a dial is under way
	Idle                   // may be lent
	Leased                 // a caller has it
	Resetting              // its lease has ended, it is being made fit to be lent again
	Checking               // a check is under way
	Closing                // its connection is being closed
)

// Flags. A flag in a word makes the plain compare-and-swaps of the common path
// fail, so that path never looks for rare conditions: they find it.
const (
	// Listed is set while the slot's number is in the idle list, or in the hands
	// of who is putting it there or has just taken it. Only who pushes the number
	// sets it and only who pops it clears it; every other move keeps it, lending
	// included. So a number is never listed twice.
	Listed Word = 1 << (stateBits + iota)

	// Aside is the same for the list of slots that are due for a check. A number
	// may be in both: of one that was proved, or opened anew, where it lay aside.
	Aside

	Due      // idle for long enough to be checked before it is lent
	Suspect  // as Due, after another connection was found dead: better dial than count on it
	Fresh    // dialled or checked a moment ago: "cannot tell" from Alive passes
	Quiet    // not moved since the last sweep: the next move wakes the sweep
	Recorded // the lease's start and stack are written down beside the word
	Leaked   // the lease was reported as a suspected leak
	Kept     // the lease is meant to be long: no leak report

	Retired // to be closed: replaced on request
	Expired // to be closed: too old
	Surplus // to be closed if still more than the limit are open
	Shut    // to be closed: the pool is closed
)

// Doomed are the flags with which a connection is never lent again.
const Doomed = Retired | Expired | Surplus | Shut

// Unproved are the flags with which a connection is checked before it is lent.
const Unproved = Due | Suspect

const (
	stateBits = 3
	turnShift = 16

	stateMask = 1<<stateBits - 1
	flagMask  = 1<<turnShift - 1 - stateMask
	oneTurn   = Word(1) << turnShift

	// flags that tell where the slot's number lies
	listing = Listed | Aside

	// flags that outlive a lease
	lasting = listing | Unproved | Doomed
)

// Word is one value of a slot's word.
type Word uint64

// At returns the word of an empty slot at a turn, which must be even.
func At(turn uint64) Word { return Word(turn) << turnShift }

// State returns what the slot is doing.
func (w Word) State() State { return State(w & stateMask) }

// Turn returns the slot's turn.
func (w Word) Turn() uint64 { return uint64(w >> turnShift) }

// Has reports whether any of the flags is set.
func (w Word) Has(flags Word) bool { return w&flags != 0 }

// With returns the word with the flags set.
func (w Word) With(flags Word) Word { return w | flags }

// Without returns the word with the flags cleared.
func (w Word) Without(flags Word) Word { return w &^ flags }

// To returns the word in another state, within the same turn and with the same
// flags.
func (w Word) To(s State) Word { return w&^stateMask | Word(s) }

// Open returns the word of an empty slot as it starts to open.
func (w Word) Open() Word {
	return (w&^(stateMask|flagMask) + 2*oneTurn) | w&listing | Word(Opening)
}

// Plain reports whether the slot is idle and listed with nothing else to be said
// of it: the only word that the common path lends.
func (w Word) Plain() bool { return w&(stateMask|flagMask&^Aside) == Word(Idle)|Listed }

// Lend returns the word of an idle slot as it is lent. One that is lent without
// the check that was due stays due.
func (w Word) Lend() Word {
	return (w&^(stateMask|flagMask) + oneTurn) | w&(listing|Fresh|Unproved) | Word(Leased)
}

// Back returns the word of a lease with no flag but those of the lists as it ends
// and its slot is idle and listed.
func (w Word) Back() Word { return (w + (oneTurn + Word(Idle) - Word(Leased))) | Listed }

// End returns the word of a lease as it ends and goes to another state.
func (w Word) End(s State) Word {
	return (w&^(stateMask|flagMask) + oneTurn) | w&lasting | Word(s)
}

// Vacate returns the word of a slot whose connection has left it.
func (w Word) Vacate() Word { return w&^(stateMask|flagMask) | w&listing }

// Lease returns the word of a lease with no flag but those of the lists: what
// names it, and what it is as long as nothing is to be said of it.
func (w Word) Lease() Word { return w &^ (flagMask &^ listing) }

// Same reports whether both words are of one turn and state, whatever their
// flags.
func (w Word) Same(v Word) bool { return (w^v)&^flagMask == 0 }

// Cell is a slot's word in memory. The zero Cell is an empty slot at turn 0.
type Cell struct{ v explore.Uint64 }

// Load returns the word.
func (c *Cell) Load() Word { return Word(c.v.Load()) }

// CAS replaces the word old by its successor and reports whether it was still
// there.
func (c *Cell) CAS(old, next Word) bool { return c.v.CompareAndSwap(uint64(old), uint64(next)) }

// Store sets the word of a slot that nobody else knows yet.
func (c *Cell) Store(w Word) { c.v.Store(uint64(w)) }

// Mark sets flags unless the slot is empty, and returns the word as it is then.
// It is how rare conditions reach a slot whatever it is doing: the plain
// compare-and-swap of whoever is at work on it then fails.
func (c *Cell) Mark(flags Word) Word {
	for {
		w := c.Load()
		if w.State() == Empty || w&flags == flags {
			return w
		}
		if c.CAS(w, w|flags) {
			return w | flags
		}
	}
}

// Unmark clears flags and returns the word as it is then.
func (c *Cell) Unmark(flags Word) Word {
	for {
		w := c.Load()
		if w&flags == 0 {
			return w
		}
		if c.CAS(w, w&^flags) {
			return w &^ flags
		}
	}
}

// Leases returns how many leases have begun and ended between two turns of one
// slot, openings included (an opening counts as one). Turns may wrap in between.
func Leases(from, to uint64) uint64 {
	const turnMask = 1<<(64-turnShift) - 1
	return ((to - from) & turnMask) / 2
}
