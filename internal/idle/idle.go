// Package idle is the lock-free list of slots that may be lent, by number: a
// last-in, first-out stack, and in front of it a few cells of one number each, so
// that borrowers on different processors do not meet on one cache line. Where
// connections are to be used in turn, a queue under a lock takes its place.
//
// The list is a hint. A number in it may be of a slot that has since been lent,
// closed or claimed; who meets it finds out from the slot's word. So a number
// that lies in a cell need not be taken out to be used: a goroutine that borrows
// again and again finds its slot there, lent or idle, and only ever changes the
// slot's word.
package idle

import (
	"math/bits"
	"sync/atomic"

	"github.com/connpool/connpool/internal/explore"
)

// List is the list of idle slots' numbers. It must not be copied. All but Grow
// is safe for concurrent use; the caller must see to it that no number is in the
// list twice.
type List struct {
	cells []cell
	queue *queue        // in place of all that follows, or nil
	salt  atomic.Uint32 // mixed into who goes to which cell; see Missed
	_     [128]byte

	misses atomic.Uint32
	_      [128]byte

	// head is the stack's top: its number plus one in the lower half (0: empty)
	// and a tag in the upper half that changes with every change, so that a
	// compare-and-swap cannot succeed on a head that has gone and come back.
	head explore.Uint64
	_    [56]byte

	// next[k][i] is the link of number i+len(next[k])-first, as in head's lower
	// half. Links lie apart from the slots' words so that a push cannot erase a
	// flag there.
	next [maxChunks][]explore.Uint32
}

// cell holds one number plus one, or 0. It fills two cache lines because
// processors fetch lines in pairs.
type cell struct {
	n explore.Uint32
	_ [124]byte
}

const (
	first     = 16 // length of the first chunk of links; each is twice the one before
	maxChunks = 24
	tagOne    = 1 << 32
)

// New returns an empty list with the given number of cells in front. With no
// cells the list is strictly last-in, first-out; each cell may keep one
// connection warm that the stack would let cool.
func New(cells int) *List { return &List{cells: make([]cell, cells)} }

// Grow makes room for the numbers below n. The caller must not call it from two
// goroutines at once, nor push a number before there is room for it.
func (l *List) Grow(n int) {
	if l.queue != nil {
		l.queue.grow(n)
		return
	}
	for k, room := 0, 0; room < n; k++ {
		if l.next[k] == nil {
			l.next[k] = make([]explore.Uint32, first<<k)
		}
		room += first << k
	}
}

func (l *List) link(n uint32) *explore.Uint32 {
	i := n + first
	k := bits.Len32(i) - bits.Len32(first)
	return &l.next[k][i-first<<k]
}

// Near returns the number in the calling goroutine's cell, which stays there.
// It writes nothing and costs 2 ns.
func (l *List) Near() (n uint32, ok bool) {
	if len(l.cells) == 0 {
		return 0, false
	}
	v := l.cell().n.Load()
	return v - 1, v != 0
}

// Push puts a number into the list.
func (l *List) Push(n uint32) {
	if len(l.cells) > 0 {
		if c := l.cell(); c.n.Load() == 0 && c.n.CompareAndSwap(0, n+1) {
			return
		}
	}
	if l.queue != nil {
		l.queue.push(n)
		return
	}
	l.pushStack(n)
}

// Pop takes a number out of the list. It reports false when it saw the stack
// empty and then no cell filled; a number pushed meanwhile may have been missed,
// so who goes to sleep on a false must look again where the pusher is sure to
// see it.
func (l *List) Pop() (n uint32, ok bool) {
	if l.queue != nil {
		return l.queue.pop()
	}
	if n, ok = l.popStack(); ok {
		return n, true
	}
	for i := range l.cells {
		if v := l.cells[i].n.Load(); v != 0 && l.cells[i].n.CompareAndSwap(v, 0) {
			return v - 1, true
		}
	}
	return 0, false
}

// Empty reports whether a Pop would find nothing. Whoever pushes afterwards is
// sure to see what the caller has written before.
func (l *List) Empty() bool {
	if l.queue != nil {
		return l.queue.empty()
	}
	if uint32(l.head.Load()) != 0 {
		return false
	}
	for i := range l.cells {
		if l.cells[i].n.Load() != 0 {
			return false
		}
	}
	return true
}

// cell returns the cell of the calling goroutine.
func (l *List) cell() *cell {
	return &l.cells[uint64(here(l.salt.Load()))*uint64(len(l.cells))>>32]
}

// Missed is told by who had no use for what Near said. Two goroutines that run at
// the same time and share a cell would go on missing, and so would one whose cell
// names a slot that somebody holds for long. So now and then everybody is dealt
// another cell, and the one that was missed is emptied into the stack. It reports
// whether it did that: the number was in neither for a moment, so its caller must
// look for somebody who went to sleep meanwhile, as after a push.
func (l *List) Missed() (moved bool) {
	const often = 64
	if len(l.cells) == 0 || l.misses.Add(1)%often != 0 {
		return false
	}
	l.empty(l.cell())
	l.salt.Add(1)
	return true
}

func (l *List) pushStack(n uint32) {
	link := l.link(n)
	for {
		head := l.head.Load()
		link.Store(uint32(head))
		if l.head.CompareAndSwap(head, head&^(tagOne-1)+tagOne|uint64(n+1)) {
			return
		}
	}
}

func (l *List) popStack() (n uint32, ok bool) {
	for {
		head := l.head.Load()
		top := uint32(head)
		if top == 0 {
			return 0, false
		}
		// The link may belong to another list position by now: the number could
		// have been popped and pushed again. Then the tag has changed as well.
		next := l.link(top - 1).Load()
		if l.head.CompareAndSwap(head, head&^(tagOne-1)+tagOne|uint64(next)) {
			return top - 1, true
		}
	}
}

// Settle moves what the cells hold to the stack, so that it ages in order. As
// after Missed, who calls must look for somebody who went to sleep meanwhile.
func (l *List) Settle() {
	for i := range l.cells {
		l.empty(&l.cells[i])
	}
}

func (l *List) empty(c *cell) {
	if v := c.n.Swap(0); v != 0 {
		l.pushStack(v - 1)
	}
}
