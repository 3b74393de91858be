package connpool

import (
	"cmp"
	"context"
	"time"

	"github.com/connpool/connpool/internal/callers"
	"github.com/connpool/connpool/internal/explore"
	"github.com/connpool/connpool/internal/slot"
	"github.com/connpool/connpool/internal/waitq"
)

// borrower is one acquire that did not find a plain idle connection at once.
type borrower[T any] struct {
	pool     *Pool[T]
	ctx      context.Context
	stack    *callers.Stack // captured, or nil
	caller   *caller        // its place in the queue, once it has had to wait
	joined   bool           // and has been let in
	waited   time.Duration
	unproved unproved // what it does with connections that are due for a check
}

// caller is a borrower's place in the queue and what others need of it: the
// dialler its context's values, the granter its stack.
type caller struct {
	waitq.Waiter
	ctx   context.Context
	stack *callers.Stack
}

// verdict is what came of an attempt to lend a slot.
type verdict int

const (
	lent    verdict = iota
	another         // this one was no good: try another
	failed
)

// acquire is Acquire beside the common path: pop, join, look again, grow, wait,
// lend. first is a slot whose number has been popped already, or nil.
func (p *Pool[T]) acquire(ctx context.Context, first *seat[T]) (Lease[T], error) {
	b := borrower[T]{pool: p, ctx: mustContext(ctx), unproved: checkFirst}
	b.traceAcquiring()
	lease, err := b.acquire(first)
	if err != nil {
		b.traceFailed(err)
	}
	return lease, err
}

func (b *borrower[T]) acquire(first *seat[T]) (Lease[T], error) {
	switch {
	case first != nil:
	case b.pool.closed():
		return Lease[T]{}, b.pool.refusal
	case b.ctx.Err() != nil:
		return Lease[T]{}, b.failWait(b.ended())
	}
	b.capture()
	for bad := 0; ; {
		s, w, err := b.next(first)
		if first = nil; err != nil {
			return Lease[T]{}, err
		}
		lease, verdict, err := b.lend(s, w)
		if verdict != another {
			return lease, err
		}
		if err == errUnsureNow {
			continue // nothing was wrong with it
		}
		if bad++; bad > b.pool.limit() {
			return Lease[T]{}, b.fail(StageCheck, err)
		}
	}
}

// tryAcquire is acquire for a caller that does not wait.
func (b *borrower[T]) tryAcquire() (Lease[T], error) {
	b.capture()
	for {
		s, w, err := b.tryNext()
		if err != nil {
			return Lease[T]{}, err
		}
		if lease, verdict, err := b.lend(s, w); verdict != another {
			return lease, err
		}
	}
}

func (b *borrower[T]) traceAcquiring() {
	if t := b.pool.cfg.Trace; t != nil && t.Acquiring != nil {
		t.Acquiring(b.ctx, AcquiringInfo{Pool: b.pool.cfg.Name})
	}
}

func (b *borrower[T]) traceFailed(err error) {
	if t := b.pool.cfg.Trace; t != nil && t.AcquireFailed != nil {
		t.AcquireFailed(b.ctx, AcquireFailedInfo{Pool: b.pool.cfg.Name, Err: err})
	}
}

// capture captures the borrower's stack if stacks are wanted.
func (b *borrower[T]) capture() {
	p := b.pool
	if p.gate.Load()&(gateStacks|gateSampled) != 0 && p.mayCapture(p.now()) {
		b.stack = callers.Capture(1)
	}
}

// next returns a slot that is leased to the borrower: an idle one if nobody is
// ahead of it, or what it is granted in the queue. first, if not nil, is a slot
// whose number the borrower has popped already.
func (b *borrower[T]) next(first *seat[T]) (*seat[T], slot.Word, error) {
	p := b.pool
	for first != nil || b.caller == nil && p.gate.Load()&(waitq.Waiting|waitq.Paused|waitq.Closed) == 0 {
		s, w, fate := p.take(first, b.stack, checkFirst)
		p.look()
		if fate == taken {
			return s, w, nil
		}
		p.dispose(s, w, fate)
		if first = nil; fate == none || fate == toCheck {
			break
		}
	}
	return b.wait()
}

