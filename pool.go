package connpool

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/connpool/connpool/internal/alarm"
	"github.com/connpool/connpool/internal/explore"
	"github.com/connpool/connpool/internal/idle"
	"github.com/connpool/connpool/internal/pace"
	"github.com/connpool/connpool/internal/slot"
	"github.com/connpool/connpool/internal/waitq"
)

// The gate's bits beside the queue's. Any bit sends acquires down the slow path.
const (
	gateStacks  = waitq.Free << iota // capture borrowers' stacks
	gateHooked                       // something is to be done with every hand-out
	gateBudget                       // another pool waits for a unit of the Budget
	gateSampled                      // capture borrowers' stacks, however much is idle
	gateSettled                      // Settled waits for slots to become idle
)

// gateRelease are the bits that a releaser looks for after its push.
const gateRelease = waitq.Waiting | gateBudget

// Pool is a bounded set of connections of type T. It is safe for concurrent use
// and must not be copied.
type Pool[T any] struct {
	// Read with every lease, written hardly ever.
	gate   waitq.Gate
	plain  bool // a release is a push: nothing else is configured to happen
	idle   *idle.List
	due    *idle.List // slots met in idle that have to be checked before they are lent
	seats  seats[T]
	cfg    Config[T]
	epoch  time.Time     // times are durations since then
	period time.Duration // between sweeps

	// refusal is the error of every acquire that finds the pool closed. One for all:
	// callers that go on trying must not take the lock, and hold up the close.
	refusal *AcquireError

	queue waitq.Queue

	ctx    context.Context // of dials, checks and resets; ends with Close
	cancel context.CancelCauseFunc

	// Supply on its way, beside the dials: slots in states resetting and checking
	// that will be lent to whoever waits, and how many of those checks are of
	// suspects, on which nobody counts.
	coming, suspects explore.Int64

	idleCount explore.Int64 // slots in state idle; kept only if counted
	counted   bool          // MinIdle or MaxIdle needs idleCount

	refused    atomic.Bool   // an outage has failed somebody, and no dial has succeeded since
	abandoned  explore.Int64 // callbacks that hang past their time-out
	strays     explore.Int64 // of those, the ones with a connection
	tasks      explore.Int64 // goroutines of the pool's that Shutdown waits for
	count      counters
	leakID     atomic.Uint32
	snapshot   snapshot
	events     teller    // the Logger, and what of Trace runs in the background
	leaks      teller    // OnLeak
	panics     allowance // of log lines about panics
	hungCloses allowance // and about closes that hang

	panicsUnlogged atomic.Uint64

	pressure pressure

	sweeper, retry, expiry, sizing *alarm.Alarm

	// mu guards the number of open connections: empty -> opening and closing ->
	// empty happen under it, and so do the passes over the table, so that a pass
	// never sees more than the limit. It is never held while user code runs, and
	// may be held while the queue's lock is taken, never the other way round.
	mu struct {
		explore.Mutex
		closed  bool
		maxSize int
		limit   int // what the Sizer allows of maxSize
		debt    int // connections to close after a shrink, by those who return them

		open       int      // slots that are not empty
		connecting int      // of those, opening
		closing    int      // of those, closing
		leaving    int      // of those, soon too old, as the last sweep saw it
		free       []uint32 // numbers of empty slots
		high       uint32   // numbers from here up have never been used

		pace     pace.Pace
		outages  outageState
		dials    []time.Duration // when those under way started, oldest first
		slowDial time.Duration   // a dial that lasts longer is not counted on; off: none is
		warm     int             // the warmers want this many open
		warmers  int             // calls of Warm under way
		settled  int             // calls of Settled under way
		changed  chan struct{}   // closed when a dial or a close ends, if Warm or Settled waits

		leases   uint64 // leases that have ended, and openings, as far as tallied
		opened   uint64 // openings alone
		acquires int64  // the most that Stats.Acquires has been

		sweep   sweepState
		sampler sampler
	}

	// occupied mirrors mu.open when it is at the limit, so that a waiter need not
	// take mu to learn that it cannot dial. See grow.
	occupied explore.Bool

	drained chan struct{} // closed once the closed pool has nothing open and no task left
	drain   sync.Once
}

// New checks cfg, reporting all its faults at once, and returns a pool. It opens
// no connection before it is asked for one, except to fill MinSize and MinIdle
// in the background; Warm waits for these. Close the pool when done with it.
func New[T any](cfg Config[T]) (*Pool[T], error) {
	full, err := cfg.normalize()
	if err != nil {
		return nil, err
	}
	p := &Pool[T]{cfg: full, epoch: time.Now(), period: full.sweepPeriod(), drained: make(chan struct{})}
	p.refusal = &AcquireError{Pool: full.Name, Stage: StageWait, Err: ErrClosed}
	p.ctx, p.cancel = context.WithCancelCause(context.Background())
	p.idle, p.due = full.lists()
	p.queue.Init(&p.gate, full.MaxWaiting)
	p.counted = full.MinIdle > 0 || full.MaxIdle != 0
	p.plain = !full.cleans() && !p.counted && !full.ReclaimLost && !full.Trace.follows()
	p.gate.Set(gateHooked, full.hooked() || p.counted)
	p.gate.Set(gateStacks, full.LeakStacks == StacksAlways)
	p.gate.Set(gateSampled, full.LeakStacks == StacksSampled)
	p.queue.Pause(full.Paused)
	p.initLocked()
	full.Budget.join(p)
	p.grow()
	return p, nil
}

