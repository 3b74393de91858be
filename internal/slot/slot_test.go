package slot

import (
	"fmt"
	"math/bits"
	"testing"

	"github.com/stretchr/testify/require"
)

var states = []State{Empty, Opening, Idle, Leased, Resetting, Checking, Closing}

var flags = []Word{Listed, Aside, Due, Suspect, Fresh, Quiet, Recorded, Leaked, Kept, Retired, Expired, Surplus, Shut}

// turns lie at the beginning, in the middle and just below the wrap-around.
var turns = []uint64{0, 1, 2, 1<<32 - 1, 1 << 32, lastTurn - 2, lastTurn - 1, lastTurn}

const lastTurn = 1<<(64-turnShift) - 1

// word returns the word with a state, a turn and flags, made by hand.
func word(s State, turn uint64, flags Word) Word {
	return Word(turn&lastTurn)<<turnShift | flags | Word(s)
}

// eachFlags calls f with every set of flags.
func eachFlags(f func(set Word)) {
	for choice := range 1 << len(flags) {
		var set Word
		for i, flag := range flags {
			if choice&(1<<i) != 0 {
				set |= flag
			}
		}
		f(set)
	}
}

func TestStateFlagsAndTurnShareNoBit(t *testing.T) {
	for _, s := range states {
		require.Zero(t, Word(s)&^stateMask, "state %d", s)
	}
	seen := Word(0)
	for _, flag := range flags {
		require.Equal(t, 1, bits.OnesCount64(uint64(flag)))
		require.Zero(t, flag&seen)
		require.Zero(t, flag&^flagMask)
		seen |= flag
	}
	turnMask := Word(lastTurn) << turnShift
	require.Zero(t, Word(stateMask)&flagMask)
	require.Zero(t, turnMask&(stateMask|flagMask))
	require.Equal(t, ^Word(0), turnMask|stateMask|flagMask)
}

func TestAWordGivesBackWhatItWasMadeOf(t *testing.T) {
	for _, s := range states {
		for _, turn := range turns {
			eachFlags(func(set Word) {
				w := word(s, turn, set)
				if w.State() != s || w.Turn() != turn || w&flagMask != set {
					require.FailNow(t, "torn word", "%x", w)
				}
			})
		}
	}
}

func TestAnEmptySlotStartsWithNothingButItsTurn(t *testing.T) {
	for _, turn := range turns {
		require.Equal(t, word(Empty, turn, 0), At(turn))
	}
	require.Equal(t, At(0), new(Cell).Load())
}

// moves are the transitions: where each leads, by how many turns, and which of
// the flags it keeps.
var moves = []struct {
	promise string
	move    func(Word) Word
	to      State
	turns   uint64
	keeps   Word
}{
	{"opening keeps only where it lies, two turns on", Word.Open, Opening, 2, Listed | Aside},
	{"lending keeps where it lies and what is known of its health, a turn on", Word.Lend, Leased, 1, Listed | Aside | Fresh | Due | Suspect},
	{
		"a lease ends with its marks for the next user, a turn on",
		func(w Word) Word { return w.End(Resetting) },
		Resetting, 1, Listed | Aside | Due | Suspect | Retired | Expired | Surplus | Shut,
	},
	{
		"a destroyed lease ends with the same",
		func(w Word) Word { return w.End(Closing) },
		Closing, 1, Listed | Aside | Due | Suspect | Retired | Expired | Surplus | Shut,
	},
	{"vacating keeps only where it lies, in the same turn", Word.Vacate, Empty, 0, Listed | Aside},
	{"publishing keeps everything, in the same turn", func(w Word) Word { return w.To(Idle) }, Idle, 0, flagMask},
	{"checking keeps everything, in the same turn", func(w Word) Word { return w.To(Checking) }, Checking, 0, flagMask},
	{"closing keeps everything, in the same turn", func(w Word) Word { return w.To(Closing) }, Closing, 0, flagMask},
}

// Whatever a word holds: moves only look at what they keep, so they are tried
// from all states, the ones they do not start from included.
func TestEachMoveKeepsAndDropsWhatItSays(t *testing.T) {
	for _, m := range moves {
		t.Run(m.promise, func(t *testing.T) {
			for _, from := range states {
				for _, turn := range turns {
					eachFlags(func(set Word) {
						want := word(m.to, turn+m.turns, set&m.keeps)
						if got := m.move(word(from, turn, set)); got != want {
							require.Equal(t, fmt.Sprintf("%x", want), fmt.Sprintf("%x", got))
						}
					})
				}
			}
		})
	}
}

func TestBackIsTheEndOfALeaseThatListsTheSlot(t *testing.T) {
	for _, turn := range turns {
		for _, listed := range []Word{0, Listed, Aside, Listed | Aside} {
			lease := word(Leased, turn, listed)
			require.Equal(t, lease.End(Idle).With(Listed), lease.Back())
			require.True(t, lease.Back().Plain())
		}
	}
}

