// Pgx uses a pool of PostgreSQL connections: queries from many goroutines, a
// transaction, connections that the server closes under the pool's hands, and a
// lease that somebody forgets to release.
//
//	go run ./examples/pgx
//	DATABASE_URL=postgres://user:password@host/name go run ./examples/pgx
//
// Without DATABASE_URL it starts a private server, if PostgreSQL is installed,
// and removes it when it ends. In a database of yours it changes nothing: its
// one table is temporary, and the connections it has closed are its own.
//
// What to copy into a program of one's own is in pool.go.
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
	size      int
	workers   int
	queries   int
	threshold time.Duration
}

func parseFlags() (o options) {
	flag.IntVar(&o.size, "size", 4, "connections in the pool")
	flag.IntVar(&o.workers, "workers", 16, "goroutines that query")
	flag.IntVar(&o.queries, "queries", 800, "queries of all of them")
	flag.DurationVar(&o.threshold, "threshold", 500*time.Millisecond, "how long a lease may be held before it is reported")
	flag.Parse()
	return o
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, parseFlags())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "pgx:", err)
		os.Exit(1)
	}
}

// run ends early, and well, when ctx does. Either way it leaves nothing behind.
func run(ctx context.Context, out io.Writer, o options) (err error) {
	if o.size < 1 || o.workers < 1 {
		return fmt.Errorf("-size %d and -workers %d must be at least 1", o.size, o.workers)
	}
	database, err := findDatabase(ctx, out)
	if err != nil {
		return unlessStopped(ctx, out, err)
	}
	defer func() { err = errors.Join(err, database.stop()) }()
	app, err := newApp(out, database.url, o)
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
	for _, show := range []func(context.Context) error{a.queryAtOnce, a.transfer, a.surviveTermination, a.findLeak} {
		if err := show(ctx); err != nil {
			return err
		}
	}
	a.printStats()
	return nil
}
