package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// surviveRestart kills PgBouncer under load, and starts it again. Nothing is
// repeated: what was under way fails.
func (a *app) surviveRestart(ctx context.Context) (err error) {
	a.headline("PgBouncer is killed under load, and started again")
	pools, err := a.openFleet(a.openPooled)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pools.shutdown(ctx)) }()
	var t tally
	err = a.work(ctx, pools, &t, func(ctx context.Context) error { return a.restart(ctx, pools, &t) })
	if err != nil {
		return err
	}
	s := pools.sums()
	fmt.Fprintf(a.out, "Requests: %d answered, %d failed under way, %d for want of a connection.\n",
		t.answered.Load(), t.cut.Load(), t.unserved.Load())
	pids, err := a.sessions.pids(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "The pools have opened %d connections in all, and have %d. PostgreSQL has %d sessions.\n", s.dials, s.open, len(pids))
	return nil
}

// restart ends when every pool has had an answer since.
func (a *app) restart(ctx context.Context, pools fleet, t *tally) error {
	if err := a.awaitAnswers(ctx, t); err != nil {
		return err
	}
	before, began := t.answered.Load(), time.Now()
	if err := a.private.Restart(ctx); err != nil {
		return err
	}
	back := time.Since(began)
	if err := pools.ping(ctx); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "It was killed after %d answers. It was back in %v, and every instance had an answer again in %v.\n",
		before, back.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	return a.awaitAnswers(ctx, t)
}

// awaitAnswers waits for as many more answers as there are goroutines.
func (a *app) awaitAnswers(ctx context.Context, t *tally) error {
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for enough := t.answered.Load() + int64(a.instances*a.workers); t.answered.Load() < enough; {
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
