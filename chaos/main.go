// Command chaos does bad things to this pool and to others, and prints
// a table of what came of it. It exits with 1 if our pool fails one of them; the
// failures of others are data.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"

	"github.com/connpool/connpool/chaos/row"
	"github.com/connpool/connpool/chaos/row/cell"
	"github.com/connpool/connpool/chaos/row/pool"
	"github.com/connpool/connpool/chaos/table"
)

func main() {
	cell.Serve(os.Stdout) // in a process that runs one cell it does not return
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

func run() error {
	only := flag.String("only", "", "run these `rows` only, as in 1,4,33, and write no file")
	list := flag.Bool("list", false, "list the rows and do nothing")
	out := flag.String("o", "RESULTS.md", "write the table to this `file`")
	flag.Parse()
	rows, err := choose(row.All(), *only)
	if err != nil {
		return err
	}
	if *list {
		for _, r := range rows {
			fmt.Printf("%2d  %-32s %s\n", r.Number, r.Name, r.Injected)
		}
		return nil
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	results, err := runAll(ctx, rows)
	if err != nil {
		return err
	}
	if *only == "" {
		if err := table.WriteFile(*out, results); err != nil {
			return err
		}
	}
	return table.Verdict(results)
}

// choose returns the rows with these numbers, or all of them.
func choose(rows []row.Row, only string) ([]row.Row, error) {
	if only == "" {
		return rows, nil
	}
	var chosen []row.Row
	for text := range strings.SplitSeq(only, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("-only: %w", err)
		}
		i := slices.IndexFunc(rows, func(r row.Row) bool { return r.Number == n })
		if i < 0 {
			return nil, fmt.Errorf("-only: there is no row %d", n)
		}
		chosen = append(chosen, rows[i])
	}
	return chosen, nil
}

// runAll runs the rows one after the other, since they measure time, and prints
// each as it ends.
func runAll(ctx context.Context, rows []row.Row) ([]table.Result, error) {
	var results []table.Result
	for _, r := range rows {
		result := table.Result{Row: r, Outcomes: make(map[pool.Kind]row.Outcome)}
		for _, k := range pool.Kinds() {
			if !r.AppliesTo(k) {
				continue
			}
			outcome, err := runCell(ctx, r, k)
			if err != nil {
				return nil, err
			}
			result.Outcomes[k] = outcome
		}
		table.Print(os.Stdout, result)
		results = append(results, result)
	}
	return results, nil
}

// runCell runs a row against a pool, once more if it judges by time and failed.
func runCell(ctx context.Context, r row.Row, k pool.Kind) (row.Outcome, error) {
	outcome, err := cell.Run(ctx, r, k)
	if err == nil && outcome.Verdict == row.Failed && r.Timed {
		outcome, err = cell.Run(ctx, r, k)
	}
	if ctx.Err() != nil {
		return outcome, ctx.Err()
	}
	return outcome, err
}
