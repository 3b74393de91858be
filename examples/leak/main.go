// Leak shows how a pool finds the code that forgets to release connections: one
// branch of a request handler does. It needs no server.
//
//	go run ./examples/leak
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"

	"github.com/connpool/connpool"
)

type options struct {
	threshold time.Duration
	profile   string
}

func parseFlags() (o options) {
	flag.DurationVar(&o.threshold, "threshold", 100*time.Millisecond, "how long a lease may be held before it is reported")
	flag.StringVar(&o.profile, "profile", "", "where to write the pprof profile (default a temporary file)")
	flag.Parse()
	return o
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, parseFlags())
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case interrupted:
		fmt.Println("Stopped early.")
	case err != nil:
		fmt.Fprintln(os.Stderr, "leak:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, o options) error {
	if err := findLeak(ctx, out, o); err != nil {
		return err
	}
	return reclaimLost(ctx, out)
}

// findLeak leaks all but one connection of a pool and asks the pool about it, in
// all the ways there are.
func findLeak(ctx context.Context, out io.Writer, o options) error {
	leaks := make(chan connpool.Leak, poolSize)
	pool, err := newPool(connpool.Config[*session]{
		Name:          "orders",
		MaxSize:       poolSize,
		LeakThreshold: o.threshold,
		OnLeak:        func(leak connpool.Leak) { leaks <- leak },
		// A stack for every lease costs a few hundred nanoseconds each. The default
		// captures stacks only while connections are scarce.
		LeakStacks: connpool.StacksAlways,
	})
	if err != nil {
		return err
	}
	defer pool.Close()
	service := service{pool}
	stopStream, err := service.streamEvents(ctx)
	if err != nil {
		return err
	}
	defer stopStream()
	for _, rows := range []int{3, 0, 5, 0, 0} {
		if err := service.handleReport(ctx, rows); err != nil {
			return err
		}
	}

	printHolders(out, pool)
	if err := printLeak(ctx, out, leaks); err != nil {
		return err
	}
	if err := printTimeout(ctx, out, pool); err != nil {
		return err
	}
	if err := printProfile(out, o.profile); err != nil {
		return err
	}
	stopStream()
	return printShutdown(ctx, out, pool)
}

// newPool returns a pool of sessions for the given configuration. The warnings
// of suspected leaks that it would log are left out: the example prints what
// OnLeak gets.
func newPool(cfg connpool.Config[*session]) (*connpool.Pool[*session], error) {
	cfg.Connect = func(context.Context) (*session, error) { return &session{}, nil }
	cfg.Logger = slogDiscard
	return connpool.New(cfg)
}

func headline(out io.Writer, text string) { fmt.Fprintf(out, "\n== %s\n", text) }

func printHolders(out io.Writer, pool *connpool.Pool[*session]) {
	headline(out, "Who holds connections now? pool.Holders(), by call site:")
	for _, holder := range pool.Holders() {
		fmt.Fprintln(out, holder)
	}
}
