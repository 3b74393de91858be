package slot

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestACellGivesBackWhatWasStored(t *testing.T) {
	var c Cell
	c.Store(word(Checking, lastTurn, Listed|Shut))
	require.Equal(t, word(Checking, lastTurn, Listed|Shut), c.Load())
}

func TestCASReplacesOnlyTheWordThatIsThere(t *testing.T) {
	var c Cell
	c.Store(word(Leased, 3, 0))
	require.False(t, c.CAS(word(Leased, 3, Due), word(Closing, 4, 0)))
	require.Equal(t, word(Leased, 3, 0), c.Load())
	require.True(t, c.CAS(word(Leased, 3, 0), word(Closing, 4, 0)))
	require.Equal(t, word(Closing, 4, 0), c.Load())
}

func TestMarkReachesASlotInEveryStateButEmpty(t *testing.T) {
	for _, s := range states {
		for _, before := range []Word{0, Listed, Listed | Due, Shut, Listed | Shut | Retired} {
			var c Cell
			c.Store(word(s, 6, before))
			want := word(s, 6, before|Shut|Suspect)
			if s == Empty {
				want = word(Empty, 6, before)
			}
			require.Equal(t, want, c.Mark(Shut|Suspect), "it returns the word as it is then")
			require.Equal(t, want, c.Load(), "state %d", s)
		}
	}
}

func TestUnmarkClearsNothingElse(t *testing.T) {
	for _, s := range states {
		var c Cell
		c.Store(word(s, 6, Listed|Surplus|Shut))
		require.Equal(t, word(s, 6, Listed|Shut), c.Unmark(Surplus|Due))
		require.Equal(t, word(s, 6, Listed|Shut), c.Load())
		require.Equal(t, word(s, 6, Listed|Shut), c.Unmark(Surplus|Due), "a second time")
	}
}

func TestAMarkMakesThePlainMoveFail(t *testing.T) {
	for _, m := range []struct {
		promise string
		from    Word
		move    func(Word) Word
	}{
		{"lending", word(Idle, 6, Listed), Word.Lend},
		{"releasing", word(Leased, 7, 0), Word.Back},
		{"publishing", word(Opening, 6, 0), func(w Word) Word { return w.To(Idle).With(Listed) }},
	} {
		for _, mark := range flags[1:] {
			var c Cell
			c.Store(m.from)
			w := c.Load()
			c.Mark(mark)
			require.False(t, c.CAS(w, m.move(w)), m.promise)
			require.Equal(t, w.With(mark), c.Load(), m.promise)
		}
	}
}

// stale are the ends that a lease may try.
var stale = []func(lease Word) Word{
	Word.Back,
	func(w Word) Word { return w.End(Resetting) },
	func(w Word) Word { return w.End(Closing) },
	func(w Word) Word { return w.With(Kept) },
}

func TestAStaleLeaseNeverMovesTheSlotAgain(t *testing.T) {
	for _, turn := range []uint64{2, lastTurn - 3, lastTurn - 1} {
		lease := word(Idle, turn, Listed).Lend()
		require.Equal(t, Leased, lease.State())
		after := []Word{lease.Back()}
		for _, step := range []func(Word) Word{
			Word.Lend, // to the next user
			func(w Word) Word { return w.With(Recorded) },
			func(w Word) Word { return w.End(Resetting) },
			func(w Word) Word { return w.To(Checking) },
			func(w Word) Word { return w.To(Closing) },
			Word.Vacate,
			Word.Open,
			func(w Word) Word { return w.To(Idle).With(Listed) },
			Word.Lend, // of the next connection
		} {
			after = append(after, step(after[len(after)-1]))
		}
		for _, w := range after {
			var c Cell
			c.Store(w)
			require.False(t, w.Same(lease), "%x", w)
			for _, end := range stale {
				require.False(t, c.CAS(lease, end(lease)), "%x", w)
			}
			require.Equal(t, w, c.Load())
		}
	}
}

