// Package rival puts this pool, the pools that one could use instead, and the
// floors below which none can fall behind one small interface, so that each work
// is written once.
package rival

import "context"

// Conn is the resource that all of them pool: it does nothing, so that what is
// measured is the pool.
type Conn struct {
	Serial int64 // of its dial, from 1
	_      [48]byte
}

// Setup is the pool that a work asks for.
type Setup struct {
	Max  int                             // connections at most
	Min  int                             // kept open, where the rival can; not waited for
	Dial func(ctx context.Context) error // takes a dial's time, or fails it; nil: at once
}

// Pool is one open pool of no-op connections.
type Pool interface {
	// Cycle borrows and returns n times in a row. The loop is the rival's own, as
	// a user would write it, so that an operation pays for no interface of ours.
	Cycle(ctx context.Context, n int) error

	// Use borrows a connection, calls hold and returns the connection.
	Use(ctx context.Context, hold func()) error

	// Close closes the pool and its connections, and waits for its goroutines as
	// far as the rival lets one.
	Close()
}

// Kind says what a rival is to be compared for.
type Kind int

// The kinds. Fair is one that serves those who wait in the order in which they
// came; it is measured, too.
const (
	Fair Kind = iota
	Unfair
	Floor // no pool: what the machine needs for the least of it
)

// Rival is one way to pool connections.
type Rival struct {
	Name    string
	Version string // of its module; empty for the standard library's and our own few lines
	Kind    Kind
	Note    string // what a reader must know of how it is measured; may be empty
	Bounded bool   // it makes callers wait when Max are lent
	New     func(Setup) (Pool, error)
}
