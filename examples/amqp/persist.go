package main

import (
	"context"
	"errors"
	"sync"
	"time"
)

// persistence is publishers that publish a message again until the broker has
// confirmed it. So it arrives at least once: more often if it had arrived and only
// the confirmation was lost. That is the caller's choice. It is safe for concurrent
// use.
type persistence struct {
	*app

	mu struct {
		sync.Mutex
		again   int           // publishings that were repeated
		first   error         // why the first of them was
		longest time.Duration // that one message took
	}
}

// pause is between two attempts: an attempt that the pool refuses takes no time.
const pause = 50 * time.Millisecond

// publish gives up only where another attempt is of no use: when ctx has ended, when
// the broker refuses the message, or when no queue wants it.
func (p *persistence) publish(ctx context.Context, id string) error {
	began := time.Now()
	for {
		err := p.app.publish(ctx, id)
		if err == nil {
			p.noteConfirmed(time.Since(began))
			return nil
		}
		if ctx.Err() != nil || refused(err) || errors.Is(err, errUnroutable) {
			return err
		}
		p.noteFailed(err)
		sleep(ctx, pause)
	}
}

func (p *persistence) noteConfirmed(took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.longest = max(p.mu.longest, took)
}

func (p *persistence) noteFailed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.again++; p.mu.again == 1 {
		p.mu.first = err
	}
}

// sleep returns early when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
