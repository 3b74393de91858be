package connpool

import (
	"context"
	"errors"
	"time"

	"github.com/connpool/connpool/internal/slot"
)

// Is this slot fit to be lent? Alive and Prepare answer for one borrower, Clean
// and Reset when a lease ends, Check when nobody can know without a round trip.

var errUnsureNow = errors.New("connpool: to be checked first")

// alive asks Alive about a lease that has just been granted. On an error the
// lease has been ended: its connection is destroyed, or, where only a round trip
// can tell, idle and due for a check. proved says that ErrUnsure will do.
func (p *Pool[T]) alive(lease Lease[T], proved bool) error {
	unsure, err := p.askAlive(lease)
	switch {
	case err == nil || proved && unsure:
		return nil
	case !unsure:
	case p.cfg.Check == nil:
		err = errNoCheck
	default:
		p.recheck(lease)
		return errUnsureNow
	}
	if _, ok := lease.destroy(ClosedCheck, err); ok {
		p.suspect(p.now())
	}
	return err
}

// askAlive calls Alive, and reports whether its error is ErrUnsure. Asking the
// error is part of the callback: it may have methods of the user's.
func (p *Pool[T]) askAlive(lease Lease[T]) (unsure bool, err error) {
	returned := false
	defer lease.unlessReturned(&returned, ClosedCheck)
	err = p.cfg.Alive(*lease.seat.conn.Load())
	unsure = errors.Is(err, ErrUnsure)
	returned = true
	return unsure, err
}

// recheck ends a lease that its borrower never got to see and has its slot
// checked before it is lent again. The borrower waits for that, or for whatever
// comes first, at its old place.
func (p *Pool[T]) recheck(lease Lease[T]) {
	if was, ok := lease.end(slot.Resetting); ok {
		lease.seat.erase(was)
		lease.seat.word.Mark(slot.Due)
		p.publish(lease.seat, 0)
	}
}

// prepare asks Prepare, and its error whether it is only that connection's. On an
// error the connection has been destroyed.
func (p *Pool[T]) prepare(ctx context.Context, lease Lease[T]) (bad bool, err error) {
	returned := false
	defer lease.unlessReturned(&returned, ClosedPrepare)
	err = p.cfg.Prepare(ctx, *lease.seat.conn.Load())
	bad = errors.Is(err, ErrBadConn)
	returned = true
	if err != nil {
		lease.destroy(ClosedPrepare, err)
	}
	return bad, err
}

// takeBack makes a slot whose lease has ended, and which the caller owns in
// state resetting, fit to be lent again.
func (p *Pool[T]) takeBack(s *seat[T], cause error) {
	switch {
	case s.word.Load().Has(slot.Doomed &^ slot.Surplus):
		p.publish(s, 0) // which closes it: no need to clean it first
	case p.cfg.MaxUses > 0 && int(s.uses(s.word.Load())) >= p.cfg.MaxUses:
		p.shut(s, ClosedUses, nil)
	case p.cfg.Clean != nil && !p.clean(s, cause):
	case p.cfg.Reset != nil:
		p.reset(s)
	default:
		p.publish(s, 0)
	}
}

// clean asks Clean, and destroys the connection if it says no or does not
// return.
//
// A connection that is not only unclean but dead, by ErrBadConn, after work that
// failed, and not by the end of a context, makes the others suspect, as one that
// IsBad condemns does.
func (p *Pool[T]) clean(s *seat[T], cause error) bool {
	err := errUnfinished
	defer func() {
		if err != nil {
			p.shut(s, ClosedClean, err)
		}
		if err == errUnfinished {
			p.count.panics.Add(1)
		}
	}()
	err = p.cfg.Clean(*s.conn.Load())
	if errors.Is(err, ErrBadConn) && cause != nil && !isContextErr(cause) {
		p.suspect(p.now())
	}
	return err == nil
}

// reset runs Reset for a slot in state resetting.
func (p *Pool[T]) reset(s *seat[T]) {
	p.coming.Add(1)
	p.roundTrip(s, "Reset", p.cfg.Reset, func(err error) {
		p.proved(s, ClosedClean, err)
		p.arrived(0)
	})
}

// check runs Check for a slot in state checking.
func (p *Pool[T]) check(s *seat[T], w slot.Word) {
	var suspects int64
	if w.Has(slot.Suspect) {
		suspects = 1
	}
	p.suspects.Add(suspects) // before coming, as in arrived: in between the dial rule asks for more
	p.coming.Add(1)
	began := p.now()
	p.roundTrip(s, "Check", p.cfg.Check, func(err error) {
		if err != nil && !p.closed() {
			p.suspect(began - 1) // what has been dialled meanwhile is not
		}
		p.proved(s, ClosedCheck, err)
		p.arrived(suspects)
	})
}

// roundTrip runs a callback that makes a round trip on a slot's connection,
// which is destroyed if the callback hangs: at once as far as the slot is
// concerned, and truly when the callback lets go of it.
func (p *Pool[T]) roundTrip(s *seat[T], name string, f func(context.Context, T) error, end func(error)) {
	conn := *s.conn.Load()
	p.call(p.ctx, call{
		name:    name,
		timeout: p.cfg.CheckTimeout,
		strays:  true,
		run:     func(ctx context.Context) error { return f(ctx, conn) },
		end:     end,
		late:    func(error) { p.closeStray(conn) },
	})
}

// proved acts on the outcome of a round trip.
func (p *Pool[T]) proved(s *seat[T], reason CloseReason, err error) {
	switch {
	case err == nil:
		s.checked.Store(int64(p.now()))
		if s.expiry()-p.now() <= p.period {
			s.word.Mark(slot.Expired) // the sweep has gone by meanwhile
		}
		p.publish(s, slot.Fresh)
		p.stir()
	case err == errAbandoned:
		p.abandon(s, reason)
	default:
		p.shut(s, reason, err)
	}
}

// arrived counts one slot less on its way, which counts until somebody could
// have got it, lest the dial rule dials once more for a waiter that is about to
// be served. There may be another to check, or to dial.
func (p *Pool[T]) arrived(suspects int64) {
	p.coming.Add(-1)
	p.suspects.Add(-suspects)
	p.look()
}

// suspect marks the connections that are idle or in use and were last proved by
// then: one that was open at the same time has been found dead, so they are
// checked before they are lent again. Without a Check there is nothing to be
// done.
func (p *Pool[T]) suspect(then time.Duration) {
	if p.cfg.Check == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.eachLocked(func(s *seat[T]) {
		for {
			w := s.word.Load()
			switch w.State() {
			case slot.Idle, slot.Leased, slot.Resetting:
			default:
				return
			}
			if time.Duration(s.checked.Load()) > then || w.Has(slot.Suspect) || s.word.CAS(w, w.With(slot.Suspect).Without(slot.Fresh)) {
				return
			}
		}
	})
}

// eachLocked calls f for every slot that has ever been used.
func (p *Pool[T]) eachLocked(f func(*seat[T])) {
	for n := range p.mu.high {
		f(p.seats.at(n))
	}
}

// expiry returns when the slot's connection is too old.
func (s *seat[T]) expiry() time.Duration { return time.Duration(s.expires.Load()) }
