package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/connpool/connpool"
)

const poolSize = 4

// findLeak leaks connections until a pool has none left, and asks it about them
// in all the ways there are.
func findLeak(ctx context.Context, out io.Writer, o options) error {
	leaks := make(chan connpool.Leak, poolSize)
	pool, err := connpool.New(connpool.Config[*session]{
		Name:    "orders",
		Connect: connect,
		MaxSize: poolSize,

		LeakThreshold: o.threshold,
		OnLeak:        func(leak connpool.Leak) { leaks <- leak },
		// A stack for every lease costs each a fraction of a microsecond. The default
		// captures stacks while connections are scarce, which is when they are asked
		// for.
		LeakStacks: connpool.StacksAlways,
		Logger:     slog.New(slog.DiscardHandler), // it would get a warning for each leak
	})
	if err != nil {
		return err
	}
	defer pool.Close()
	hangUp, err := leakThree(ctx, service{pool})
	if err != nil {
		return err
	}
	printHolders(out, pool)
	if err := printLeak(ctx, out, leaks); err != nil {
		return err
	}
	headline(out, "The error of an acquire that times out: who holds what it waited for")
	printTimeout(ctx, out, pool)
	if err := printProfile(out, o.profile); err != nil {
		return err
	}
	hangUp()
	printShutdown(ctx, out, pool)
	return nil
}

// leakThree opens a stream and handles five requests for reports, three of which
// are empty.
func leakThree(ctx context.Context, s service) (hangUp func(), err error) {
	hangUp, err = s.streamEvents(ctx)
	if err != nil {
		return nil, err
	}
	for _, rows := range []int{3, 0, 5, 0, 0} {
		if err := s.handleReport(ctx, rows); err != nil {
			return nil, err
		}
	}
	return hangUp, nil
}

func printHolders(out io.Writer, pool *connpool.Pool[*session]) {
	headline(out, "Who holds connections now: pool.Holders(), grouped by call site")
	printIndented(out, pool.Holders())
}

func printIndented(out io.Writer, holders []connpool.Holder) {
	for _, holder := range holders {
		fmt.Fprintf(out, "  %v\n", holder)
	}
}

// printLeak waits for all that will be reported.
func printLeak(ctx context.Context, out io.Writer, leaks <-chan connpool.Leak) error {
	headline(out, "Held for longer than LeakThreshold: OnLeak, once for each lease")
	var last connpool.Leak
	for range poolSize - 1 { // the stream is meant to be held
		select {
		case last = <-leaks:
			fmt.Fprintln(out, last)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	fmt.Fprintf(out, "\nThe stack of the last:\n%s\n", last.Stack)
	return nil
}

// printTimeout asks for a connection that nobody is going to return. The error
// names who has held one longest, and carries all the others.
func printTimeout(ctx context.Context, out io.Writer, pool *connpool.Pool[*session]) {
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	_, err := pool.Acquire(ctx)
	fmt.Fprintln(out, err)
	var failed *connpool.AcquireError
	if errors.As(err, &failed) {
		fmt.Fprintln(out, "AcquireError.Holders:")
		printIndented(out, failed.Holders)
	}
}

// printProfile writes the pprof profile of leases. A program that serves
// net/http/pprof has it at /debug/pprof/connpool.
func printProfile(out io.Writer, name string) error {
	headline(out, "The pprof profile \"connpool\", of all pools of the process")
	profile := pprof.Lookup("connpool")
	if profile == nil {
		return fmt.Errorf("there is no profile, though stacks were captured")
	}
	name, err := writeProfile(profile, name)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "go tool pprof -top %s\n\nor as text (?debug=1):\n\n", name)
	var text bytes.Buffer
	if err := profile.WriteTo(&text, 1); err != nil {
		return err
	}
	printLines(out, text.String(), 6)
	return nil
}

// writeProfile writes to a temporary file if it is given no name.
func writeProfile(profile *pprof.Profile, name string) (written string, err error) {
	file, err := openProfile(name)
	if err != nil {
		return "", err
	}
	return file.Name(), errors.Join(profile.WriteTo(file, 0), file.Close())
}

func openProfile(name string) (*os.File, error) {
	if name == "" {
		return os.CreateTemp("", "connpool-*.pprof")
	}
	return os.Create(name)
}

// printLines prints the first lines of a text.
func printLines(out io.Writer, text string, most int) {
	n := 0
	for line := range strings.Lines(text) {
		if n++; n > most {
			fmt.Fprintln(out, "...")
			return
		}
		fmt.Fprint(out, line)
	}
}

// printShutdown shuts the pool down. It cannot finish, since nobody can end the
// leaked leases any more.
func printShutdown(ctx context.Context, out io.Writer, pool *connpool.Pool[*session]) {
	headline(out, "The error of a Shutdown that waits for leaked connections")
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	fmt.Fprintln(out, pool.Shutdown(ctx))
}