func TestOnlyAnIdleListedSlotWithNoOtherFlagIsPlain(t *testing.T) {
	for _, s := range states {
		for _, turn := range turns {
			eachFlags(func(set Word) {
				if word(s, turn, set).Plain() != (s == Idle && set&^Aside == Listed) {
					require.FailNow(t, "plain", "state %d, flags %x", s, set)
				}
			})
		}
	}
}

func TestHasReportsAnyOfTheFlags(t *testing.T) {
	w := word(Leased, 7, Due|Shut)
	require.True(t, w.Has(Due))
	require.True(t, w.Has(Due|Fresh))
	require.True(t, w.Has(Doomed))
	require.True(t, w.Has(Unproved))
	require.False(t, w.Has(Fresh|Quiet))
	require.False(t, w.Has(0))
}

func TestFlagsAreSetAndClearedWithoutTouchingTheRest(t *testing.T) {
	for _, s := range states {
		for _, turn := range turns {
			require.Equal(t, word(s, turn, Due|Shut), word(s, turn, Due).With(Shut))
			require.Equal(t, word(s, turn, Due|Shut), word(s, turn, Due|Shut).With(Shut))
			require.Equal(t, word(s, turn, Shut), word(s, turn, Due|Shut).Without(Due|Fresh))
		}
	}
}

func TestALeaseIsNamedByTurnAndStateWhateverTheFlags(t *testing.T) {
	for _, turn := range turns {
		lease := word(Leased, turn, 0)
		eachFlags(func(set Word) {
			if w := lease | set; w.Lease() != lease|set&(Listed|Aside) || !w.Same(lease) || !lease.Same(w) {
				require.FailNow(t, "not named", "flags %x", set)
			}
		})
		for _, s := range states {
			require.Equal(t, s == Leased, word(s, turn, 0).Same(lease), "state %d", s)
		}
		require.False(t, word(Leased, turn+1, 0).Same(lease))
		require.False(t, word(Leased, turn-1, 0).Same(lease))
	}
}

// The life of a connection: opened, lent and returned, lent and destroyed.
func TestTheTurnIsOddExactlyWhileLeased(t *testing.T) {
	for _, start := range []uint64{0, 2, lastTurn - 9, lastTurn - 5, lastTurn - 3, lastTurn - 1} {
		w := At(start)
		life := []func(Word) Word{
			Word.Open,
			func(w Word) Word { return w.To(Idle).With(Listed) },
			Word.Lend,
			Word.Back,
			func(w Word) Word { return w.Without(Listed).Lend() },
			func(w Word) Word { return w.End(Resetting) },
			func(w Word) Word { return w.To(Idle).With(Listed) },
			func(w Word) Word { return w.To(Checking).Without(Listed) },
			func(w Word) Word { return w.To(Idle).With(Listed) },
			func(w Word) Word { return w.Without(Listed).Lend() },
			func(w Word) Word { return w.End(Closing) },
			Word.Vacate,
		}
		for i, step := range life {
			w = step(w)
			require.Equal(t, w.State() == Leased, w.Turn()%2 == 1, "start %x, step %d: %x", start, i, w)
		}
		require.Equal(t, At(start+8), w, "an opening is two turns, three leases are six")
	}
}

func TestLeasesCountsWholeLeasesAndOpenings(t *testing.T) {
	for _, c := range []struct {
		promise  string
		from, to uint64
		want     uint64
	}{
		{"nothing happened", 8, 8, 0},
		{"an opening", 8, 10, 1},
		{"a lease that lasts does not count", 8, 9, 0},
		{"a lease has begun and ended", 8, 10, 1},
		{"one that was there before does not count when it ends", 9, 10, 0},
		{"three, and one lasts", 8, 15, 3},
		{"nothing happened at the last turn", lastTurn, lastTurn, 0},
		{"a lease that ends with the wrap", lastTurn - 1, 0, 1},
		{"a lease across the wrap lasts", lastTurn - 1, 1, 1},
		{"several across the wrap", lastTurn - 5, 10, 8},
		{"half of all turns", 0, 1 << 47, 1 << 46},
		{"all but one turn", 1, 0, lastTurn / 2},
	} {
		require.Equal(t, c.want, Leases(c.from, c.to), c.promise)
	}
}

func TestLeasesAgreesWithTheMovesAcrossTheWrap(t *testing.T) {
	w := At(lastTurn - 5).Open().To(Idle).With(Listed)
	from := w.Turn()
	for n := range uint64(20) {
		require.Equal(t, n, Leases(from, w.Turn()))
		w = w.Lend()
		require.Equal(t, n, Leases(from, w.Turn()), "while it lasts")
		w = w.Back()
	}
	require.Less(t, w.Turn(), from, "the test went across the wrap")
}
