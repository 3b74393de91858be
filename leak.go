package connpool

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/connpool/connpool/internal/callers"
	"github.com/connpool/connpool/internal/slot"
)

// Holder is one call site and the leases it holds.
type Holder struct {
	// Caller is the first frame of the program's main module, and what it called if
	// that was not the pool: "main.transfer (bank.go:41) via callbacks.Query
	// (query.go:19)". Empty when no stack was captured.
	Caller string
	Stack  string        // of the lease held longest, from what called the pool up
	Count  int           // leases
	Held   time.Duration // the longest; a lower bound where no stack was captured
}

// Leak is one lease suspected to be leaked.
type Leak struct {
	Pool   string
	ID     uint64 // the same in the report and when the lease is returned after all
	Holder        // Count is 1
	Lost   bool   // it became garbage unreleased, and its connection has been closed
}

// String says in one line how many leases the site holds, and since when.
func (h Holder) String() string {
	if h.Count == 1 {
		return fmt.Sprintf("1 lease %s", h.heldBy())
	}
	return fmt.Sprintf("%d leases, longest %s", h.Count, h.heldBy())
}

func (h Holder) heldBy() string {
	return fmt.Sprintf("held %v by %s", round(h.Held), h.caller())
}

func (h Holder) caller() string { return cmp.Or(h.Caller, "a caller whose stack was not captured") }

// String says in one line what has leaked.
func (l Leak) String() string {
	what := "suspected leak"
	if l.Lost {
		what = "lost lease"
	}
	return fmt.Sprintf("connpool %q: %s %d: %s", l.Pool, what, l.ID, l.heldBy())
}

// Holders returns who holds leases now, grouped by call site, longest held
// first. Leases whose borrower's stack was not captured form one group with an
// empty Caller. It looks at every slot and resolves every captured stack: tens of
// microseconds for a pool of usual size.
func (p *Pool[T]) Holders() []Holder {
	held, kept := p.held()
	return bySite(append(held, kept...))
}

// suspectsFirst returns the holders as a failed acquire names them: those who mean to
// keep their leases for long come last.
func (p *Pool[T]) suspectsFirst() []Holder {
	held, kept := p.held()
	return append(bySite(held), bySite(kept)...)
}

func bySite(held []callers.Held) []Holder {
	sites := callers.Group(held)
	holders := make([]Holder, len(sites))
	for i, site := range sites {
		holders[i] = Holder(site)
	}
	return holders
}

// held returns the leases that last now, those marked by KeepLong apart.
func (p *Pool[T]) held() (held, kept []callers.Held) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	p.eachLocked(func(s *seat[T]) {
		w := s.word.Load()
		if w.State() != slot.Leased {
			return
		}
		since, stack := s.leasedSince(w), s.borrower(w)
		if since == off {
			since = now
		}
		lease := callers.Held{Stack: stack, Held: max(0, now-since)} // it may have begun just now
		switch now := s.word.Load(); {
		case !now.Same(w): // it has ended, and another may have begun
		case now.Has(slot.Kept):
			kept = append(kept, lease)
		default:
			held = append(held, lease)
		}
	})
	return held, kept
}

// leasedSince returns when the lease that the word tells of began, or where that
// was not written down, when a sweep first saw it; off if none has.
func (s *seat[T]) leasedSince(w slot.Word) time.Duration {
	switch {
	case w.Has(slot.Recorded):
		return time.Duration(s.since.Load())
	case s.seenTurn == w.Turn():
		return s.seenAt
	}
	return off
}

// borrower returns the stack of who took the lease, or nil.
func (s *seat[T]) borrower(w slot.Word) *callers.Stack {
	if !w.Has(slot.Recorded) {
		return nil
	}
	return s.stack.Load()
}

// leak describes a lease.
func (s *seat[T]) leak(w slot.Word, held time.Duration) *Leak {
	stack := s.borrower(w)
	return &Leak{
		Pool:   s.pool.cfg.Name,
		ID:     uint64(s.leakID.Load()),
		Holder: Holder{Caller: stack.Caller(), Stack: stack.Text(), Count: 1, Held: held},
	}
}