// tryNext is next for those who do not wait.
func (b *borrower[T]) tryNext() (*seat[T], slot.Word, error) {
	p := b.pool
	for p.gate.Load()&(waitq.Waiting|waitq.Paused|waitq.Closed) == 0 {
		s, w, fate := p.take(nil, b.stack, b.unproved)
		p.look()
		switch fate {
		case taken:
			return s, w, nil
		case none:
			if b.unproved != takeAsIs { // AcquireIdle wants what there is
				p.ask()
			}
			return nil, 0, ErrNoneIdle
		case toCheck:
			b.unproved = leaveThem // one check is enough for one who does not wait for it
		}
		p.dispose(s, w, fate)
	}
	if p.gate.Load()&waitq.Closed != 0 {
		return nil, 0, ErrClosed
	}
	return nil, 0, ErrNoneIdle
}

// wait joins the queue, looks again, and sleeps until it is granted a slot or
// its context ends.
//
// Seam 1, the waiter's half: it joins and then serves, the releaser pushes and
// then looks at the gate. Whichever comes second sees the other.
func (b *borrower[T]) wait() (*seat[T], slot.Word, error) {
	p := b.pool
	c := b.place()
	// A context whose methods panic does so here, while the caller holds nothing and
	// stands in no queue.
	ended := b.ctx.Done()
	switch p.queue.Join(&c.Waiter) {
	case waitq.Refused:
		return nil, 0, b.pool.refusal
	case waitq.Full:
		p.count.queueFull.Add(1)
		return nil, 0, b.fail(StageWait, ErrQueueFull)
	}
	if !b.joined {
		b.joined = true
		p.count.waits.Add(1)
	}
	p.serve()
	if c.Limited {
		p.expiry.By(c.Until)
	}
	grant, err := b.sleep(c, ended)
	b.waited = p.now() - c.Joined
	if err == nil {
		err = grant.Err
	}
	if err != nil {
		return nil, 0, b.failWait(err)
	}
	return p.seats.at(grant.Number), slot.Word(grant.Word), nil
}

// sleep returns what the borrower is granted, or the error of its context.
//
// Seam 3: the queue's lock decides between grant and cancel. A cancel that loses
// owns the grant, and gives it back.
func (b *borrower[T]) sleep(c *caller, ended <-chan struct{}) (waitq.Grant, error) {
	ready, done := explore.Wait(c.Ready(), ended)
	select {
	case <-ready:
		return c.Granted(), nil
	case <-done:
	}
	if b.pool.queue.Leave(&c.Waiter) {
		b.pool.trim()
		return waitq.Grant{}, b.ended()
	}
	ready, _ = explore.Wait(c.Ready(), nil)
	<-ready
	if grant := c.Granted(); grant.Err == nil {
		b.pool.withdraw(grant)
	}
	return waitq.Grant{}, b.ended()
}

// place returns the borrower's place in the queue, made when it first waits:
// one whose grant turned out bad goes back to its old place.
func (b *borrower[T]) place() *caller {
	if b.caller != nil {
		return b.caller
	}
	p := b.pool
	p.feelPressure()
	now := p.now()
	if b.stack == nil && p.cfg.LeakStacks == StacksOnPressure && p.mayCapture(now) {
		b.stack = callers.Capture(1)
	}
	c := &caller{Waiter: waitq.NewWaiter(now), ctx: b.ctx, stack: b.stack}
	c.Tag = c
	if timeout := p.acquireTimeout(b.ctx); timeout != off {
		c.Limited, c.Until = true, c.Joined+timeout
	}
	b.caller = c
	return c
}

// acquireTimeout returns how long the pool lets a caller wait whom its context
// may let wait longer. A deadline of a context that can never be done is none.
func (p *Pool[T]) acquireTimeout(ctx context.Context) time.Duration {
	switch set := p.cfg.AcquireTimeout; {
	case set < 0 || set > longest:
		return off
	case set > 0:
		return set
	}
	if _, ok := ctx.Deadline(); ok && ctx.Done() != nil {
		return off
	}
	return defaultAcquireTimeout
}

// expire ends the waits that AcquireTimeout bounds. It rings on one timer, set
// for the head of the queue.
func (p *Pool[T]) expire() {
	timeout := cmp.Or(p.cfg.AcquireTimeout, defaultAcquireTimeout)
	overdue := &overdueError{"AcquireTimeout", timeout, context.DeadlineExceeded}
	if next, ok := p.queue.Expire(p.now(), overdue); ok {
		p.expiry.By(next)
	}
	p.trim()
}

