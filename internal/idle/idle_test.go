package idle

import (
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// borders are where a chunk of links ends, and around it.
var borders = []int{0, 1, 15, 16, 17, 47, 48, 49, 111, 112, 113, 240, 241, 1008, 1009}

func TestNothingIsPoppedFromAnEmptyList(t *testing.T) {
	overLists(t, func(t *testing.T, l list) {
		for _, room := range []int{0, 1, 100} {
			l.Grow(room)
			_, ok := l.Pop()
			require.False(t, ok)
		}
		l.Push(7)
		l.Settle()
		n, ok := l.Pop()
		require.True(t, ok)
		require.EqualValues(t, 7, n)
		_, ok = l.Pop()
		require.False(t, ok)
	})
}

func TestWhatGoesInComesOutOnce(t *testing.T) {
	overLists(t, func(t *testing.T, l list) {
		for _, room := range borders {
			l.Grow(room)
			for range 2 {
				for _, n := range upTo(room) {
					l.Push(n)
				}
				popped := drain(l)
				slices.Sort(popped)
				require.Equal(t, upTo(room), popped)
			}
		}
	})
}

func TestWithoutCellsTheLastPushedIsPoppedFirst(t *testing.T) {
	for _, l := range []list{new(twin), New(0), aboutToWrap(0)} {
		l.Grow(100)
		pushed := []uint32{3, 99, 0, 47, 48, 16, 15}
		for _, n := range pushed {
			l.Push(n)
		}
		n, _ := l.Pop()
		require.EqualValues(t, 15, n)
		l.Push(50)
		l.Settle()
		require.Equal(t, []uint32{50, 16, 48, 47, 0, 99, 3}, drain(l))
	}
}

func TestAfterSettleTheLastPushedIsPoppedFirst(t *testing.T) {
	l := New(2)
	l.Grow(16)
	for _, n := range []uint32{5, 6, 7} {
		l.pushStack(n)
	}
	l.cells[0].n.Store(8 + 1)
	l.cells[1].n.Store(9 + 1)
	l.Settle()
	for i := range l.cells {
		require.Zero(t, l.cells[i].n.Load())
	}
	require.Equal(t, []uint32{9, 8, 7, 6, 5}, drain(l))
}

func TestSettleOfEmptyCellsChangesNothing(t *testing.T) {
	l := New(3)
	l.Grow(16)
	l.pushStack(4)
	before := l.head.Load()
	l.Settle()
	require.Equal(t, before, l.head.Load())
}

func TestWhatLiesInAnotherGoroutinesCellIsFound(t *testing.T) {
	l := New(5)
	l.Grow(16)
	for i := range l.cells {
		l.cells[i].n.Store(uint32(i) + 1)
	}
	popped := drain(l)
	slices.Sort(popped)
	require.Equal(t, upTo(5), popped)
}

// Whatever cells the pushers chose, who comes after them finds all of it.
func TestOnceAPushHasReturnedAnybodyPopsIt(t *testing.T) {
	overLists(t, func(t *testing.T, l list) {
		const pushers = 24
		l.Grow(pushers)
		for range 50 {
			var group sync.WaitGroup
			for n := range uint32(pushers) {
				group.Go(func() { l.Push(n) })
			}
			group.Wait()
			popped := make([]uint32, pushers)
			for i := range popped {
				group.Go(func() {
					n, ok := l.Pop()
					if !ok {
						t.Error("a number has not been found")
					}
					popped[i] = n
				})
			}
			group.Wait()
			slices.Sort(popped)
			require.Equal(t, upTo(pushers), popped)
		}
	})
}

func TestGrowMakesRoomForTheNumbersBelow(t *testing.T) {
	for _, room := range borders {
		l := New(0)
		l.Grow(room)
		seen := map[any]bool{}
		for _, n := range upTo(room) {
			seen[l.link(n)] = true
		}
		require.Len(t, seen, room, "each number has a link of its own")
	}
}

func TestGrowMovesNothing(t *testing.T) {
	overLists(t, func(t *testing.T, l list) {
		l.Grow(16)
		for _, n := range upTo(16) {
			l.Push(n)
		}
		for _, room := range []int{500, 16, 0, 113} { // room is never taken back
			l.Grow(room)
		}
		l.Push(499)
		popped := drain(l)
		slices.Sort(popped)
		require.Equal(t, append(upTo(16), 499), popped)
	})
}

// Each chunk is twice the one before it and begins where that ends.
func TestEachNumberHasAPlaceInItsChunk(t *testing.T) {
	l := New(0)
	place := 0
	for k := range 14 {
		l.Grow(place + 1)
		require.Len(t, l.next[k], first<<k)
		require.Nil(t, l.next[k+1])
		require.Same(t, &l.next[k][0], l.link(uint32(place)))
		place += first << k
		require.Same(t, &l.next[k][len(l.next[k])-1], l.link(uint32(place-1)))
	}
}

func TestPushAndPopAllocateNothing(t *testing.T) {
	for _, cells := range []int{0, 2} {
		l := New(cells)
		l.Grow(64)
		for _, n := range upTo(64) {
			l.Push(n)
		}
		require.Zero(t, testing.AllocsPerRun(1000, func() {
			a, _ := l.Pop()
			b, _ := l.Pop()
			l.Push(a)
			l.Push(b)
			l.Settle()
		}))
	}
}
