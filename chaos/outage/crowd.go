package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	callers = 60
	// One caller in so many has no time to wait the fault out.
	briefEvery = 5
	// afterError is the pause of a caller whose call has failed: one that comes
	// straight back makes a storm of its own.
	afterError = 20 * time.Millisecond
)

// crowd is the callers, each calling again and again.
type crowd struct {
	stop    context.CancelFunc
	callers sync.WaitGroup
}

func startCrowd(ctx context.Context, s scenario, p subject, t *tape) *crowd {
	ctx, stop := context.WithCancel(ctx)
	c := &crowd{stop: stop}
	for i := range callers {
		patient := i%briefEvery != 0
		c.callers.Go(func() {
			for ctx.Err() == nil {
				callOnce(s, p, t, patient)
			}
		})
	}
	return c
}

// finish lets each caller end the call that it is at.
func (c *crowd) finish() {
	c.stop()
	c.callers.Wait()
}

func callOnce(s scenario, p subject, t *tape, patient bool) {
	deadline := s.brief
	if patient {
		deadline = s.patient
	}
	c := call{began: t.now(), allowed: deadline.draw(), patient: patient}
	ctx, cancel := context.WithTimeout(context.Background(), c.allowed)
	defer cancel()
	p.call(ctx, &c)
	c.ended = t.now()
	t.noteCall(c)
	if c.err != nil {
		time.Sleep(afterError)
	}
}

func (s span) draw() time.Duration { return s.least + rand.N(s.most-s.least) }
