package connpool

import (
	"context"

	"github.com/connpool/connpool/internal/slot"
)

// Ready reports whether the pool can serve, for a readiness probe, such as that of
// Kubernetes. It returns nil if a connection is in use, or idle and not due for a
// check, or if all that may be open are in use: Ready does not queue behind
// traffic. Else it finds out: it dials, or has an idle connection checked, and
// waits for the outcome until ctx ends.
//
// The error is an *AcquireError. It matches ErrClosed or ErrPaused, or says why
// the server cannot be reached: at once while an outage lasts, when Ready does no
// more than see that dials go on.
//
// A call looks at every slot once, as Stats does. In a pool without traffic it
// takes a round trip more, so probes that come every few seconds keep one
// connection open. It is not for a liveness probe: a restart of the program mends
// no server.
func (p *Pool[T]) Ready(ctx context.Context) error {
	b := borrower[T]{pool: p, ctx: mustContext(ctx)}
	switch state, err := p.readiness(); state {
	case refusing:
		p.probe() // with nobody else there, this is how the end of an outage is found
		return b.fail(err.stage, err.error)
	case serving:
		return nil
	case cold:
		return b.warm(1)
	}
	lease, err := p.Acquire(ctx)
	lease.Release()
	return err
}

// readiness is what a pool knows of itself.
type readiness int

const (
	unknown  readiness = iota // whether what is idle works, or a dial would
	serving                   // somebody is being served, or would be
	cold                      // nothing is open
	refusing                  // for a reason that is known
)

// staged is the error of an acquire, and where it fails.
type staged struct {
	stage Stage
	error
}

func (p *Pool[T]) readiness() (readiness, staged) {
	p.mu.Lock()
	defer p.mu.Unlock()
	hopeful, _ := p.hopefulLocked(p.now())
	switch {
	case p.mu.closed:
		return refusing, staged{StageWait, ErrClosed}
	case p.paused():
		return refusing, staged{StageWait, ErrPaused}
	case p.mu.outages.on && !hopeful:
		return refusing, staged{StageConnect, &downError{p.mu.pace.Failing()}}
	case p.liveLocked() == 0 && p.maxIdleLocked() > 0: // else what is warmed does not stay
		return cold, staged{}
	}
	idle, proved := 0, false
	p.eachLocked(func(s *seat[T]) {
		switch w := s.word.Load(); w.State() {
		case slot.Idle:
			idle++
			proved = proved || !w.Has(slot.Unproved)
		case slot.Leased:
			proved = proved || !w.Has(slot.Quiet) // one that is held for long proves nothing
		case slot.Resetting:
			proved = true
		}
	})
	if proved || idle == 0 && p.mu.open >= p.mu.limit {
		return serving, staged{}
	}
	return unknown, staged{}
}
