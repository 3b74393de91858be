package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/connpool/connpool"
)

// app is a program that has a pool.
type app struct {
	options
	out   io.Writer
	pool  *connpool.Pool[*pgx.Conn]
	leaks chan connpool.Leak
}

func newApp(out io.Writer, url string, o options) (*app, error) {
	a := &app{options: o, out: out, leaks: make(chan connpool.Leak, o.size)}
	pool, err := newPool(url, o, a.noteLeak)
	a.pool = pool
	return a, err
}

func (a *app) shutdown(ctx context.Context) error {
	if err := shutdown(ctx, a.pool); err != nil {
		return err
	}
	fmt.Fprintln(a.out, "\nShut down: every lease has ended and every connection is closed.")
	return nil
}

func (a *app) headline(text string) { fmt.Fprintf(a.out, "\n== %s\n\n", text) }

func (a *app) printStats() {
	a.headline("What the pool says of all this: pool.Stats()")
	s := a.pool.Stats()
	fmt.Fprintf(a.out, "  leases  %d; %d of them after a wait, half of these for about %v or less\n", s.Acquires, s.Waits, median(s.WaitTime))
	fmt.Fprintf(a.out, "  dials   %d, half of them in about %v or less; %d failed\n", s.Connects, median(s.ConnectTime), s.ConnectErrors)
	fmt.Fprintf(a.out, "  open    %d of at most %d: %d idle, %d in use\n", s.Size, s.MaxSize, s.Idle, s.InUse)
	fmt.Fprintf(a.out, "  closed  %v\n", s.Closes)
	fmt.Fprintf(a.out, "  trouble %d time-outs, %d leaks, %d stale releases\n", s.Timeouts, s.Leaks, s.StaleReleases)
}

// median leaves out the digits that say nothing.
func median(h connpool.Histogram) time.Duration {
	return h.Quantile(0.5).Round(10 * time.Microsecond)
}
