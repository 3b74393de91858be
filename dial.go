package connpool

import (
	"context"
	"math/rand/v2"
	"reflect"
	"slices"
	"time"

	"github.com/connpool/connpool/internal/slot"
	"github.com/connpool/connpool/internal/waitq"
)

// grow is the dial rule. It starts as many dials as are wanted and allowed now,
// and while the server is down fails those who wait. It is run again after all
// that may change its answer: a join, the end of a dial, check or reset, a slot
// that has become empty, a new limit, the end of a pause after a failure.
//
// A joiner reads occupied after it has joined; whoever empties a slot clears
// occupied and then reads the queue's length: one of them sees the other.
func (p *Pool[T]) grow() {
	if p.occupied.Load() {
		return
	}
	p.mu.Lock()
	now := p.now()
	p.mu.pace.Observe(now)
	for p.wantsDialLocked(now) && p.cfg.Budget.take(p) {
		p.dialLocked(now)
	}
	if p.mu.connecting == 0 {
		p.mu.pace.Rested()
	}
	p.noteLocked()
	r := p.failLocked(now)
	p.mu.Unlock()
	p.noteOutage(r)
}

// wantsDialLocked reports whether one more dial should be started now. In a row of
// failures there is a prober, so that nobody has to find out that the server is
// back; with nobody there it takes its time.
func (p *Pool[T]) wantsDialLocked(now time.Duration) bool {
	if at, ok := p.mu.pace.DownAt(); ok {
		p.retry.By(at)
	}
	if p.mu.connecting-p.slowLocked(now) < p.wantedLocked() {
		return p.mayDialLocked(now)
	}
	at, failing := p.mu.pace.RestAt()
	return failing && p.mu.connecting == 0 && !p.mu.closed && !p.paused() &&
		p.mayDialAtLocked(now, at)
}

// slowLocked returns how many dials have been under way for so long that nobody
// counts on them: a caller that waits may have another. If it has to wait for one to
// become so slow, the rule is run again then.
func (p *Pool[T]) slowLocked(now time.Duration) (slow int) {
	if p.mu.slowDial == off || p.queue.Len() == 0 {
		return 0
	}
	for _, started := range p.mu.dials { // oldest first
		if now-started < p.mu.slowDial {
			p.retry.By(started + p.mu.slowDial)
			break
		}
		slow++
	}
	return slow
}

// A dial is slow after three times what all but one in a hundred have taken so far,
// and not before slowestUsual: as RFC 8305 does for addresses, which waits for a
// quarter of a second, but a dial here is a handshake and a login too.
const slowestUsual = 1500 * time.Millisecond

// slowAfter returns when a dial counts as slow; off where it is over by then.
func (p *Pool[T]) slowAfter() time.Duration {
	d := max(slowestUsual, 3*p.count.connectTime.snapshot().Quantile(0.99))
	if d >= p.cfg.ConnectTimeout {
		return off
	}
	return d
}

// noteLocked refreshes what others read without the lock. While dials fail, a full
// pool has to notice all the same that this has become an outage.
func (p *Pool[T]) noteLocked() {
	p.occupied.Store(p.mu.open >= p.mu.limit && p.mu.pace.Failing() == nil)
}

// liveLocked returns how many connections are open and not about to close.
func (p *Pool[T]) liveLocked() int { return p.mu.open - p.mu.connecting - p.mu.closing }

func (p *Pool[T]) paused() bool { return p.gate.Load()&waitq.Paused != 0 }

// wantedLocked returns how many dials should be under way: one for each caller
// that nothing else is on its way to, and what the minimums need.
func (p *Pool[T]) wantedLocked() int {
	if p.mu.closed || p.paused() {
		return 0
	}
	waiting, live := p.queue.Len(), p.liveLocked()
	leaving := p.mu.leaving
	if p.cfg.MaxIdle > 0 && p.idleCount.Load() >= int64(p.cfg.MaxIdle) {
		leaving = 0 // a replacement ahead of time would not be let stay
	}
	want := waiting - int(p.coming.Load()-p.suspects.Load())
	want = max(want, p.cfg.MinSize-(live-leaving), p.mu.warm-live)
	if p.cfg.MinIdle > 0 {
		want = max(want, p.cfg.MinIdle+waiting-int(p.idleCount.Load()))
	}
	if p.mu.warmers > 0 && p.mu.pace.Failing() != nil {
		want = max(want, 1) // it is to find out
	}
	return want
}

