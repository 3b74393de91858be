package idle

import (
	"slices"
	"sync"
	"testing"
)

// list is what the tests and benchmarks ask of a list: of List, and of a twin
// so plain that it is right at sight.
type list interface {
	Grow(n int)
	Near() (n uint32, ok bool)
	Missed() (moved bool)
	Push(n uint32)
	Pop() (n uint32, ok bool)
	Settle()
}

// twin is a slice under a mutex.
type twin struct {
	fifo bool
	mu   struct {
		sync.Mutex
		stack []uint32
	}
}

func (t *twin) Grow(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.stack = slices.Grow(t.mu.stack, n)
}

func (t *twin) Push(n uint32) {
	t.mu.Lock()
	t.mu.stack = append(t.mu.stack, n)
	t.mu.Unlock()
}

func (t *twin) Pop() (n uint32, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := len(t.mu.stack) - 1
	if last < 0 {
		return 0, false
	}
	if t.fifo {
		last = 0
	}
	n = t.mu.stack[last]
	t.mu.stack = slices.Delete(t.mu.stack, last, last+1)
	return n, true
}

func (t *twin) Near() (n uint32, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last := len(t.mu.stack) - 1; last >= 0 {
		return t.mu.stack[last], true
	}
	return 0, false
}

func (t *twin) Missed() (moved bool) { return false }

func (t *twin) Settle() {}

// lists are the kinds of list that every test of their common behaviour runs
// over.
var lists = []struct {
	name string
	make func() list
}{
	{"twin", func() list { return new(twin) }},
	{"no cells", func() list { return New(0) }},
	{"2 cells", func() list { return New(2) }},
	{"7 cells", func() list { return New(7) }},
	{"no cells, tags about to wrap", func() list { return aboutToWrap(0) }},
	{"2 cells, tags about to wrap", func() list { return aboutToWrap(2) }},
	{"a queue", func() list { return NewQueue() }},
}

// aboutToWrap returns an empty list whose tag comes back to 0 after a few
// changes.
func aboutToWrap(cells int) *List {
	l := New(cells)
	l.head.Store((1<<32 - 5) << 32)
	return l
}

func overLists(t *testing.T, f func(t *testing.T, l list)) {
	for _, kind := range lists {
		t.Run(kind.name, func(t *testing.T) { f(t, kind.make()) })
	}
}

// drain pops until there is nothing left, or more than any test puts in: a
// broken list may have become a ring.
func drain(l list) (popped []uint32) {
	for n, ok := l.Pop(); ok && len(popped) < 10_000; n, ok = l.Pop() {
		popped = append(popped, n)
	}
	return popped
}

// upTo returns the numbers below n.
func upTo(n int) (numbers []uint32) {
	for i := range n {
		numbers = append(numbers, uint32(i))
	}
	return numbers
}
