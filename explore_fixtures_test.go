//go:build explore

package connpool

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/connpool/connpool/internal/explore"
	"github.com/connpool/connpool/internal/idle"
	"github.com/connpool/connpool/internal/slot"
)

// Fixtures of the scenarios that the explorer takes through every schedule. They
// need no other test file, since each mutant is built with these alone.

// thing is a connection.
type thing struct {
	number int // of its dial
	users  int
	closed bool
}

// house is a pool and what its users and its server know of it.
type house struct {
	*Pool[*thing]
	run  *explore.Run
	lent int // acquires that succeeded

	// Of a house that dials.
	fate  func(n int) error // of the n-th dial, from 1
	dials int               // begun
	most  int               // that may be open at the server, those being opened and closed included
	open  int               // that are
}

// newHouse returns a house whose slots are set up by hand: it dials nothing, so
// that all that happens in it happens in the scenario's threads.
func newHouse(r *explore.Run, size int) *house {
	h := newDiallingHouse(r, size, nil)
	h.retry.Stop()
	h.cfg.Close = nil
	h.strays.Store(1 << 20) // stops the dialling
	return h
}

// newDiallingHouse returns a house that dials by itself, and closes, on goroutines
// that are threads of the scenario. Of its alarms only that one is on which ends
// a pause between dials.
func newDiallingHouse(r *explore.Run, size int, edit func(*Config[*thing])) *house {
	h := &house{run: r, most: size, fate: func(int) error { return nil }}
	cfg := Config[*thing]{
		Name:           "explored",
		Connect:        h.connect,
		Close:          h.shutThing,
		MaxSize:        size,
		AcquireTimeout: -1, ConnectTimeout: -1, CheckTimeout: -1, CloseTimeout: -1,
		CheckAfterIdle: -1, CheckInterval: -1, IdleTimeout: -1, MaxLifetime: -1,
		LeakThreshold: -1, DownAfter: -1,
		LeakStacks: StacksNever,
		Logger:     slog.New(slog.DiscardHandler),
	}
	if edit != nil {
		edit(&cfg)
	}
	p, err := New(cfg)
	if err != nil {
		panic(err)
	}
	p.sweeper.Stop()
	p.mu.slowDial = off // its time never comes here, and would only add to the schedules
	// Failures share a snapshot of the pool: none needs to be made, under a lock
	// that the explorer does not know.
	p.snapshot.mu.seen, p.snapshot.mu.at = new(seen), off
	h.Pool = p
	h.withCells(0)
	return h
}

// connect is a dial, with the fate that the scenario has for it.
func (h *house) connect(context.Context) (c *thing, err error) {
	h.dials++
	number := h.dials
	h.open++
	h.run.Require(h.open <= h.most, "%d are open at once", h.open)
	defer func() {
		if c == nil {
			h.open--
		}
	}()
	if err := h.fate(number); err != nil {
		return nil, err
	}
	return &thing{number: number}, nil
}

func (h *house) shutThing(_ context.Context, c *thing) error {
	h.run.Require(!c.closed && c.users == 0, "closed twice or in use: %+v", *c)
	c.closed = true
	explore.Point()
	h.open--
	return nil
}

// withCells gives the pool's idle list so many cells, one or none: which of more
// a goroutine goes to is not the same each time.
func (h *house) withCells(n int) {
	h.idle = idle.New(n)
	h.idle.Grow(firstChunk)
}

// dialling returns an open slot with a new connection that nobody has got yet.
func (h *house) dialling() *seat[*thing] {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.emptyLocked()
	for w := s.word.Load(); !s.word.CAS(w, w.Open()); w = s.word.Load() {
	}
	h.mu.open++
	h.mu.opened++
	h.mu.connecting++
	h.mu.dials = append(h.mu.dials, 0)
	h.noteLocked()
	return s
}

// opened makes so many slots idle and returns them.
func (h *house) opened(n int) (open []*seat[*thing]) {
	for range n {
		s := h.dialling()
		h.dialled(s, new(thing), 0)
		open = append(open, s)
	}
	return open
}

// leased opens so many slots and returns leases of them.
func (h *house) leased(n int) (leases []Lease[*thing]) {
	h.opened(n)
	for range n {
		lease, err := h.Acquire(context.Background())
		if err != nil {
			panic(err)
		}
		h.lent++
		lease.Conn().users++
		leases = append(leases, lease)
	}
	return leases
}

// acquire acquires for a thread, and notes the use of what it gets.
func (h *house) acquire(ctx context.Context) (Lease[*thing], error) {
	lease, err := h.Acquire(ctx)
	if err == nil {
		h.begin(lease)
	}
	return lease, err
}

func (h *house) begin(lease Lease[*thing]) {
	h.lent++
	c := lease.Conn()
	c.users++
	h.run.Require(c.users == 1, "a connection has %d users", c.users)
}