// Two markers, one who changes its mind, and one who opens, lends, ends and
// closes. A marker sets its flag only when it finds it cleared, and only the
// lender clears it, counting: so each flag that was set must be counted once.
func TestNoMarkIsLostAndNoneReachesAnEmptySlot(t *testing.T) {
	const marks = 20_000
	c := cell(At(lastTurn - 99))
	set := map[Word]*atomic.Int64{Retired: {}, Shut: {}}
	var over atomic.Bool
	var markers sync.WaitGroup
	for flag, n := range set {
		markers.Go(func() {
			for n.Load() < marks && !over.Load() {
				if !c.Load().Has(flag) && c.Mark(flag).Has(flag) {
					n.Add(1)
				}
				runtime.Gosched()
			}
		})
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		markers.Wait()
		over.Store(true)
	}()
	var wavering sync.WaitGroup
	defer wavering.Wait()
	defer over.Store(true)
	wavering.Go(func() {
		for !over.Load() {
			c.Mark(Surplus)
			c.Unmark(Surplus)
			runtime.Gosched()
		}
	})

	seen := map[Word]int64{}
	for finished := false; !finished; {
		select {
		case <-done:
			finished = true
		default:
		}
		live(t, c, func(w Word) {
			for flag := range set {
				if w.Has(flag) {
					seen[flag]++
				}
			}
		})
	}
	for flag, n := range set {
		require.Equal(t, n.Load(), seen[flag], "flag %x", flag)
	}
}

// live takes an empty slot through the life of a connection, and calls count
// with each word of which it drops marks.
func live(t *testing.T, c *Cell, count func(Word)) {
	empty := c.Load()
	require.Equal(t, At(empty.Turn()), empty)
	runtime.Gosched()
	require.True(t, c.CAS(empty, empty.Open()), "an empty slot is nobody's but the opener's")
	move(c, func(w Word) Word { return w.To(Idle).With(Listed) })
	for range 8 {
		count(move(c, func(w Word) Word { return w.Without(Retired | Shut) }))
		idle := c.Load()
		if !idle.Plain() || !c.CAS(idle, idle.Lend()) {
			continue
		}
		lease := idle.Lend()
		runtime.Gosched()
		if !c.CAS(lease, lease.Back()) {
			was := move(c, func(w Word) Word { return w.End(Idle).With(Listed) })
			require.True(t, was.Same(lease), "lease %x became %x", lease, was)
		}
	}
	move(c, func(w Word) Word { return w.To(Closing).Without(Listed) })
	count(move(c, Word.Vacate))
}

// move replaces whatever word is there, with the flags that come meanwhile.
func move(c *Cell, next func(Word) Word) Word {
	for {
		if w := c.Load(); c.CAS(w, next(w)) {
			return w
		}
	}
}

// Each lender has each of its leases ended twice at once, by itself and by another
// goroutine, while marks come in.
func TestALeaseEndsOnce(t *testing.T) {
	const lenders, leases = 4, 500
	c := cell(word(Idle, lastTurn-1001, Listed))
	from := c.Load().Turn()
	var ended atomic.Int64
	var group sync.WaitGroup
	for range lenders {
		again := make(chan Word)
		group.Go(func() {
			defer close(again)
			for range leases {
				lease := lend(c)
				c.Mark(Due)
				again <- lease
				if end(c, lease) {
					ended.Add(1)
				}
			}
		})
		group.Go(func() {
			for lease := range again {
				if end(c, lease) {
					ended.Add(1)
				}
			}
		})
	}
	group.Wait()
	require.EqualValues(t, lenders*leases, ended.Load())
	require.EqualValues(t, lenders*leases, Leases(from, c.Load().Turn()))
	require.Equal(t, Idle, c.Load().State())
}

// lend waits until the slot is idle, and lends it.
func lend(c *Cell) (lease Word) {
	for {
		if w := c.Load(); w.State() == Idle && c.CAS(w, w.Lend()) {
			return w.Lend().Lease()
		}
		runtime.Gosched()
	}
}

// end ends a lease, plainly or marked, and reports whether it still lasted.
func end(c *Cell, lease Word) bool {
	if c.CAS(lease, lease.Back()) {
		return true
	}
	for w := c.Load(); w.Same(lease); w = c.Load() {
		if c.CAS(w, w.End(Idle).With(Listed)) {
			return true
		}
	}
	return false
}
