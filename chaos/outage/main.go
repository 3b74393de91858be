package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
)

var errMissed = errors.New("this pool has missed what is required of it")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "outage:", err)
		os.Exit(1)
	}
}

// order is what the command line asks for.
type order struct {
	quick bool
	only  string // scenarios whose names contain it
	out   string
}

func run(ctx context.Context, args []string, screen io.Writer) error {
	var o order
	flags := flag.NewFlagSet("outage", flag.ContinueOnError)
	flags.BoolVar(&o.quick, "quick", false, "shorter outages: under a minute in all")
	flags.StringVar(&o.only, "only", "", "run only the scenarios whose names contain this")
	flags.StringVar(&o.out, "o", "", "write the charts and RESULTS.md to this `folder` (default: outage, or outage/quick with -quick)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	o.out = cmp.Or(o.out, o.usualFolder())
	return o.fill(ctx, screen)
}

// usualFolder is this program's own folder, wherever in the module it is started.
func (o order) usualFolder() string {
	folder := "outage"
	if wd, err := os.Getwd(); err == nil && filepath.Base(wd) == folder {
		folder = "."
	}
	if o.quick {
		folder = filepath.Join(folder, "quick")
	}
	return folder
}

// fill plays the scenarios, and draws and judges each.
func (o order) fill(ctx context.Context, screen io.Writer) error {
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	var outcomes []outcome
	missed := false
	for _, s := range scenarios(o.quick) {
		if !strings.Contains(s.name, o.only) {
			continue
		}
		result, err := s.compare(ctx, screen)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if err := result.draw(filepath.Join(o.out, s.name+".svg")); err != nil {
			return err
		}
		fmt.Fprintln(screen, result.table())
		if err := result.example(); err != nil {
			fmt.Fprintf(screen, "a call that should not have failed: %v\n\n", err)
		}
		outcomes, missed = append(outcomes, result), missed || result.missed()
	}
	if err := o.report(outcomes); err != nil {
		return err
	}
	if missed {
		return errMissed
	}
	return nil
}
