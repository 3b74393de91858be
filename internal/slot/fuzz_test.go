package slot

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// step is something that may happen to a slot.
type step struct {
	name  string
	from  func(w Word) bool // whether it may happen now
	move  func(w Word, mark Word) Word
	turns uint64
	lists lists // what it does to Listed
}

type lists int

const (
	keeps lists = iota
	pushes
	pops
)

func in(s State) func(Word) bool { return func(w Word) bool { return w.State() == s } }

func listed(s State) func(Word) bool {
	return func(w Word) bool { return w.State() == s && w.Has(Listed) }
}

// steps are all that may happen, by those entitled to it: see the diagram in the
// root package. Only the first few name Listed.
var steps = []step{
	{"publish a dial", in(Opening), func(w, _ Word) Word { return w.To(Idle).With(Listed | Fresh) }, 0, pushes},
	{"publish after a check", in(Checking), func(w, _ Word) Word { return w.To(Idle).With(Listed).Without(Unproved) }, 0, pushes},
	{"publish after a reset", in(Resetting), func(w, _ Word) Word { return w.To(Idle).With(Listed) }, 0, pushes},
	{"pop and lend", listed(Idle), func(w, _ Word) Word { return w.Without(Listed).Lend() }, 1, pops},
	{"pop and check", listed(Idle), func(w, _ Word) Word { return w.Without(Listed).To(Checking) }, 0, pops},
	{"pop and close", listed(Idle), func(w, _ Word) Word { return w.Without(Listed).To(Closing) }, 0, pops},
	{
		"pop a number that is out of date",
		func(w Word) bool { return w.State() != Idle && w.Has(Listed) },
		func(w, _ Word) Word { return w.Without(Listed) }, 0, pops,
	},
	{
		"release plainly",
		func(w Word) bool { return w.State() == Leased && w == w.Lease() && !w.Has(Listed) },
		func(w, _ Word) Word { return w.Back() }, 1, pushes,
	},

	{"open", in(Empty), func(w, _ Word) Word { return w.Open() }, 2, keeps},
	{"dial in vain", in(Opening), func(w, _ Word) Word { return w.Vacate() }, 0, keeps},
	{"lend where it lies", in(Idle), func(w, _ Word) Word { return w.Lend() }, 1, keeps},
	{
		"release plainly where it lies",
		func(w Word) bool { return w.State() == Leased && w == w.Lease() && w.Has(Listed) },
		func(w, _ Word) Word { return w.Back() }, 1, keeps,
	},
	{"release", in(Leased), func(w, _ Word) Word { return w.End(Resetting) }, 1, keeps},
	{"destroy", in(Leased), func(w, _ Word) Word { return w.End(Closing) }, 1, keeps},
	{"check where it lies", in(Idle), func(w, _ Word) Word { return w.To(Checking) }, 0, keeps},
	{"close where it lies", in(Idle), func(w, _ Word) Word { return w.To(Closing) }, 0, keeps},
	{"close after a check", in(Checking), func(w, _ Word) Word { return w.To(Closing) }, 0, keeps},
	{"close after a reset", in(Resetting), func(w, _ Word) Word { return w.To(Closing) }, 0, keeps},
	{"vacate", in(Closing), func(w, _ Word) Word { return w.Vacate() }, 0, keeps},
	{
		"mark",
		func(Word) bool { return true },
		func(w, mark Word) Word { c := cell(w); return c.Mark(mark) }, 0, keeps,
	},
	{
		"unmark",
		func(Word) bool { return true },
		func(w, mark Word) Word { c := cell(w); return c.Unmark(mark) }, 0, keeps,
	},
}

func cell(w Word) *Cell {
	c := new(Cell)
	c.Store(w)
	return c
}

// FuzzTransitions takes a slot through any order of allowed steps and sees to
// what must hold whatever the order.
func FuzzTransitions(f *testing.F) {
	f.Add(uint64(0), []byte{8, 0, 3, 7, 3, 12, 2, 4, 1, 5, 18})
	f.Add(uint64(lastTurn-1), []byte{8, 0, 3, 7, 3, 7, 3, 13, 18, 8, 9})
	f.Add(uint64(lastTurn-3), []byte{8, 0, 14, 6, 1, 3, 0xf6, 13, 18, 8, 0, 3})
	f.Add(uint64(2), []byte{8, 19, 0, 0x37, 0xf6, 3, 19, 20, 7, 15, 18, 8, 6, 0, 3, 12, 17, 18})
	f.Add(uint64(lastTurn-5), []byte{8, 0, 10, 11, 10, 6, 7, 10, 11, 10, 6, 12, 2, 10, 13, 18, 8})
	f.Fuzz(func(t *testing.T, turn uint64, choices []byte) {
		w := At(turn &^ 1)
		leases := map[Word]bool{} // that have ended
		for _, choice := range choices {
			s := steps[int(choice)%len(steps)]
			if !s.from(w) {
				continue
			}
			mark := flags[2+int(choice)/len(steps)%(len(flags)-2)] // neither Listed nor Aside
			next := s.move(w, mark)

			require.Equal(t, (w.Turn()+s.turns)&lastTurn, next.Turn(), s.name)
			require.Equal(t, next.State() == Leased, next.Turn()%2 == 1, "%s: parity of %x", s.name, next)
			switch s.lists {
			case keeps:
				require.Equal(t, w&listing, next&listing, s.name)
			case pushes:
				require.True(t, next.Has(Listed), s.name)
			case pops:
				require.False(t, next.Has(Listed), s.name)
			}
			if next.State() == Empty {
				require.Zero(t, next&flagMask&^listing, "%s: an empty slot is marked", s.name)
			}
			require.LessOrEqual(t, next.State(), Closing, s.name)
			if w.State() == Leased && !next.Same(w) {
				leases[w.Lease()] = true
			}
			for lease := range leases {
				require.False(t, next.Same(lease), "%s: the lease %x has come back", s.name, lease)
			}
			w = next
		}
	})
}
