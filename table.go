package connpool

import (
	"context"
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/connpool/connpool/internal/callers"
	"github.com/connpool/connpool/internal/explore"
	"github.com/connpool/connpool/internal/slot"
)

// seat is one slot of the pool with all that is known of it. It belongs to
// whoever has won the word's last compare-and-swap into a state that one
// goroutine works on (opening, leased, resetting, checking, closing); the sweep
// and Stats read it without owning it, so what they read is atomic, and counts
// only if the word was the same before and after.
//
// It fills two cache lines, so that users of neighbours do not meet.
type seat[T any] struct {
	word slot.Cell

	// conn points to the connection. It is a box of its own for each dial, because
	// an interface that is read while it is overwritten would tear. Written by the
	// dialler before the word says idle, cleared by the closer.
	conn explore.Pointer[T]

	pool *Pool[T] // fixed
	n    uint32   // fixed: the slot's number

	leakID atomic.Uint32 // of the lease; written by the sweep before the word says leaked

	// Of the connection, written by the dialler.
	id       atomic.Uint32 // the number of its dial: it names the connection in traces
	bornTurn atomic.Uint32 // the lower half of its first turn
	born     atomic.Int64  // since the pool's epoch
	expires  atomic.Int64  // the same, drawn once; off: never
	checked  atomic.Int64  // last found working by a dial or a check

	// Of the lease, if its word says recorded; written by who lends, before the
	// word says leased.
	since atomic.Int64
	stack atomic.Pointer[callers.Stack]
	entry atomic.Pointer[callers.Entry] // in the profile; written by the borrower

	// What the last sweep saw; guarded by Pool.mu.
	seenTurn uint64
	seenAt   time.Duration // when seenTurn was first seen; or with closingSince, when the close began
	tallied  uint64        // the turn up to which leases are in Pool.mu.leases

	// What the lease was acquired with, if Trace.Released is to get it; written by
	// the borrower, and read by the goroutine that has ended the lease.
	ctx context.Context
}

// uses returns how many leases of its connection ended before a word of the slot,
// up to 2^31.
func (s *seat[T]) uses(w slot.Word) uint32 { return (uint32(w.Turn()) - s.bornTurn.Load()) / 2 }

// number returns the connection's number: that of its dial, from 1.
func (s *seat[T]) number() uint64 { return uint64(s.id.Load()) }

// seats is the table of slots. It grows in chunks and never moves, so a number,
// once it has been passed on, can be looked up without a lock.
type seats[T any] struct {
	// chunks[k] holds firstChunk<<k seats. Written under Pool.mu before the first
	// of its numbers is passed to anybody.
	chunks [maxChunks][]seat[T]
}

const (
	firstChunk = 16
	maxChunks  = 21 // enough for LargestMaxSize
)

// at returns the seat with a number. The first chunk, which is all that most
// pools have, is worth a line of its own: 2 of 12 ns of an acquire and release.
func (t *seats[T]) at(n uint32) *seat[T] {
	if c := t.chunks[0]; int(n) < len(c) {
		return &c[n]
	}
	i := n + firstChunk
	k := bits.Len32(i) - bits.Len32(firstChunk)
	return &t.chunks[k][i-firstChunk<<k]
}

// growLocked makes room for number n, here and in the lists of idle numbers.
func (t *seats[T]) growLocked(p *Pool[T], n uint32) {
	i := n + firstChunk
	k := bits.Len32(i) - bits.Len32(firstChunk)
	if t.chunks[k] != nil {
		return
	}
	chunk := make([]seat[T], firstChunk<<k)
	for j := range chunk {
		chunk[j].pool, chunk[j].n = p, uint32(firstChunk<<k-firstChunk+j)
	}
	t.chunks[k] = chunk
	room := firstChunk<<(k+1) - firstChunk
	p.idle.Grow(room)
	p.due.Grow(room)
}
