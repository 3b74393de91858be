package table

import (
	"fmt"
	"io"
	"strings"

	"github.com/connpool/connpool/chaos/row"
	"github.com/connpool/connpool/chaos/row/pool"
)

// Result is what came of one row.
type Result struct {
	Row      row.Row
	Outcomes map[pool.Kind]row.Outcome // of the pools that the row applies to
}

// Print prints a row as it ends.
func Print(w io.Writer, r Result) {
	fmt.Fprintf(w, "%2d  %s: %s\n    required: %s\n", r.Row.Number, r.Row.Name, r.Row.Injected, r.Row.Required)
	for _, k := range pool.Kinds() {
		if o, ok := r.Outcomes[k]; ok {
			fmt.Fprintf(w, "    %-12s %-4s  %s\n", k, o.Verdict, o.Seen)
		} else {
			fmt.Fprintf(w, "    %-12s -\n", k)
		}
	}
}

// Verdict is an error that lists the rows that our pool has failed, or nil.
func Verdict(results []Result) error {
	var failed []string
	for _, r := range results {
		if o := r.Outcomes[pool.Ours]; o.Verdict != row.Passed && o.Verdict != row.Skipped {
			failed = append(failed, fmt.Sprintf("%d (%s)", r.Row.Number, r.Row.Name))
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("%s failed %d of %d rows: %s", pool.Ours, len(failed), len(results), strings.Join(failed, ", "))
}

// count returns how many rows a pool was run against, and how it fared.
func count(results []Result, k pool.Kind) (run, passed, skipped int) {
	for _, r := range results {
		o, ok := r.Outcomes[k]
		switch {
		case !ok:
			continue
		case o.Verdict == row.Skipped:
			skipped++
			continue
		case o.Verdict == row.Passed:
			passed++
		}
		run++
	}
	return run, passed, skipped
}
