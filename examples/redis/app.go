package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"time"

	"github.com/connpool/connpool"
)

// app is a program that has a pool.
type app struct {
	options
	host
	out    io.Writer
	pool   *connpool.Pool[*conn]
	prefix string // of this run's keys
}

func newApp(out io.Writer, h host, o options) (*app, error) {
	cfg := poolConfig(h.server)
	cfg.MaxSize = o.size
	pool, err := connpool.New(cfg)
	return &app{options: o, host: h, out: out, pool: pool, prefix: fmt.Sprintf("connpool-example:%.8s:", rand.Text())}, err
}

// lifetime is how long keys last, in seconds.
const lifetime = "60"

func (a *app) key(name string) string { return a.prefix + name }

func (a *app) shutdown(ctx context.Context) error {
	if err := shutdown(ctx, a.pool); err != nil {
		return err
	}
	fmt.Fprintln(a.out, "\nShut down: every lease has ended and every connection is closed.")
	return nil
}

func (a *app) headline(text string) { fmt.Fprintf(a.out, "\n== %s\n\n", text) }

func (a *app) say(format string, args ...any) { fmt.Fprintf(a.out, format+"\n", args...) }

func (a *app) printStats() {
	a.headline("What the pool says of all this: pool.Stats()")
	s := a.pool.Stats()
	a.say("  leases  %d; %d of them after a wait, half of these for about %v or less", s.Acquires, s.Waits, median(s.WaitTime))
	a.say("  dials   %d, half of them in about %v or less; %d failed", s.Connects, median(s.ConnectTime), s.ConnectErrors)
	a.say("  open    %d of at most %d: %d idle, %d in use", s.Size, s.MaxSize, s.Idle, s.InUse)
	a.say("  closed  %v", s.Closes)
	a.say("  trouble %d time-outs, %d leaks, %d stale releases", s.Timeouts, s.Leaks, s.StaleReleases)
}

// median leaves out the digits that say nothing.
func median(h connpool.Histogram) time.Duration {
	return h.Quantile(0.5).Round(10 * time.Microsecond)
}
