package idle

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhoKeepsMissingIsDealtOneCellAfterAnother(t *testing.T) {
	for _, cells := range []int{2, 3, 8, 16} {
		l := New(cells)
		l.Grow(16)
		seen := map[*cell]bool{}
		for pops := 0; pops < 1<<18 && len(seen) < cells; pops++ {
			seen[l.cell()] = true
			l.Pop()
		}
		require.Len(t, seen, cells)
	}
}

func TestWhoHitsKeepsItsCell(t *testing.T) {
	l := New(2)
	l.Grow(16)
	l.Push(3)
	for range 20_000 {
		n, _ := l.Pop()
		l.Push(n)
	}
	require.Zero(t, l.salt.Load(), "nobody has been dealt another")
}

func TestWhatLiesInACellIsFoundAfterDealing(t *testing.T) {
	l := New(4)
	l.Grow(16)
	for range 200 {
		l.Push(3)
		l.Push(5)
		l.salt.Add(1)
		require.ElementsMatch(t, []uint32{3, 5}, drain(l))
	}
}