func (p *Pool[T]) initLocked() {
	p.mu.maxSize, p.mu.limit = p.cfg.MaxSize, p.cfg.MaxSize
	p.mu.slowDial = p.slowAfter()
	p.mu.pace = pace.New(pace.Config{
		MaxWindow:  p.cfg.MaxConnecting,
		BackoffMin: p.cfg.BackoffMin,
		BackoffMax: p.cfg.BackoffMax,
		DownAfter:  p.cfg.DownAfter,
	})
	p.sweeper = alarm.New(p.epoch, p.sweep)
	p.retry = alarm.New(p.epoch, func(time.Duration) { p.grow() })
	p.expiry = alarm.New(p.epoch, func(time.Duration) { p.expire() })
	p.sizing = alarm.New(p.epoch, func(time.Duration) { p.sample() })
	p.startSizer()
}

// hooked reports whether something is to be done with every hand-out.
func (c *Config[T]) hooked() bool {
	return c.Alive != nil || c.Prepare != nil || c.ReclaimLost || c.Trace.follows() ||
		c.Trace != nil && c.Trace.Acquiring != nil
}

// cleans reports whether something may be done with what comes back.
func (c *Config[T]) cleans() bool { return c.Clean != nil || c.Reset != nil || c.MaxUses > 0 }

// follows reports whether the trace wants to hear of every lease.
func (t *Trace) follows() bool { return t != nil && (t.Acquired != nil || t.Released != nil) }

// Name returns the pool's name.
func (p *Pool[T]) Name() string { return p.cfg.Name }

// now returns the time since the pool's epoch.
//
// Seam 19: the epoch is the pool's own, times are only ever subtracted, and 0 is a
// time like any other: "never" is off. So the pool works in a bubble whose clock
// starts elsewhere.
func (p *Pool[T]) now() time.Duration { return explore.Since(p.epoch) }

// Acquire returns a lease of a connection: an idle one, or else the first of
// those returned, opened or checked while it waits in the queue, first come,
// first served. The lease must be ended, by Release or one of its siblings.
//
// The error is an *AcquireError. When ctx ends, Acquire returns at once,
// whatever the factory is doing; a nil ctx panics. An acquire that finds an idle
// connection takes no lock, reads no clock and allocates nothing.
func (p *Pool[T]) Acquire(ctx context.Context) (Lease[T], error) {
	if ctx != nil && p.gate.Load() == 0 && ctx.Err() == nil {
		if n, ok := p.idle.Near(); ok {
			s := p.seats.at(n)
			if w := s.word.Load(); w.Plain() && s.word.CAS(w, w.Lend()) {
				return Lease[T]{seat: s, word: w.Lend()}, nil
			}
		}
		return p.acquireFar(ctx)
	}
	return p.acquire(ctx, nil)
}

// acquireFar is Acquire for one who found nothing near: it pops.
func (p *Pool[T]) acquireFar(ctx context.Context) (Lease[T], error) {
	if p.idle.Missed() {
		p.look() // seam 1: who looked while the number was in neither cell nor stack comes first
	}
	n, ok := p.idle.Pop()
	if !ok {
		return p.acquire(ctx, nil)
	}
	s := p.seats.at(n)
	if w := s.word.Load(); w.Plain() {
		if lent := w.Without(slot.Listed).Lend(); s.word.CAS(w, lent) {
			return Lease[T]{seat: s, word: lent}, nil
		}
	}
	return p.acquire(ctx, s)
}

// TryAcquire returns a lease of a connection that is idle now, or ErrNoneIdle.
// It never waits, except for Prepare. Where there is room it starts a dial for
// whoever comes next, if none is under way. A connection that is due for a Check
// is checked in the background and skipped.
func (p *Pool[T]) TryAcquire(ctx context.Context) (Lease[T], error) {
	b := borrower[T]{pool: p, ctx: mustContext(ctx), unproved: checkFirst}
	b.traceAcquiring()
	lease, err := b.tryAcquire()
	if err != nil {
		b.traceFailed(err)
	}
	return lease, err
}

// AcquireIdle returns leases of all connections that are idle now, unchecked but
// for Alive: it is meant for looking after them. Callers that come meanwhile
// wait or dial. If Alive or Prepare panics, what was acquired is given back.
func (p *Pool[T]) AcquireIdle() []Lease[T] {
	var leases []Lease[T]
	returned := false
	defer func() {
		if !returned { // but Alive or Prepare has panicked
			p.withdrawAll(leases)
		}
	}()
	b := borrower[T]{pool: p, ctx: context.Background(), unproved: takeAsIs}
	for {
		b.capture() // anew: a stack is of one lease
		s, w, err := b.tryNext()
		if err != nil {
			returned = true
			p.count.withdrawn.Add(-uint64(len(leases)))
			return leases
		}
		if lease, verdict, _ := b.lend(s, w); verdict == lent {
			leases = append(leases, lease)
		}
	}
}

// withdrawAll ends leases that nobody gets, whatever the callbacks at the end of
// each do.
func (p *Pool[T]) withdrawAll(leases []Lease[T]) {
	if len(leases) == 0 {
		return
	}
	defer p.withdrawAll(leases[1:])
	leases[0].Release()
}

// Do acquires a connection, calls f with it, once at most, and ends the lease as
// ReleaseErr does with f's error, which it returns. If f panics or calls
// runtime.Goexit the connection is destroyed.
func (p *Pool[T]) Do(ctx context.Context, f func(ctx context.Context, conn T) error) error {
	lease, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	returned := false
	defer lease.unlessReturned(&returned, ClosedDiscarded)
	err = f(ctx, lease.Conn())
	returned = true
	lease.ReleaseErr(err)
	return err
}

func mustContext(ctx context.Context) context.Context {
	if ctx == nil {
		panic("connpool: nil context: pass context.Background() if there is none")
	}
	return ctx
}