// mayDialLocked reports whether one more dial may be started that somebody wants,
// and if only time stands in the way, has the rule run again then (seam 11). A
// waiter that may not dial yet stays in the queue, eligible for whatever comes back
// (seam 13).
func (p *Pool[T]) mayDialLocked(now time.Duration) bool {
	at, paused := p.mu.pace.ReadyAt()
	if !paused {
		at = now
	}
	return p.mayDialAtLocked(now, at)
}

func (p *Pool[T]) mayDialAtLocked(now, at time.Duration) bool {
	if now < at {
		p.retry.By(at)
		return false
	}
	return p.mu.open < p.mu.limit && p.mu.connecting < p.mu.pace.Window() &&
		p.strays.Load() < int64(max(p.mu.maxSize, fewestStrays))
}

// Dialling stops while as many connections as may be open hang in abandoned
// callbacks: each may still be open at the server. A pool of one connection must
// survive one of them.
const fewestStrays = 2

// ask starts a dial for a TryAcquire that found nothing, if nothing is on its
// way and the result could stay (seam 18).
func (p *Pool[T]) ask() {
	if p.cfg.MaxIdle >= 0 && p.coming.Load() == 0 {
		p.probe()
	}
}

// probe starts a dial for nobody, if none is under way and one may be.
func (p *Pool[T]) probe() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now(); p.mu.connecting == 0 && !p.mu.closed && !p.paused() && p.mayDialLocked(now) && p.cfg.Budget.take(p) {
		p.dialLocked(now)
		p.noteLocked()
	}
}

// dialLocked opens an empty slot. The caller has seen that one may be opened and
// holds the Budget's unit for it.
func (p *Pool[T]) dialLocked(now time.Duration) {
	if !p.mu.pace.Fresh(now) {
		p.mu.pace.Doubt(now) // a caller that comes now waits for what this dial says
	}
	s := p.emptyLocked()
	for w := s.word.Load(); !s.word.CAS(w, w.Open()); w = s.word.Load() {
	}
	p.mu.open++
	p.mu.opened++
	p.mu.connecting++
	p.mu.dials = append(p.mu.dials, now)
	s.born.Store(int64(now)) // until it is: when its dial started
	s.id.Store(uint32(p.mu.opened))
	p.dial(p.dialContext(), s, now)
}

// endDialLocked counts one dial less under way.
func (p *Pool[T]) endDialLocked(started time.Duration) {
	p.mu.connecting--
	i := slices.Index(p.mu.dials, started)
	p.mu.dials = slices.Delete(p.mu.dials, i, i+1)
}

func (p *Pool[T]) emptyLocked() *seat[T] {
	if last := len(p.mu.free) - 1; last >= 0 {
		n := p.mu.free[last]
		p.mu.free = p.mu.free[:last]
		return p.seats.at(n)
	}
	n := p.mu.high
	p.seats.growLocked(p, n)
	p.mu.high++
	return p.seats.at(n)
}

// dialContext returns a context with the values of who waits longest and the
// pool's cancellation: the dial outlives its caller (seam 10).
func (p *Pool[T]) dialContext() context.Context {
	if head, _, ok := p.queue.Head(); ok {
		return poolContext{Context: p.ctx, values: head.(*caller).ctx}
	}
	return p.ctx
}

// poolContext is the pool's context with a caller's values.
type poolContext struct {
	context.Context
	values context.Context
}

func (c poolContext) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.values.Value(key)
}

