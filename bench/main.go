// Bench runs this pool and its rivals through the same works in one run, and
// writes down what it has found.
//
//	go run .                       everything, some twelve minutes
//	go run . -quick                everything, smaller: a minute
//	go run . -only 'serial|order'  works whose names match
//	go run . -list                 the names
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/connpool/connpool/bench/plan"
	"github.com/connpool/connpool/bench/report"
	"github.com/connpool/connpool/bench/work"
)

func main() {
	if err := bench(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench() error {
	quick := flag.Bool("quick", false, "few rounds, short samples, small sizes")
	only := flag.String("only", "", "run only the works whose names match this regular expression")
	rounds := flag.Int("rounds", 0, "how many rounds; 0 is as many as planned")
	out := flag.String("o", "", `where the report goes, with a folder "charts" beside it (default RESULTS.md, or quick/RESULTS.md)`)
	list := flag.Bool("list", false, "print the names of the works")
	flag.Parse()

	wanted, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	p, spikes := plan.New(*quick)
	p.Works = slices.DeleteFunc(p.Works, func(w work.Work) bool { return !wanted.MatchString(w.Name) })
	if *list {
		for _, w := range p.Works {
			fmt.Printf("%-20s %s\n", w.Name, w.Title)
		}
		return nil
	}
	if *rounds > 0 {
		p.Rounds = *rounds
	}

	r := report.Report{Command: command(), Machine: report.ThisMachine(), Rounds: p.Rounds, Quick: *quick, Spikes: spikes}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	began := time.Now()
	screen := newProgress(os.Stderr)
	r.Results = p.Do(ctx, screen.show)
	screen.done()
	r.Took = time.Since(began)
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted; nothing is written")
	}

	report.WriteGoals(os.Stdout, r.Results)
	path := target(*out, *quick)
	if err := r.Save(path); err != nil {
		return err
	}
	fmt.Println("Everything is in", path)
	return nil
}

func command() string {
	return strings.TrimSpace("go run . " + strings.Join(os.Args[1:], " "))
}

func target(out string, quick bool) string {
	switch {
	case out != "":
		return out
	case quick:
		return "quick/RESULTS.md"
	}
	return "RESULTS.md"
}
