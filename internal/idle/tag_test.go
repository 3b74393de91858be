package idle

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The tag is what makes a compare-and-swap fail on a head that has gone and come
// back. What a popper or pusher does between its load and its swap is done here
// by hand, so nothing depends on who is preempted when.

// tags lie at the beginning and just below the wrap-around.
var tags = []uint64{0, 1, 1<<31 - 1, 1<<32 - 3, 1<<32 - 2, 1<<32 - 1}

// tagged returns a list without cells, with room for 16, and a given tag.
func tagged(tag uint64) *List {
	l := New(0)
	l.Grow(16)
	l.head.Store(tag << 32)
	return l
}

func TestEveryChangeOfTheStackChangesTheTag(t *testing.T) {
	for _, tag := range tags {
		l := tagged(tag)
		for i := range uint64(4) {
			require.Equal(t, (tag+2*i)&(1<<32-1), l.head.Load()>>32)
			l.Push(3)
			require.Equal(t, (tag+2*i+1)&(1<<32-1), l.head.Load()>>32)
			require.EqualValues(t, 3+1, uint32(l.head.Load()), "a tag that wraps does not reach the number")
			n, ok := l.Pop()
			require.True(t, ok)
			require.EqualValues(t, 3, n)
		}
		require.Zero(t, uint32(l.head.Load()))
	}
}

func TestAPopFailsWhenItsTopHasGoneAndComeBack(t *testing.T) {
	for _, tag := range tags {
		l := tagged(tag)
		l.Push(0)
		l.Push(1)

		// A popper has loaded the head, 1, and what lies beneath it, 0 ...
		head := l.head.Load()
		next := l.link(1).Load()
		require.EqualValues(t, 0+1, next)

		// ... when others take both and put 1 back.
		for range 2 {
			l.Pop()
		}
		l.Push(1)
		require.Equal(t, uint32(head), uint32(l.head.Load()), "the same number is on top")

		require.False(t, l.head.CompareAndSwap(head, swapped(head, next)), "0 is somebody's: it must not come back")
		require.Equal(t, []uint32{1}, drain(l))
	}
}

func TestAPushFailsWhenTheTopHasGoneAndComeBack(t *testing.T) {
	for _, tag := range tags {
		l := tagged(tag)
		l.Push(1)
		head := l.head.Load()
		l.Pop()
		l.Push(1)
		require.Equal(t, uint32(head), uint32(l.head.Load()))
		require.False(t, l.head.CompareAndSwap(head, swapped(head, 2+1)))
		require.Equal(t, []uint32{1}, drain(l))
	}
}

func TestAPushFailsWhenAnEmptyStackHasBeenFilledAndEmptied(t *testing.T) {
	for _, tag := range tags {
		l := tagged(tag)
		head := l.head.Load()
		l.Push(5)
		l.Pop()
		require.Zero(t, uint32(l.head.Load()))
		require.False(t, l.head.CompareAndSwap(head, swapped(head, 2+1)))
	}
}

// swapped returns what replaces a head when a number, plus one, comes to the
// top.
func swapped(head uint64, top uint32) uint64 { return head&^(tagOne-1) + tagOne | uint64(top) }
