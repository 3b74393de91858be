// Package waitq is the queue of callers that wait for a slot: first come, first
// served, each grant handed to its waiter directly, and a cancelled waiter gone
// in constant time.
//
// Racing for a waiter are who grants it something, who cancels it, and who
// fails or closes the whole queue. The queue's lock decides: whoever unlinks the
// waiter owns its outcome.
package waitq

import (
	"time"

	"github.com/connpool/connpool/internal/explore"
)

// Gate is a word of bits, mostly read, that tells passers-by whether anything
// is out of the ordinary. The first three bits belong to the queue and change
// under its lock; the owner of the gate may use those from Free up.
type Gate struct{ bits explore.Uint32 }

// The queue's bits.
const (
	Waiting uint32 = 1 << iota // somebody waits
	Paused                     // nothing is granted
	Closed                     // nobody may join
	Free                       // the first bit of the gate's owner
)

// Load returns the bits.
func (g *Gate) Load() uint32 { return g.bits.Load() }

// Set sets or clears bits.
func (g *Gate) Set(bits uint32, on bool) {
	switch {
	case !on:
		g.bits.And(^bits)
	case g.bits.Load()&bits != bits: // no store to a line that everybody reads
		g.bits.Or(bits)
	}
}

// Grant is what a waiter gets: a slot's number and word, or an error.
type Grant struct {
	Number uint32
	Word   uint64
	Err    error
}

// Waiter is one caller's place in the queue. Waiters are never used again by
// another caller: a late grant could reach the wrong one.
type Waiter struct {
	// Joined is when the caller came, Until when it gives up waiting: durations
	// since one epoch, kept by whoever uses the queue. With Limited unset there is
	// no Until. Tag is the user's.
	Joined, Until time.Duration
	Tag           any
	Limited       bool

	// Guarded by the queue's lock. Beside Limited, queued takes no room: with it
	// elsewhere a caller's place in the queue would take 144 bytes, and not 128.
	queued     bool
	next, prev *Waiter
	ticket     uint64 // 0 before the first join

	ready chan struct{} // holds one token once the waiter has been unlinked with a grant

	grant Grant // written before ready is sent
}

// NewWaiter returns a waiter that has come now and not joined yet.
func NewWaiter(now time.Duration) Waiter {
	return Waiter{Joined: now, ready: make(chan struct{}, 1)}
}

// Ready returns the channel that receives once when the waiter has been granted
// something.
func (w *Waiter) Ready() <-chan struct{} { return w.ready }

// Granted returns the grant. It may be called once, after a receive from Ready.
func (w *Waiter) Granted() Grant { return w.grant }

// Wake ends the waiter's wait. The caller owns the outcome: Take or a failure
// of the queue has unlinked the waiter. It does not block.
func (w *Waiter) Wake(g Grant) {
	w.grant = g
	explore.Point()
	w.ready <- struct{}{}
}

// Queue is the queue. It must not be copied.
type Queue struct {
	gate   *Gate
	max    int
	length explore.Int64

	mu struct {
		explore.Mutex
		root   Waiter // root.next is the head, root.prev the tail
		ticket uint64 // of the last that joined
	}
}

// Init readies the queue. gate's first three bits are the queue's; max is the
// most waiters, 0 for no limit.
func (q *Queue) Init(gate *Gate, max int) {
	q.gate, q.max = gate, max
	root := &q.mu.root
	root.next, root.prev = root, root
}

// Len returns how many wait. It takes no lock.
func (q *Queue) Len() int { return int(q.length.Load()) }

// Outcome is what came of a Join.
type Outcome int

// The outcomes of a Join.
const (
	Joined  Outcome = iota
	Full            // the queue holds its most
	Refused         // the queue is closed
)

