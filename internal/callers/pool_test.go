package callers

// A pool to borrow from. The line directive below gives its frames the file
// name of the pool's own code; with that, and their package, they are inside as
// the root package's would be. Everything else in these tests is outside.

//line pool.go:1

type pool[T any] struct{ stacks []*Stack }

func (p *pool[T]) acquire() *Stack { return p.lend() }

// tryAcquire borrows by another way through the pool.
func (p *pool[T]) tryAcquire() *Stack { return p.lend() }

func (p *pool[T]) lend() *Stack {
	s := Capture(0)
	p.stacks = append(p.stacks, s)
	return s
}

// borrow is acquire as a callback.
func (p *pool[T]) borrow() { p.lend() }

// acquireListed borrows and enters the profile.
func (p *pool[T]) acquireListed() *Entry {
	p.lend()
	return p.list()
}

func (p *pool[T]) list() *Entry { return Add() }

// do runs f within the pool.
func (p *pool[T]) do(f func()) { f() }

// background borrows from a goroutine that is wholly the pool's, and lists it.
func (p *pool[T]) background(done chan<- *Entry) {
	p.lend()
	done <- p.list()
}
