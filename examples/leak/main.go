// Leak shows how a pool finds the code that forgets to release connections. The
// code is in service.go, and one branch of it does. There is no server.
//
//	go run ./examples/leak
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

type options struct {
	threshold time.Duration
	profile   string
}

func parseFlags() (o options) {
	flag.DurationVar(&o.threshold, "threshold", 100*time.Millisecond, "how long a lease may be held before it is reported")
	flag.StringVar(&o.profile, "profile", "", "file for the pprof profile (default a temporary one)")
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

func headline(out io.Writer, text string) { fmt.Fprintf(out, "\n== %s\n\n", text) }
