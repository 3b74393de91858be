package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/connpool/connpool"
)

// app is a program that has a pool.
type app struct {
	options
	broker
	out   io.Writer
	table *connections
	pool  *connpool.Pool[*channel]

	queue    string
	declared time.Time
}

func newApp(out io.Writer, b broker, o options) (*app, error) {
	table := &connections{url: b.url, each: o.each, dialTimeout: dialTimeout}
	pool, err := connpool.New(poolConfig(table, o))
	return &app{options: o, broker: b, out: out, table: table, pool: pool, queue: "connpool-example-" + rand.Text()}, err
}

// tour shows one thing after another.
func (a *app) tour(ctx context.Context) (err error) {
	if err := a.declare(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.delete(ctx)) }()
	for _, show := range []func(context.Context) error{a.publishAll, a.consumeAll, a.loseChannel, a.surviveRestart} {
		if err := show(ctx); err != nil {
			return err
		}
	}
	a.printStats(ctx)
	return nil
}

// declare makes a queue that survives a restart of the broker, and is deleted by
// the broker after five minutes should this program not come to do so.
func (a *app) declare(ctx context.Context) error {
	defer func() { a.declared = time.Now() }()
	return a.pool.Do(ctx, func(_ context.Context, c *channel) error {
		expires := amqp.Table{"x-expires": (5 * time.Minute).Milliseconds()}
		_, err := c.dedicate().QueueDeclare(a.queue, true, false, false, false, expires)
		return err
	})
}

func (a *app) delete(ctx context.Context) error {
	if a.private != nil {
		return nil // it goes with the broker, which may be down just now
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	return a.pool.Do(ctx, func(_ context.Context, c *channel) error {
		_, err := c.dedicate().QueueDelete(a.queue, false, false, false)
		return err
	})
}

func (a *app) shutdown(ctx context.Context) error {
	if err := shutdown(ctx, a.pool); err != nil {
		return err
	}
	now, _ := a.table.shares()
	fmt.Fprintf(a.out, "\nShut down: every lease has ended, every channel is closed, and %d connections are open.\n", len(now))
	return nil
}

func (a *app) headline(format string, args ...any) {
	fmt.Fprintf(a.out, "\n== %s\n\n", fmt.Sprintf(format, args...))
}

// stats returns the pool's when nothing is just being closed, so that the numbers
// add up.
func (a *app) stats(ctx context.Context) connpool.Stats {
	s := a.pool.Stats()
	for s.Closing > 0 && ctx.Err() == nil {
		sleep(ctx, time.Millisecond)
		s = a.pool.Stats()
	}
	return s
}

func (a *app) printOpen(ctx context.Context) {
	s := a.stats(ctx)
	now, dials := a.table.shares()
	fmt.Fprintf(a.out, "  %d channels are open, on %d connections: %v. Dialled so far: %d.\n", s.Size, len(now), now, dials)
}

func (a *app) printStats(ctx context.Context) {
	a.headline("What the pool says of all this: pool.Stats()")
	s := a.stats(ctx)
	fmt.Fprintf(a.out, "  leases    %d; %d of them after a wait\n", s.Acquires, s.Waits)
	fmt.Fprintf(a.out, "  channels  %d opened; %d times that failed\n", s.Connects, s.ConnectErrors)
	fmt.Fprintf(a.out, "  now       %d of at most %d: %d idle, %d in use\n", s.Size, s.MaxSize, s.Idle, s.InUse)
	for _, reason := range slices.Sorted(maps.Keys(s.Closes)) {
		fmt.Fprintf(a.out, "  closed    %d (%v) %s\n", s.Closes[reason], reason, meaning[reason])
	}
	fmt.Fprintf(a.out, "  trouble   %d time-outs, %d leaks, %d stale releases\n", s.Timeouts, s.Leaks, s.StaleReleases)
}

// meaning says what the pool's reasons for closing mean here.
var meaning = map[connpool.CloseReason]string{
	connpool.ClosedCheck:     "found dead before they were lent",
	connpool.ClosedClean:     "not fit to be lent again",
	connpool.ClosedDiscarded: "broke under a publishing",
}
