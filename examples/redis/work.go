package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
)

// shareConnections shares a few connections among many goroutines.
func (a *app) shareConnections(ctx context.Context) error {
	a.headline(fmt.Sprintf("%d goroutines send commands", a.workers))
	succeeded, err := a.work(ctx)
	a.say("%d of %d commands succeeded, on %d connections.", succeeded, a.commands, a.pool.Stats().Connects)
	return err
}

// work sends all commands, and returns how many succeeded. A worker gives up when
// one of its commands fails.
func (a *app) work(ctx context.Context) (succeeded int64, err error) {
	var next, ok atomic.Int64
	var workers sync.WaitGroup
	errs := make([]error, a.workers)
	for i := range errs {
		workers.Go(func() {
			for errs[i] == nil {
				n := next.Add(1)
				if n > int64(a.commands) {
					return
				}
				if errs[i] = a.echo(ctx, strconv.FormatInt(n, 10)); errs[i] == nil {
					ok.Add(1)
				}
			}
		})
	}
	workers.Wait()
	return ok.Load(), cmp.Or(errs...)
}

// echo has the server repeat a text. Do returns the connection, whatever happens.
func (a *app) echo(ctx context.Context, text string) error {
	return a.pool.Do(ctx, func(ctx context.Context, c *conn) error {
		reply, err := c.text(ctx, "ECHO", text)
		if err == nil && reply != text {
			err = fmt.Errorf("the server repeats %q as %q", text, reply)
		}
		return err
	})
}

// sendTogether sends commands that belong together: in one round trip, and as a
// transaction, during which the connection is one user's alone.
func (a *app) sendTogether(ctx context.Context) error {
	a.headline("A pipeline, a transaction, and a refusal")
	counter := a.key("counter")
	return a.pool.Do(ctx, func(ctx context.Context, c *conn) error {
		replies, err := c.pipeline(ctx, []string{"INCRBY", counter, "40"}, []string{"EXPIRE", counter, lifetime})
		if err != nil {
			return err
		}
		a.say("Two replies in one round trip: %v", replies)

		replies, err = c.pipeline(ctx, []string{"MULTI"}, []string{"INCR", counter}, []string{"INCR", counter}, []string{"EXEC"})
		if err != nil {
			return err
		}
		a.say("The last reply is that of the transaction: %v", replies)
		return a.beRefused(ctx, c, counter)
	})
}

// beRefused sends what the server must refuse, and something else after that.
func (a *app) beRefused(ctx context.Context, c *conn, counter string) error {
	_, err := c.do(ctx, "LPUSH", counter, "not a list")
	if no := refusal(""); !errors.As(err, &no) {
		return cmp.Or(err, errors.New("the server has pushed to what is no list"))
	}
	value, valueErr := c.text(ctx, "GET", counter)
	a.say("%v\nThe connection is as good as before. The counter is at %s.", err, value)
	return valueErr
}
