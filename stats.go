package connpool

import (
	"sync"
	"time"

	"github.com/connpool/connpool/internal/slot"
)

// Stats returns a snapshot. It looks at every slot once, under the lock that
// opening and emptying slots take: about a nanosecond or two a slot.
func (p *Pool[T]) Stats() Stats {
	s := p.gauges()
	c := &p.count
	s.Waits, s.Timeouts, s.Cancels, s.QueueFull = c.waits.Load(), c.timeouts.Load(), c.cancels.Load(), c.queueFull.Load()
	s.Unreachable = c.unreachable.Load()
	s.Connects, s.ConnectErrors = c.connects.Load(), c.connectErrors.Load()
	s.Hijacks, s.Leaks, s.StaleReleases, s.Panics = c.hijacks.Load(), c.leaks.Load(), c.staleReleases.Load(), c.panics.Load()
	s.EventsDropped = c.eventsDropped.Load()
	s.Closes = c.closesByReason()
	s.WaitTime, s.ConnectTime = c.waitTime.snapshot(), c.connectTime.snapshot()
	return s
}

// gauges counts the slots by state, and the leases by turn.
func (p *Pool[T]) gauges() Stats {
	s := Stats{
		Pool:    p.cfg.Name,
		MinSize: p.cfg.MinSize, MinIdle: p.cfg.MinIdle,
		Abandoned: int(p.abandoned.Load()),
		Waiting:   p.queue.Len(),
		Paused:    p.paused(),
	}
	_, joined, waiting := p.queue.Head()
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if waiting {
		s.OldestWait = now - joined
	}
	s.MaxSize, s.Limit, s.MaxIdle = p.mu.maxSize, p.mu.limit, p.maxIdleLocked()
	p.eachLocked(func(seat *seat[T]) {
		w := seat.word.Load()
		p.tallyLocked(seat, w)
		s.count(w.State())
		if since := seat.leasedSince(w); w.State() == slot.Leased && since != off {
			s.OldestLease = max(s.OldestLease, now-since)
		}
		if w.State() == slot.Closing && seat.seenTurn == w.Turn()|closingSince {
			s.OldestClose = max(s.OldestClose, now-seat.seenAt)
		}
	})
	if aim := p.aimLocked(); p.mu.pace.Failing() != nil && aim > p.liveLocked() {
		s.Wanted = aim
	}
	s.Size = s.Idle + s.InUse + s.Connecting + s.Checking + s.Resetting + s.Closing
	s.Acquires = p.acquiresLocked(s.InUse)
	return s
}

// acquiresLocked returns how many leases have been granted, of which so many last.
//
// It never goes back. A lease that may come to nothing is counted as withdrawn
// before its word says leased, and no more once its borrower has it; withdrawn is
// read here after the words. So the sum may be too small for a moment, when the
// last one holds, and is never too large.
func (p *Pool[T]) acquiresLocked(lasting int) uint64 {
	ended := int64(p.mu.leases - p.mu.opened)
	p.mu.acquires = max(p.mu.acquires, ended+int64(lasting)-int64(p.count.withdrawn.Load()))
	return uint64(p.mu.acquires)
}

// closingSince is set in a seat's seenTurn while its connection is being closed.
const closingSince = 1 << 63

func (s *Stats) count(state slot.State) {
	switch state {
	case slot.Opening:
		s.Connecting++
	case slot.Idle:
		s.Idle++
	case slot.Leased:
		s.InUse++
	case slot.Resetting:
		s.Resetting++
	case slot.Checking:
		s.Checking++
	case slot.Closing:
		s.Closing++
	}
}

// tallyLocked adds the leases and openings of a slot since it was last tallied.
// Only whole ones count: a lease that lasts is half of one by the turn.
func (p *Pool[T]) tallyLocked(s *seat[T], w slot.Word) {
	turn := w.Turn() &^ 1
	p.mu.leases += slot.Leases(s.tallied, turn)
	s.tallied = turn
}

func (p *Pool[T]) maxIdleLocked() int {
	if p.cfg.MaxIdle == 0 {
		return p.mu.maxSize
	}
	return max(p.cfg.MaxIdle, 0)
}

// snapshot is what failures of one moment have in common: with 50,000 time-outs
// at once, the table is looked at once.
type snapshot struct {
	mu struct {
		sync.Mutex
		at   time.Duration
		seen *seen
	}
}

// seen is what a snapshot saw. It is passed by pointer, since it would not fit
// the small stack of a goroutine that has only waited.
type seen struct {
	stats   Stats
	holders []Holder
}

// snapshotAge is how old a snapshot may be to be shared.
const snapshotAge = 100 * time.Millisecond

func (p *Pool[T]) failureSnapshot() *seen {
	s := &p.snapshot.mu
	s.Lock()
	defer s.Unlock()
	if now := p.now(); s.seen == nil || now-s.at >= snapshotAge {
		s.at, s.seen = now, p.see()
	}
	return s.seen
}

func (p *Pool[T]) see() *seen { return &seen{p.Stats(), p.suspectsFirst()} }

// newAcquireError describes a failed acquire.
func (p *Pool[T]) newAcquireError(stage Stage, waited time.Duration, err error) *AcquireError {
	p.mu.Lock()
	failing := p.mu.pace.Failing()
	p.mu.Unlock()
	seen := p.failureSnapshot()
	return &AcquireError{
		Pool: p.cfg.Name, Stage: stage, Waited: waited, Err: err,
		Stats: seen.stats, Holders: seen.holders, LastConnect: failing,
	}
}

// shortage returns the reason why those who wait get nothing: ErrExhausted, also
// where the server gives no more, ErrUnreachable, or nil if it is neither.
func (p *Pool[T]) shortage() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.paused():
	case p.mu.open >= p.mu.limit && p.mu.connecting == 0:
		return ErrExhausted
	case p.mu.pace.Failing() != nil:
		if hopeful, _ := p.hopefulLocked(p.now()); !hopeful {
			return ErrUnreachable
		}
		return ErrExhausted
	}
	return nil
}