// end ends a use, and says how.
func (h *house) end(lease Lease[*thing], how func(Lease[*thing])) {
	c := lease.Conn()
	c.users--
	h.run.Require(c.users == 0, "a connection has %d users after one has ended", c.users)
	how(lease)
}

func (h *house) release(lease Lease[*thing]) { h.end(lease, Lease[*thing].Release) }

// borrow is a thread that uses a connection once. It must get one.
func (h *house) borrow() {
	lease, err := h.acquire(context.Background())
	if err != nil {
		h.run.Failf("acquire: %v", err)
		return
	}
	explore.Point()
	h.release(lease)
}

// borrowOr is a thread that uses a connection once, or is told why it cannot.
func (h *house) borrowOr(ctx context.Context, refusal error) func() {
	return func() {
		lease, err := h.acquire(ctx)
		if err == nil {
			h.release(lease)
			return
		}
		h.run.Require(errors.Is(err, refusal), "acquire: %v", err)
	}
}

// settled checks, once all threads have ended, what must hold then whatever the
// schedule was: of the open slots so many are idle, nobody waits, each idle
// slot's number is listed once, what was opened is open or was closed once, and
// the turns of the slots count the leases.
func (h *house) settled(idle int) {
	p, r := h.Pool, h.run
	r.Require(p.queue.Len() == 0 && p.gate.Load()&gateRelease == 0, "%d wait, gate %b", p.queue.Len(), p.gate.Load())
	h.requireListed()
	s := p.gauges()
	r.Require(s.Idle == idle && s.Size == idle, "%d open and %d idle, not %d", s.Size, s.Idle, idle)
	r.Require(s.Acquires == uint64(h.lent), "%d leases, and %d callers had one", s.Acquires, h.lent)
	closes := uint64(0)
	for reason := range p.count.closes {
		closes += p.count.closes[reason].Load()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r.Require(p.mu.open == idle && p.mu.closing == 0 && p.mu.connecting == 0 && p.mu.debt == 0,
		"counted: %d open, %d closing, %d connecting, debt %d", p.mu.open, p.mu.closing, p.mu.connecting, p.mu.debt)
	connects := p.count.connects.Load()
	r.Require(connects == closes+uint64(idle), "%d connected, %d closed, %d idle", connects, closes, idle)
	r.Require(p.cfg.Close != nil || p.mu.opened == connects, "%d opened, %d connected", p.mu.opened, connects)
	r.Require(p.coming.Load() == 0, "%d coming", p.coming.Load())
	if p.cfg.Close != nil {
		r.Require(h.open == idle, "%d are open at the server, and %d idle", h.open, idle)
	}
	if p.mu.closed {
		r.Require(isClosed(p.drained), "nobody tells Shutdown that nothing is left")
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// requireListed checks that a number is in a list once where its word says so, and
// else not at all, and that of an idle slot it is in one of them: in the idle list
// if the slot is proved. It empties the lists.
func (h *house) requireListed() {
	h.requireIn(h.idle, slot.Listed)
	h.requireIn(h.due, slot.Aside)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.eachLocked(func(s *seat[*thing]) {
		w, where := s.word.Load(), slot.Listed
		if w.Has(slot.Unproved) {
			where |= slot.Aside
		}
		h.run.Require(w.State() != slot.Idle || w.Has(where), "slot %d is idle and hidden", s.n)
		h.run.Require(w.State() != slot.Idle || !w.Has(slot.Doomed), "slot %d is idle and doomed", s.n)
		h.run.Require(w.State() != slot.Idle || s.conn.Load() != nil, "slot %d is idle and has no connection", s.n)
	})
}

func (h *house) requireIn(l *idle.List, flag slot.Word) {
	listed := map[uint32]int{}
	for n, ok := l.Pop(); ok && listed[n] < 2; n, ok = l.Pop() {
		listed[n]++
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.eachLocked(func(s *seat[*thing]) {
		want := 0
		if s.word.Load().Has(flag) {
			want = 1
		}
		h.run.Require(listed[s.n] == want, "slot %d is listed %d times, and its word says %d", s.n, listed[s.n], want)
	})
}

// exploreDialling takes a scenario in a new pool that dials through its schedules.
func exploreDialling(t *testing.T, size, preemptions int, scenario func(r *explore.Run, h *house)) {
	t.Helper()
	explore.All(t, preemptions, func(r *explore.Run) {
		scenario(r, newDiallingHouse(r, size, nil))
	})
}

// exploreHouse takes a scenario in a new pool through its schedules.
func exploreHouse(t *testing.T, size, preemptions int, scenario func(r *explore.Run, h *house)) {
	t.Helper()
	explore.All(t, preemptions, func(r *explore.Run) {
		h := newHouse(r, size)
		scenario(r, h)
	})
}
