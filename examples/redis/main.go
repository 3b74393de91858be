// Redis has a pool of connections of a small client of its own, and shows what such
// a client owes its users: the reply to a command that one of them has given up
// must not reach the next.
//
//	go run ./examples/redis
//	REDIS_URL=redis://user:password@host:6379/0 go run ./examples/redis
//
// Without REDIS_URL it starts a private server, if Redis is installed, and removes
// it when it ends. On a server of yours, which must be Redis 6.2 or later, its keys
// begin with "connpool-example:" and expire within a minute.
//
// What to copy into a program of one's own is in pool.go, conn.go, session.go and
// resp.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

type options struct {
	size     int
	workers  int
	commands int
	rounds   int
	patience time.Duration
}

func parseFlags() (o options) {
	flag.IntVar(&o.size, "size", 4, "connections in the pool")
	flag.IntVar(&o.workers, "workers", 16, "goroutines that send commands")
	flag.IntVar(&o.commands, "commands", 2000, "commands of all of them")
	flag.IntVar(&o.rounds, "rounds", 50, "callers that give up")
	flag.DurationVar(&o.patience, "patience", 5*time.Millisecond, "after which they do")
	flag.Parse()
	return o
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, parseFlags())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "redis:", err)
		os.Exit(1)
	}
}

// run ends early, and well, when ctx does. Either way it leaves nothing behind.
func run(ctx context.Context, out io.Writer, o options) (err error) {
	if o.size < 1 || o.workers < 1 {
		return fmt.Errorf("-size %d and -workers %d must be at least 1", o.size, o.workers)
	}
	host, err := findServer(ctx, out)
	if err != nil {
		return unlessStopped(ctx, out, err)
	}
	defer func() { err = errors.Join(err, host.stop()) }()
	app, err := newApp(out, host, o)
	if err != nil {
		return err
	}
	return errors.Join(unlessStopped(ctx, out, app.tour(ctx)), app.shutdown(ctx))
}

// unlessStopped returns the error of what ctx may have cut short: being stopped
// is none.
func unlessStopped(ctx context.Context, out io.Writer, err error) error {
	if ctx.Err() == nil {
		return err
	}
	fmt.Fprintln(out, "\nStopped early.")
	return nil
}

// tour shows one thing after another.
func (a *app) tour(ctx context.Context) error {
	for _, show := range []func(context.Context) error{
		a.shareConnections, a.sendTogether, a.giveUp, a.giveUpUncounted, a.leaveOpen, a.subscribe, a.surviveRestart,
	} {
		if err := show(ctx); err != nil {
			return err
		}
	}
	a.printStats()
	return nil
}