// Join puts the waiter into the queue: at its end, or, if it was in it before
// and what it was granted turned out bad, at its old place.
//
// Seam 8: closed is tested inside the lock, so a waiter cannot slip in behind
// Close's back.
func (q *Queue) Join(w *Waiter) Outcome {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.gate.Load()&Closed != 0:
		return Refused
	case w.ticket == 0 && q.max > 0 && q.Len() >= q.max:
		return Full
	}
	q.linkLocked(w)
	return Joined
}

func (q *Queue) linkLocked(w *Waiter) {
	after := q.mu.root.prev
	if w.ticket == 0 {
		q.mu.ticket++
		w.ticket = q.mu.ticket
	} else {
		for after = &q.mu.root; after.next != &q.mu.root && after.next.ticket < w.ticket; after = after.next {
		}
	}
	w.prev, w.next = after, after.next
	w.prev.next, w.next.prev = w, w
	w.queued = true
	if q.length.Add(1) == 1 {
		q.gate.Set(Waiting, true)
	}
}

func (q *Queue) unlinkLocked(w *Waiter) {
	w.prev.next, w.next.prev = w.next, w.prev
	w.prev, w.next, w.queued = nil, nil, false
	if q.length.Add(-1) == 0 {
		q.gate.Set(Waiting, false)
	}
}

// Leave takes the waiter out of the queue and reports whether it was still in.
// If not, a grant has been or is just being sent to it: the caller must receive
// it from Ready and give it back.
func (q *Queue) Leave(w *Waiter) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !w.queued {
		return false
	}
	q.unlinkLocked(w)
	return true
}

// Match calls find under the queue's lock if anybody may be granted something
// now, and if it finds anything unlinks the head for it, which the caller must
// wake. find must not block.
//
// Seam 4: finding and unlinking are one step. No waiter can leave in between, so
// no grant goes to one that is cancelled, or finds the queue empty.
func (q *Queue) Match(find func(head *Waiter) bool) *Waiter {
	q.mu.Lock()
	defer q.mu.Unlock()
	head := q.mu.root.next
	if head == &q.mu.root || q.gate.Load()&Paused != 0 || !find(head) {
		return nil
	}
	q.unlinkLocked(head)
	return head
}

// Head returns the Tag of who waits longest, and when that caller came.
func (q *Queue) Head() (tag any, joined time.Duration, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	head := q.mu.root.next
	if head == &q.mu.root {
		return nil, 0, false
	}
	return head.Tag, head.Joined, true
}

// Pause makes Match find nothing, or lets it find again.
func (q *Queue) Pause(on bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.gate.Set(Paused, on)
}

// Close refuses those who join from now on and fails those who wait.
func (q *Queue) Close(err error) {
	q.mu.Lock()
	q.gate.Set(Closed, true)
	q.mu.Unlock()
	q.Fail(err)
}

// Fail ends the wait of all who are in the queue now.
func (q *Queue) Fail(err error) {
	q.mu.Lock()
	var failed []*Waiter
	for w := q.mu.root.next; w != &q.mu.root; w = q.mu.root.next {
		q.unlinkLocked(w)
		failed = append(failed, w)
	}
	q.mu.Unlock()
	wake(failed, err)
}

// Expire ends the wait of those whose Until has come, and returns the next
// Until. Who joins later has a later Until, so the walk ends at the first who
// has time left, and one timer serves the whole queue.
func (q *Queue) Expire(now time.Duration, err error) (next time.Duration, ok bool) {
	q.mu.Lock()
	var expired []*Waiter
	for w := q.mu.root.next; w != &q.mu.root && !ok; {
		after := w.next
		switch {
		case w.Limited && w.Until > now:
			next, ok = w.Until, true
		case w.Limited:
			q.unlinkLocked(w)
			expired = append(expired, w)
		}
		w = after
	}
	q.mu.Unlock()
	wake(expired, err)
	return next, ok
}

func wake(failed []*Waiter, err error) {
	for _, w := range failed {
		w.Wake(Grant{Err: err})
	}
}
