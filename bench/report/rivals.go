package report

import (
	"fmt"
	"io"

	"github.com/connpool/connpool/bench/rival"
	"github.com/connpool/connpool/bench/run"
	"github.com/connpool/connpool/bench/work"
)

// writeRivals tells who takes part, and holds what is said of their fairness
// against what was measured.
func (r Report) writeRivals(w io.Writer) {
	fmt.Fprint(w, "## Rivals\n\n")
	t := &table{}
	t.add("", "version", "kind", "pairs out of order", "most / least served, held 50 µs", "held 1 ms", "overtaken by 5 ms or more, per 1,000, held 1 ms")
	all := rival.All()
	for _, one := range all {
		t.add(one.Name, version(one.Version), r.kind(one),
			r.figure("order", one, work.OutOfOrder),
			r.figure("saturated/50us", one, work.Uneven),
			r.figure("saturated/1ms", one, work.Uneven),
			r.figure("saturated/1ms", one, work.OvertakenLate))
	}
	t.writeTo(w)
	for _, one := range all {
		if one.Note != "" {
			fmt.Fprintf(w, "- %s: %s\n", one.Name, one.Note)
		}
	}
	fmt.Fprintln(w)
}

func version(v string) string {
	if v == "" {
		return "-"
	}
	return v
}

func (r Report) figure(workName string, one rival.Rival, key string) string {
	s, ok := r.Results.Work(workName).Row(one.Name).Of(key)
	if !ok {
		return "-"
	}
	return withSpread(s, work.Count)
}

// kind says what a rival is taken for and, if it was found to be something else,
// that.
func (r Report) kind(one rival.Rival) string {
	switch {
	case one.Kind == rival.Floor:
		return "floor"
	case one.Kind == rival.Fair && keepsNoQueue(r.Results, one.Name):
		return "fair, **but measured unfair**"
	case one.Kind == rival.Fair:
		return "fair"
	case keepsNoQueue(r.Results, one.Name):
		return "not fair"
	case r.Results.Work("order") == nil:
		return "not fair"
	}
	return "not fair, **but measured fair**"
}

// Above these, somebody has been served out of turn who was not just preempted at
// the wrong moment: pairs of 1,225 in the still queue, where one preemption costs
// a few; how often the most lucky caller was served for one time of the least
// lucky; and borrows of 1,000 that were overtaken by much.
const (
	fairPairs     = 10
	fairUneven    = 3
	fairOvertaken = 10
)

// keepsNoQueue reports whether a rival was measured to serve out of order.
func keepsNoQueue(results run.Results, name string) bool {
	return above(results, "order", name, work.OutOfOrder, fairPairs) ||
		above(results, "saturated/50us", name, work.Uneven, fairUneven) ||
		above(results, "saturated/1ms", name, work.Uneven, fairUneven) ||
		above(results, "saturated/1ms", name, work.OvertakenLate, fairOvertaken)
}

func above(results run.Results, workName, rivalName, key string, limit float64) bool {
	s, ok := results.Work(workName).Row(rivalName).Of(key)
	return ok && s.Median > limit
}
