package connpool

import (
	"context"
	"fmt"
	"time"

	"github.com/connpool/connpool/internal/slot"
	"github.com/connpool/connpool/internal/waitq"
)

// shut closes the connection of a slot that the caller owns, and then frees the
// slot: after CloseTimeout in any case.
func (p *Pool[T]) shut(s *seat[T], reason CloseReason, cause error) {
	w := s.word.Load()
	for !s.word.CAS(w, w.To(slot.Closing)) {
		w = s.word.Load()
	}
	p.beginClosing(s, w)
	conn := *s.conn.Load()
	p.noteClosed(s, reason, cause)
	if p.cfg.Close == nil {
		p.vacate(s)
		return
	}
	p.call(context.WithValue(context.Background(), closeReasonKey{}, reason), call{
		name:    "Close",
		timeout: p.cfg.CloseTimeout,
		strays:  true,
		run:     func(ctx context.Context) error { return p.cfg.Close(ctx, conn) },
		end: func(err error) {
			if err == errAbandoned {
				p.noteHungClose()
			}
			p.vacate(s)
		},
	})
}

// noteHungClose logs that a Close hangs, once a minute at most.
func (p *Pool[T]) noteHungClose() {
	if p.hungCloses.take(p.now(), time.Minute, time.Minute) {
		p.event(func() {
			p.warn("Close did not return within CloseTimeout and was abandoned: "+
				"the server may have stopped answering", "timeout", p.cfg.CloseTimeout)
		})
	}
}

// noteClosed tells that the connection of a slot that the caller owns is closed.
func (p *Pool[T]) noteClosed(s *seat[T], reason CloseReason, cause error) {
	p.count.closes[reason].Add(1)
	if t := p.cfg.Trace; t != nil && t.Closed != nil {
		info := ClosedInfo{
			Pool: p.cfg.Name, Conn: s.number(), Reason: reason,
			Age: p.now() - time.Duration(s.born.Load()), Err: cause,
		}
		p.event(func() { t.Closed(info) })
	}
}

// closeReasonKey is the key of the reason in the context of a Close.
type closeReasonKey struct{}

// CloseReasonFrom returns why Config.Close is called with a context, or one made
// from it. It reports false for any other context, and where the connection comes
// late from a callback that was abandoned: the pool has forgotten it by then.
func CloseReasonFrom(ctx context.Context) (reason CloseReason, ok bool) {
	reason, ok = ctx.Value(closeReasonKey{}).(CloseReason)
	return reason, ok
}

// beginClosing counts a slot that has moved to closing, and when.
func (p *Pool[T]) beginClosing(s *seat[T], w slot.Word) {
	p.mu.Lock()
	p.mu.closing++
	s.seenTurn, s.seenAt = w.Turn()|closingSince, p.now()
	if w.Has(slot.Expired) && p.mu.leaving > 0 {
		p.mu.leaving--
	}
	failing := p.mu.pace.Failing() != nil
	p.mu.outages.hope = p.mu.outages.hope || failing
	p.mu.Unlock()
	if failing {
		p.grow() // it may have been the last hope of those who wait
	}
}

// closeStray closes a connection that has no slot any more: what an abandoned
// dial, check or reset came back with.
func (p *Pool[T]) closeStray(conn T) {
	if p.cfg.Close == nil {
		return
	}
	p.call(context.Background(), call{
		name:    "Close",
		timeout: p.cfg.CloseTimeout,
		strays:  true,
		run:     func(ctx context.Context) error { return p.cfg.Close(ctx, conn) },
		end:     func(error) {},
	})
}

// abandon frees the slot of a connection that a hung callback still uses.
func (p *Pool[T]) abandon(s *seat[T], reason CloseReason) {
	w := s.word.Load()
	for !s.word.CAS(w, w.To(slot.Closing)) {
		w = s.word.Load()
	}
	p.beginClosing(s, w)
	p.noteClosed(s, reason, &overdueError{"CheckTimeout", p.cfg.CheckTimeout, errAbandoned})
	p.vacate(s)
}

// vacate frees a slot in state closing.
//
// Seam 6: only now that the connection has left it may the slot be opened again,
// so that never more than the limit are open.
func (p *Pool[T]) vacate(s *seat[T]) {
	p.mu.Lock()
	p.vacateLocked(s)
	p.mu.Unlock()
	p.vacated()
}

