package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"
)

// surviveRestart kills the broker under load and starts it again.
func (a *app) surviveRestart(ctx context.Context) error {
	a.headline("The broker is killed and started again under load")
	if a.private == nil {
		fmt.Fprintf(a.out, "  Not that of %s: it may be needed.\n", brokerVariable)
		return nil
	}
	p := &persistence{app: a}
	confirmed, err := a.publishWhile(ctx, p, a.restart)
	if err != nil {
		return err
	}
	a.printOpen(ctx)
	return a.account(ctx, p, confirmed)
}

// publishWhile publishes while something happens, and returns how many messages
// the broker has confirmed. What fails to happen is not waited out.
func (a *app) publishWhile(ctx context.Context, p *persistence, happens func(context.Context) error) (confirmed int, err error) {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	until, stop := context.WithCancel(ctx)
	var publishing sync.WaitGroup
	publishing.Go(func() {
		confirmed, err = a.atOnce(until, math.MaxInt, func(id string) error { return p.publish(ctx, id) })
	})
	if failure := happens(ctx); failure != nil {
		giveUp(failure)
	}
	stop()
	publishing.Wait()
	return confirmed, cmp.Or(context.Cause(ctx), err)
}

// forgetful is for how long a broker that is killed may forget that a queue was
// made. RabbitMQ takes two seconds to have the last word of that on disk.
const forgetful = 3 * time.Second

func (a *app) restart(ctx context.Context) error {
	sleep(ctx, max(a.before, time.Until(a.declared.Add(forgetful))))
	if err := a.private.Kill(); err != nil {
		return err
	}
	fmt.Fprintln(a.out, "  The broker is dead.")
	down := time.Now()
	if err := a.private.Restart(ctx); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "  It is back, after %v.\n", since(down))
	sleep(ctx, a.after)
	return nil
}

// account compares what has been confirmed with what is in the queue.
func (a *app) account(ctx context.Context, p *persistence, confirmed int) error {
	got, err := a.drain(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "  %d messages were confirmed; the longest that one took was %v.\n", confirmed, p.mu.longest.Round(10*time.Millisecond))
	if p.mu.again > 0 {
		fmt.Fprintf(a.out, "  %d publishings were repeated, the first because: %v\n", p.mu.again, p.mu.first)
	}
	fmt.Fprintf(a.out, "  %d messages have come back, %d of them more than once.\n", len(got), repeated(got))
	for n := 1; n <= confirmed; n++ {
		if got[strconv.Itoa(n)] == 0 {
			return fmt.Errorf("message %d was confirmed and has not come back", n)
		}
	}
	return nil
}