// lend makes a lease of a slot that is leased to the borrower: it passes Alive
// and Prepare and is written down where somebody wants to know. With another, an
// error says why the connection was destroyed.
func (b *borrower[T]) lend(s *seat[T], w slot.Word) (Lease[T], verdict, error) {
	p := b.pool
	lease := Lease[T]{seat: s, word: w.Lease()}
	if p.cfg.Alive != nil {
		proved := w.Has(slot.Fresh) || b.unproved == takeAsIs
		if err := p.alive(lease, proved); err != nil {
			return Lease[T]{}, another, err
		}
	}
	if p.cfg.Prepare != nil {
		switch bad, err := p.prepare(b.ctx, lease); {
		case bad:
			return Lease[T]{}, another, err
		case err != nil:
			return Lease[T]{}, failed, b.fail(StagePrepare, err)
		}
	}
	if b.unproved != takeAsIs { // AcquireIdle counts all of its leases at its end
		p.count.withdrawn.Add(^uint64(0)) // it counts as an acquire
	}
	if p.cfg.MinIdle > 0 {
		p.grow() // one idle less
	}
	if !b.joined {
		p.feelEase()
	}
	if b.stack != nil {
		b.list(s)
	}
	if p.cfg.ReclaimLost {
		lease.token = p.issue(lease)
	}
	if b.joined || p.cfg.Trace != nil {
		b.report(lease)
	}
	return lease, lent, nil
}

// list enters the lease into the process's profile, if that may take it.
func (b *borrower[T]) list(s *seat[T]) {
	if b.pool.mayProfile(time.Duration(s.since.Load())) {
		s.entry.Store(callers.Add())
	}
}

// report records the wait and calls the traces. A panic in these ends the
// caller, so the lease must not survive it.
func (b *borrower[T]) report(lease Lease[T]) {
	returned := false
	defer lease.unlessReturned(&returned, ClosedDiscarded)
	p, s, t := b.pool, lease.seat, b.pool.cfg.Trace
	if t != nil && t.Released != nil {
		s.ctx = b.ctx
	}
	if b.joined {
		b.noteWait(nil)
	}
	if t != nil && t.Acquired != nil {
		t.Acquired(b.ctx, AcquiredInfo{
			Pool: p.cfg.Name, Conn: s.number(), Waited: b.waited, Reused: s.uses(lease.word) > 0,
		})
	}
	returned = true
}

// failWait returns the error of a wait that ended without a grant. What Connect
// returned is not looked into: its methods are the user's.
func (b *borrower[T]) failWait(err error) error {
	c := &b.pool.count
	switch e := err.(type) {
	case *downError:
		c.unreachable.Add(1)
		return b.fail(StageConnect, err)
	case *endedError:
		if e.late() {
			c.timeouts.Add(1)
		} else {
			c.cancels.Add(1)
		}
	case *overdueError:
		c.timeouts.Add(1)
	default:
		return b.fail(StageWait, err)
	}
	if b.joined {
		if reason := b.pool.shortage(); reason != nil {
			if reason == ErrUnreachable {
				c.unreachable.Add(1)
			}
			err = &waitError{err, reason}
		}
	}
	return b.fail(StageWait, err)
}

// noteWait counts and tells a wait that has ended, with nil or the caller's error.
func (b *borrower[T]) noteWait(err error) {
	b.pool.count.waitTime.record(b.waited)
	if t := b.pool.cfg.Trace; t != nil && t.Waited != nil {
		t.Waited(b.ctx, WaitedInfo{Pool: b.pool.cfg.Name, Waited: b.waited, Err: err})
	}
}

// ended returns the error of the borrower's context, which has ended.
func (b *borrower[T]) ended() error { return endOf(b.ctx) }

// fail returns the acquire's error. If it has waited, the trace hears of the
// cause.
func (b *borrower[T]) fail(stage Stage, err error) error {
	if b.joined {
		b.noteWait(err)
	}
	failed := b.pool.newAcquireError(stage, b.waited, err)
	if stage == StagePrepare || stage == StageCheck {
		failed.ended = b.ctx.Err()
	}
	return failed
}
