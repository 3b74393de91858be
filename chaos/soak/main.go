package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"runtime/pprof"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := command(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// order is what the command line asks for.
type order struct {
	length, phase time.Duration
	workers       int
	seed          uint64
}

func command(ctx context.Context, args []string, screen, troubles io.Writer) error {
	var o order
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.DurationVar(&o.length, "for", 10*time.Minute, "how long to go on")
	flags.DurationVar(&o.phase, "phase", 10*time.Second, "how long the load runs between two looks at the pools at rest")
	flags.IntVar(&o.workers, "workers", 2000, "goroutines that borrow connections")
	flags.Uint64Var(&o.seed, "seed", rand.Uint64(), "settles every choice")
	if err := flags.Parse(args); err != nil {
		return err
	}
	fmt.Fprintf(screen, "soak: %v with %d workers, seed %d\n", o.length, o.workers, o.seed)
	s, err := newSoak(o)
	if err != nil {
		return err
	}
	if err := s.run(ctx, newProgress(screen)); err != nil {
		s.dump(troubles)
		return fmt.Errorf("%w (seed %d)", err, o.seed)
	}
	fmt.Fprintln(screen, "soak: nothing broken")
	return nil
}

// dump prints what is needed to find out what went wrong.
func (s *soak) dump(w io.Writer) {
	for _, r := range s.rigs {
		fmt.Fprintf(w, "%s: %s\n", r.name, r.state())
	}
	if err := pprof.Lookup("goroutine").WriteTo(w, 2); err != nil {
		fmt.Fprintln(w, "no goroutine dump:", err)
	}
}
