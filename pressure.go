package connpool

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/connpool/connpool/internal/waitq"
)

// pressure says when borrowers' stacks are captured, and how many of them the
// process's profile gets to see.
type pressure struct {
	capture   allowance    // of captures
	eased     atomic.Int64 // leases in a row that found a connection at once while stacks are captured
	easedFrom atomic.Int64 // when the first of them began
	profile   allowance    // of leases in the profile
	sampled   atomic.Bool  // an unnamed leak has been reported
}

// Stacks are captured from four fifths of the limit up, and no more below three
// fifths: in between nothing changes, so that a pool at the edge does not switch
// with every lease.
func pressed(n, limit int) bool { return 5*n >= 4*limit }
func calm(n, limit int) bool    { return 5*n < 3*limit }

// A stack is captured every captureEvery, after a burst, but for StacksAlways:
// what that costs, close to a microsecond with all that follows from it, is half a
// percent of it. Where leases last, as they do when a pool is exhausted or leaks,
// none is missed; where they do not, nobody will ask.
const (
	captureEvery = 200 * time.Microsecond
	captureBurst = 256 * captureEvery
)

// mayCapture reports whether an acquire may have its stack captured now.
func (p *Pool[T]) mayCapture(now time.Duration) bool {
	return p.cfg.LeakStacks == StacksAlways || p.pressure.capture.take(now, captureEvery, captureBurst)
}

// feelPressure turns the capture of stacks on when an acquire finds nothing idle
// while most of what may be open is.
func (p *Pool[T]) feelPressure() {
	if p.cfg.LeakStacks != StacksOnPressure {
		return
	}
	if p.gate.Load()&gateStacks != 0 {
		if p.pressure.eased.Load() != 0 {
			p.pressure.eased.Store(0)
		}
		return
	}
	p.mu.Lock()
	pressed := pressed(p.mu.open, p.mu.limit)
	p.mu.Unlock()
	if pressed {
		p.gate.Set(gateStacks, true)
		p.stir()
	}
}

// Captures stop early when easeAfter leases in a row have found a connection at
// once within easeWithin: nobody waits, and traffic is so thick, a lease every 40
// µs, that a stack for each would cost more than 1 % of a processor. In thinner
// traffic they go on until a sweep finds the pool calm.
const (
	easeAfter  = 256
	easeWithin = 10 * time.Millisecond
)

// feelEase counts a lease, begun now without a wait, while stacks are captured.
func (p *Pool[T]) feelEase() {
	if p.cfg.LeakStacks != StacksOnPressure || p.gate.Load()&gateStacks == 0 {
		return
	}
	now := p.now()
	switch n := p.pressure.eased.Add(1); {
	case n == 1:
		p.pressure.easedFrom.Store(int64(now))
	case n >= easeAfter:
		p.pressure.eased.Store(0)
		if now-time.Duration(p.pressure.easedFrom.Load()) < easeWithin {
			p.gate.Set(gateStacks, false)
		}
	}
}

// relaxLocked turns the capture of stacks on or off as leases crowd or thin out.
func (p *Pool[T]) relaxLocked(c *census) {
	if p.cfg.LeakStacks != StacksOnPressure {
		return
	}
	switch {
	case pressed(c.leased, p.mu.limit):
		p.gate.Set(gateStacks, true)
	case calm(c.leased, p.mu.limit):
		p.gate.Set(gateStacks, false)
	}
}

// sampleStacks turns StacksOnPressure into StacksSampled for the rest of the
// pool's life, and reports whether it was this call that did: a leak whose
// borrower nobody knows is worth what it costs to know the next one.
func (p *Pool[T]) sampleStacks() bool {
	if p.cfg.LeakStacks != StacksOnPressure || !p.pressure.sampled.CompareAndSwap(false, true) {
		return false
	}
	p.gate.Set(gateSampled, true)
	return true
}

// The profile takes a stack every profileEvery, after a burst: each costs more
// than the hand-off it tells of, and a lock that all pools share.
const (
	profileEvery = time.Millisecond
	profileBurst = 256 * profileEvery
)

// mayProfile reports whether a lease that begins now may be put into the
// process's profile.
func (p *Pool[T]) mayProfile(now time.Duration) bool {
	return p.pressure.profile.take(now, profileEvery, profileBurst)
}

// allowance lets something happen at a steady rate, and as often as that would
// have been in the time of a burst after as long a rest. It holds when the next
// would be due had all come at the rate.
type allowance struct{ next atomic.Int64 }

// take reports whether it may happen now.
func (a *allowance) take(now, every, burst time.Duration) bool {
	for {
		next := a.next.Load()
		after := max(time.Duration(next), now) + every
		if after > now+burst {
			return false
		}
		if a.next.CompareAndSwap(next, int64(after)) {
			return true
		}
	}
}

// A lease shorter than brief is over before whoever it was handed to next can
// have been woken by another processor.
const brief = 20 * time.Microsecond

// giveWay lets those run who have just been served by the end of a lease, if that
// was brief and more are waiting.
//
// A queue before brief leases feeds itself. Whoever returns a connection and asks
// for the next one joins the queue before those he served have run, so that each
// borrow goes on costing a wait, 1.6 µs in place of 7 ns with 16 goroutines a
// core on 8 connections. If he gives way they have come and gone before he asks,
// and a round later the queue is gone. Nobody overtakes anybody: it is not he
// who waits, and where he asks again he joins at the end.
//
// It costs him a turn of the scheduler. A lease that lasted longer than that is
// no such loop, and its end never gives way.
func giveWay(gate uint32, held time.Duration) {
	if gate&waitq.Waiting != 0 && held < brief {
		runtime.Gosched()
	}
}
