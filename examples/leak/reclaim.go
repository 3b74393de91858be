package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"time"

	"github.com/connpool/connpool"
)

// reclaimLost runs the same code with a pool that notices when a lease has
// become garbage: nobody can end it any more, so the pool does.
func reclaimLost(ctx context.Context, out io.Writer) error {
	headline(out, "The same leak in a pool with ReclaimLost, which is exhausted at first")
	leaks := make(chan connpool.Leak, 1)
	pool, err := connpool.New(connpool.Config[*session]{
		Name:    "orders",
		Connect: connect,
		MaxSize: 1,

		ReclaimLost: true, // costs each lease a few allocations
		OnLeak:      func(leak connpool.Leak) { leaks <- leak },
		LeakStacks:  connpool.StacksAlways,
		Logger:      slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := (service{pool}).handleReport(ctx, 0); err != nil {
		return err
	}
	printTimeout(ctx, out, pool)
	lost, err := collect(ctx, leaks)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "\nThen comes a garbage collection:")
	fmt.Fprintln(out, lost)
	return serveAgain(ctx, out, pool)
}

// collect collects garbage until the pool has found a lost lease. A program
// waits for the collections that come by themselves.
func collect(ctx context.Context, leaks <-chan connpool.Leak) (connpool.Leak, error) {
	for range 500 {
		runtime.GC()
		select {
		case leak := <-leaks:
			return leak, nil
		case <-ctx.Done():
			return connpool.Leak{}, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return connpool.Leak{}, errors.New("the lost lease was not found")
}

// serveAgain shows that the pool has a connection to lend, and shuts it down,
// which this time succeeds.
func serveAgain(ctx context.Context, out io.Writer, pool *connpool.Pool[*session]) error {
	err := pool.Do(ctx, func(_ context.Context, s *session) error { s.query(); return nil })
	if err != nil {
		return err
	}
	stats := pool.Stats()
	fmt.Fprintf(out, "The pool lends again: %d leak found, %d connection closed for it, %d opened since.\n",
		stats.Leaks, stats.Closes[connpool.ClosedLost], stats.Connects-1)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := pool.Shutdown(ctx); err != nil {
		return err
	}
	fmt.Fprintln(out, "Shutdown had nothing to wait for.")
	return nil
}