// erase forgets what was written down beside the word of a lease that has ended,
// tells of a leak that was none, and returns what a trace is told. The caller
// owns the slot.
func (s *seat[T]) erase(was slot.Word) pastLease {
	past := s.past(was)
	if was.Has(slot.Leaked) {
		s.pool.noteReturned(s.leak(was, past.held))
	}
	s.forget(was)
	return past
}

func (s *seat[T]) past(was slot.Word) pastLease {
	return pastLease{ctx: s.ctx, conn: s.number(), held: s.held(was)}
}

// held returns how long a lease that has ended was held, or 0 where nobody has
// to know.
func (s *seat[T]) held(was slot.Word) time.Duration {
	p := s.pool
	switch {
	case was.Has(slot.Recorded):
		return p.now() - time.Duration(s.since.Load())
	case was.Has(slot.Leaked):
		p.mu.Lock()
		defer p.mu.Unlock()
		now := p.now()
		return now - min(now, s.leasedSince(was))
	}
	return 0
}

func (s *seat[T]) forget(was slot.Word) {
	s.ctx = nil
	if was.Has(slot.Recorded) {
		s.stack.Store(nil)
		s.entry.Swap(nil).Remove()
	}
}

// pastLease is what is told of a lease that has ended, kept while its slot moves on.
type pastLease struct {
	ctx  context.Context
	conn uint64
	held time.Duration
}

func (p *Pool[T]) traceReleased(l pastLease, err error) {
	if t := p.cfg.Trace; t != nil && t.Released != nil && l.ctx != nil {
		t.Released(l.ctx, ReleasedInfo{Pool: p.cfg.Name, Conn: l.conn, Held: l.held, Err: err})
	}
}

func (p *Pool[T]) noteLeak(leak Leak) {
	p.count.leaks.Add(1)
	attrs := leak.attrs()
	if leak.Caller == "" && p.sampleStacks() {
		p.cfg.Budget.sampleStacks()
		attrs = append(attrs, "note", "stacks are captured from now on, so that the next leak is named")
	}
	if hang := p.gauges().hang(); hang != "" {
		attrs = append(attrs, "but", hang+", and the holder may be waiting for it")
	}
	p.event(func() {
		p.warn(leak.kind(), attrs...)
		if t := p.cfg.Trace; t != nil && t.Leaked != nil {
			t.Leaked(leak)
		}
	})
	if p.cfg.OnLeak != nil {
		p.tellLeak(leak)
	}
}

func (p *Pool[T]) noteReturned(leak *Leak) {
	p.event(func() {
		p.warn("suspected leak was returned after all", leak.attrs()...)
		if t := p.cfg.Trace; t != nil && t.LeakReturned != nil {
			t.LeakReturned(*leak)
		}
	})
}

func (l Leak) kind() string {
	if l.Lost {
		return "a lease was lost: it became garbage unreleased"
	}
	return "suspected leak"
}

func (l Leak) attrs() []any {
	return []any{"leak", l.ID, "held", l.Held, "by", l.caller(), "stack", strings.TrimSpace(l.Stack)}
}

// token becomes garbage when its lease does, all copies of it. It is issued for
// each lease of a pool with ReclaimLost.
type token struct {
	cleanup runtime.Cleanup
	_       *byte // a pointer keeps it out of the shared blocks of the tiny allocator, which live longer
}

// issue returns the token of a lease.
func (p *Pool[T]) issue(lease Lease[T]) *token {
	t := new(token)
	t.cleanup = runtime.AddCleanup(t, func(lost Lease[T]) { go lost.reclaim() }, lease)
	return t
}

// cancel calls off the clean-up of a lease that has ended.
func (t *token) cancel() {
	if t != nil {
		t.cleanup.Stop()
	}
}

// reclaim ends a lease that nobody can end any more, and destroys its
// connection. A lease that has ended just now, before its clean-up was called
// off, is no stale release.
func (l Lease[T]) reclaim() {
	was, ok := l.tryEnd(slot.Closing)
	if !ok {
		return
	}
	p, s := l.seat.pool, l.seat
	past := s.past(was)
	leak := s.leak(was, past.held)
	leak.Lost = true
	if !was.Has(slot.Leaked) {
		leak.ID = uint64(p.leakID.Add(1))
	}
	s.forget(was)
	p.noteLeak(*leak)
	p.event(func() { p.traceReleased(past, nil) })
	p.shut(s, ClosedLost, nil)
}
