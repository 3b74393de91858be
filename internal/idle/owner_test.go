package idle

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// owners holds who has each number: 0 while it is in the list, or on its way
// there.
type owners []atomic.Int32

// take notes that a holder has popped a number, and reports whether nobody else
// has it.
func (o owners) take(n uint32, holder int) bool { return o[n].CompareAndSwap(0, int32(holder+1)) }

func (o owners) give(n uint32, holder int) bool { return o[n].CompareAndSwap(int32(holder+1), 0) }

// borrow pops and pushes, holding up to two numbers at a time so that they
// change their order.
func borrow(t *testing.T, l list, o owners, holder, rounds int) {
	back := func(n uint32) {
		if !o.give(n, holder) {
			t.Errorf("%d has been taken from %d", n, holder)
		}
		l.Push(n)
	}
	for i := range rounds {
		if _, ok := l.Near(); !ok {
			l.Missed()
		}
		a, ok := l.Pop()
		if !ok {
			runtime.Gosched()
			continue
		}
		if !o.take(a, holder) {
			t.Errorf("%d is had twice", a)
			return
		}
		if i%64 == 0 {
			runtime.Gosched()
		}
		if b, ok := l.Pop(); ok {
			if !o.take(b, holder) {
				t.Errorf("%d is had twice", b)
				return
			}
			back(b)
		}
		back(a)
	}
}

// Few numbers and many borrowers: the top of the stack goes and comes back all
// the time, which is what a broken one would not survive.
func TestNothingIsLostOrHadTwice(t *testing.T) {
	const borrowers, rounds = 4, 25_000
	for _, size := range []int{2, 3, 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			overLists(t, func(t *testing.T, l list) {
				l.Grow(size)
				for _, n := range upTo(size) {
					l.Push(n)
				}
				o := make(owners, size)
				stop := settleAlways(l)
				var group sync.WaitGroup
				for holder := range borrowers {
					group.Go(func() { borrow(t, l, o, holder, rounds) })
				}
				group.Wait()
				stop()
				left := drain(l)
				slices.Sort(left)
				require.Equal(t, upTo(size), left)
			})
		})
	}
}

// settleAlways settles until it is stopped.
func settleAlways(l list) (stop func()) {
	var over atomic.Bool
	var group sync.WaitGroup
	group.Go(func() {
		for i := 0; !over.Load(); i++ {
			l.Settle()
			if i%64 == 0 {
				runtime.Gosched()
			}
		}
	})
	return func() {
		over.Store(true)
		group.Wait()
	}
}

func TestTheListGrowsWhileOthersPop(t *testing.T) {
	const borrowers, size = 4, 500
	overLists(t, func(t *testing.T, l list) {
		o := make(owners, size)
		stop := settleAlways(l)
		var grown atomic.Bool
		var group sync.WaitGroup
		for holder := range borrowers {
			group.Go(func() {
				for !grown.Load() && !t.Failed() {
					borrow(t, l, o, holder, 10)
				}
			})
		}
		for _, n := range upTo(size) {
			l.Grow(int(n) + 1)
			l.Push(n)
			runtime.Gosched()
		}
		grown.Store(true)
		group.Wait()
		stop()
		left := drain(l)
		slices.Sort(left)
		require.Equal(t, upTo(size), left)
	})
}