func (p *Pool[T]) vacateLocked(s *seat[T]) {
	s.conn.Store(nil)
	w := s.word.Load()
	for !s.word.CAS(w, w.Vacate()) {
		w = s.word.Load()
	}
	if w.State() == slot.Opening {
		p.endDialLocked(time.Duration(s.born.Load()))
	} else {
		p.mu.closing--
	}
	p.mu.open--
	p.mu.debt = min(p.mu.debt, max(0, p.mu.open-p.mu.limit))
	p.mu.free = append(p.mu.free, s.n)
	p.noteLocked()
	p.announceLocked()
}

// vacated passes on what a slot that has become empty leaves free.
func (p *Pool[T]) vacated() {
	p.cfg.Budget.put(p)
	p.grow()
	p.checkDrained()
}

// Close closes the pool: acquires are refused, those who wait get ErrClosed,
// dials are cancelled, idle connections are closed, and leased ones close as
// they return. It does not wait for any of that; Shutdown does. It returns nil,
// and closing a closed pool does nothing.
func (p *Pool[T]) Close() error {
	// Seams 7 and 9: closed is set before the words are marked, and no slot opens
	// once it is set. So each slot is either marked before it becomes idle, and its
	// owner's compare-and-swap fails and sees the mark, or is found idle here. The
	// idle list is not needed for that.
	p.mu.Lock()
	if p.mu.closed {
		p.mu.Unlock()
		return nil
	}
	p.mu.closed = true
	p.queue.Close(ErrClosed)
	claimed := p.doomLocked(slot.Shut)
	p.announceLocked()
	p.mu.Unlock()

	p.cancel(ErrClosed)
	p.shutAll(claimed)
	p.sweeper.Stop()
	p.retry.Stop()
	p.expiry.Stop()
	p.sizing.Stop()
	p.cfg.Budget.leave(p)
	p.checkDrained()
	return nil
}

// doomLocked marks every slot that is not empty, and claims the idle ones for
// closing, which the caller must do once it has unlocked.
func (p *Pool[T]) doomLocked(mark slot.Word) (claimed []*seat[T]) {
	p.eachLocked(func(s *seat[T]) {
		if w := s.word.Mark(mark); s.claimIdle(w, slot.Closing) {
			claimed = append(claimed, s)
		}
	})
	return claimed
}

// claimIdle claims an idle slot where it lies: its number stays in the list. It
// fails if the word has changed, and whoever changed it sees any mark.
func (s *seat[T]) claimIdle(w slot.Word, to slot.State) bool {
	if w.State() != slot.Idle || !s.word.CAS(w, w.To(to)) {
		return false
	}
	s.pool.idled(-1)
	return true
}

func (p *Pool[T]) shutAll(claimed []*seat[T]) {
	for _, s := range claimed {
		p.shut(s, doom(s.word.Load()), nil)
	}
}

func (p *Pool[T]) closed() bool { return p.gate.Load()&waitq.Closed != 0 }

// Shutdown closes the pool and waits until every lease has ended, every
// connection is closed and the pool's goroutines have ended, abandoned callbacks
// apart. If ctx ends first it returns an error that matches ctx's and lists the
// holders; the pool is closed all the same, and Shutdown may be called again.
func (p *Pool[T]) Shutdown(ctx context.Context) error {
	mustContext(ctx)
	p.Close()
	select {
	case <-p.drained:
		return nil
	default:
	}
	select {
	case <-p.drained:
		return nil
	case <-ctx.Done():
		return p.undrained(ctx)
	}
}

func (p *Pool[T]) undrained(ctx context.Context) error {
	b := borrower[T]{pool: p, ctx: ctx}
	err := fmt.Errorf("connpool %q: not shut down: %w: %s", p.cfg.Name, b.ended(), p.Stats().occupancy())
	for _, h := range p.Holders() {
		err = fmt.Errorf("%w; %s", err, h)
	}
	return err
}

// checkDrained lets Shutdown return once nothing is left of a closed pool.
func (p *Pool[T]) checkDrained() {
	if !p.closed() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.closed && p.mu.open == 0 && p.tasks.Load() == 0 {
		p.drain.Do(func() { close(p.drained) })
	}
}
