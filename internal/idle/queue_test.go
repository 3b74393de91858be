package idle

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFault116_TheFirstPushedIsPoppedFirstOffAQueue(t *testing.T) {
	for _, l := range []list{&twin{fifo: true}, NewQueue()} {
		l.Grow(3)
		for _, n := range []uint32{2, 0, 1} {
			l.Push(n)
		}
		n, _ := l.Pop()
		require.EqualValues(t, 2, n)
		l.Push(2) // around the ring's end
		l.Grow(100)
		for _, n := range []uint32{99, 48, 3} {
			l.Push(n)
		}
		require.False(t, l.Missed())
		l.Settle()
		require.Equal(t, []uint32{0, 1, 2, 99, 48, 3}, drain(l))
	}
}

func TestAQueueIsEmptyWhenNothingIsInIt(t *testing.T) {
	l := NewQueue()
	l.Grow(1)
	for range 3 {
		require.True(t, l.Empty())
		_, ok := l.Near()
		require.False(t, ok)
		l.Push(0)
		require.False(t, l.Empty())
		l.Pop()
	}
}
