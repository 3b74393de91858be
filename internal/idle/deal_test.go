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
		for misses := 0; misses < 1<<18 && len(seen) < cells; misses++ {
			seen[l.cell()] = true
			l.Missed()
		}
		require.Len(t, seen, cells)
	}
}

func TestNearIsWhatWasPushedLastAndStays(t *testing.T) {
	l := New(1) // where the stack ends may differ between here and inside Push
	l.Grow(16)
	_, ok := l.Near()
	require.False(t, ok)
	l.Push(3)
	l.Push(4) // the cell is full
	for range 1000 {
		n, ok := l.Near()
		require.True(t, ok)
		require.EqualValues(t, 3, n)
	}
	require.Equal(t, []uint32{4, 3}, drain(l))
}

func TestWithoutCellsNothingIsNear(t *testing.T) {
	l := New(0)
	l.Grow(16)
	l.Push(3)
	_, ok := l.Near()
	require.False(t, ok)
	for range 1000 {
		require.False(t, l.Missed())
	}
}

// A cell may name a slot that somebody holds for long.
func TestACellThatIsOfNoUseIsEmptiedIntoTheStack(t *testing.T) {
	l := New(1)
	l.Grow(16)
	l.Push(3)
	misses := 1
	for ; !l.Missed(); misses++ {
		n, ok := l.Near()
		require.True(t, ok)
		require.EqualValues(t, 3, n)
	}
	require.Equal(t, 64, misses)
	_, ok := l.Near()
	require.False(t, ok)
	l.Push(4)
	n, ok := l.Near()
	require.True(t, ok)
	require.EqualValues(t, 4, n, "who pushes next fills it")
	require.Equal(t, []uint32{3, 4}, drain(l), "it is in the stack, where it can be popped")
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