// dial runs Connect for a slot that is opening.
func (p *Pool[T]) dial(ctx context.Context, s *seat[T], started time.Duration) {
	var conn T
	number := s.number()
	p.call(ctx, call{
		name:    "Connect",
		timeout: p.cfg.ConnectTimeout,
		strays:  true,
		run: func(dialCtx context.Context) (err error) {
			if p.closed() {
				return ErrClosed // before the goroutine came to run
			}
			if t := p.cfg.Trace; t != nil && t.Connecting != nil {
				p.guarded(func() { t.Connecting(dialCtx, ConnectingInfo{Pool: p.cfg.Name, Conn: number}) })
			}
			if conn, err = p.cfg.Connect(dialCtx); err == nil && isNil(conn) {
				err = errNilConn
			}
			if err != nil && dialCtx.Err() == context.DeadlineExceeded {
				err = &overdueError{"ConnectTimeout", p.cfg.ConnectTimeout, err}
			}
			if isPermanent(err) { // asked here, where the error's methods may do anything
				err = Permanent(err)
			}
			return err
		},
		end: func(err error) {
			if err == errAbandoned {
				err = &overdueError{"ConnectTimeout", p.cfg.ConnectTimeout, err}
			}
			defer func() { // even if the trace calls Goexit
				if err == nil {
					p.dialled(s, conn, started)
				} else {
					p.dialFailed(s, started, err)
				}
			}()
			if t := p.cfg.Trace; t != nil && t.Connected != nil {
				p.guarded(func() {
					t.Connected(ctx, ConnectedInfo{
						Pool: p.cfg.Name, Conn: number, Took: p.now() - started, Err: err,
					})
				})
			}
		},
		late: func(err error) {
			if err == nil {
				p.closeStray(conn)
			}
		},
	})
}

func isNil(conn any) bool {
	if conn == nil {
		return true
	}
	switch v := reflect.ValueOf(conn); v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Chan, reflect.Func, reflect.Slice, reflect.UnsafePointer:
		return v.IsNil()
	}
	return false
}

// dialled puts a new connection into its slot and publishes it.
func (p *Pool[T]) dialled(s *seat[T], conn T, started time.Duration) {
	now := p.now()
	s.conn.Store(&conn)
	s.bornTurn.Store(uint32(s.word.Load().Turn()))
	s.born.Store(int64(now))
	s.checked.Store(int64(now))
	s.expires.Store(int64(p.drawExpiry(now)))
	p.count.connects.Add(1)
	p.count.connectTime.record(now - started)

	// The server is known to be up before anybody gets the connection, and the
	// dial counts as under way until somebody could have got it: in between, the
	// dial rule must neither fail those who wait nor dial once more for them.
	p.mu.Lock()
	r := p.endOutageLocked(now)
	p.mu.pace.Succeeded()
	p.mu.Unlock()
	p.noteOutage(r)
	p.refused.Store(false)
	p.publish(s, slot.Fresh)
	p.mu.Lock()
	p.endDialLocked(started)
	if p.mu.slowDial != off {
		p.mu.slowDial = p.slowAfter()
	}
	p.announceLocked()
	p.mu.Unlock()
	p.stir()
	p.grow()
}

// drawExpiry draws, once, when a connection born now is too old.
func (p *Pool[T]) drawExpiry(now time.Duration) time.Duration {
	if p.cfg.MaxLifetime == off {
		return off
	}
	expires := now + p.cfg.MaxLifetime
	if p.cfg.LifetimeJitter > 0 {
		expires -= rand.N(p.cfg.LifetimeJitter + 1)
	}
	return expires
}

// dialFailed records the failure and frees the slot. It fails nobody (seam 11):
// those who wait go on waiting, for the next dial or for what comes back.
func (p *Pool[T]) dialFailed(s *seat[T], started time.Duration, err error) {
	now := p.now()
	p.mu.Lock()
	closed := p.mu.closed
	if !closed { // else it was called off
		p.count.connectErrors.Add(1)
		p.failedLocked(started, now, err)
	}
	p.vacateLocked(s)
	if closed {
		p.mu.Unlock()
		p.vacated()
		return
	}
	r := p.failLocked(now)
	f := p.failureLocked(now, err, r)
	p.mu.Unlock()
	p.noteOutage(r)
	p.noteFailure(f)
	p.vacated()
}

// announce wakes Warm and Settled: a dial has ended, a slot has become empty or
// idle, or the pool is closed.
func (p *Pool[T]) announce() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.announceLocked()
}

func (p *Pool[T]) announceLocked() {
	if p.mu.changed != nil {
		close(p.mu.changed)
		p.mu.changed = nil
	}
}
