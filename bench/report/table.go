package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/connpool/connpool/bench/rival"
	"github.com/connpool/connpool/bench/run"
)

// table is a Markdown table that can be read as text, too.
type table struct {
	rows  [][]string
	words bool // and not figures, which are aligned to the right
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// writeTo writes the table; the first row is its head.
func (t *table) writeTo(w io.Writer) {
	widths := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for n, row := range t.rows {
		fmt.Fprint(w, "|")
		for i, cell := range row {
			fmt.Fprintf(w, " %s%s |", cell, strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)))
		}
		fmt.Fprintln(w)
		if n == 0 {
			fmt.Fprint(w, "|")
			for i := range row {
				fmt.Fprintf(w, "-%s%s|", strings.Repeat("-", widths[i]), t.rule(i))
			}
			fmt.Fprintln(w)
		}
	}
	fmt.Fprintln(w)
}

// rule ends the line below a column's head. The first column holds names.
func (t *table) rule(column int) string {
	if column == 0 || t.words {
		return "-"
	}
	return ":"
}

// The rivals that all are compared with.
const (
	our        = "connpool"
	floor      = "sync.Pool"
	leastOfAll = "two CAS"
)

// writeWork writes a work's section.
func writeWork(w io.Writer, result *run.WorkResult) {
	fmt.Fprintf(w, "### %s\n\n%s\n\n", result.Title, result.How)
	t := &table{}
	t.add(head(result)...)
	for i := range result.Rows {
		t.add(cells(result, &result.Rows[i])...)
	}
	t.writeTo(w)
	writeFailures(w, result)
}

func head(result *run.WorkResult) []string {
	cells := []string{""}
	for i, m := range result.Metrics {
		cells = append(cells, m.Title)
		if i == 0 && result.Ratios {
			cells = append(cells, "to "+our, "to "+floor)
		}
	}
	return cells
}

func cells(result *run.WorkResult, row *run.Row) []string {
	cells := []string{label(row.Rival)}
	for i, m := range result.Metrics {
		s, ok := row.Of(m.Key)
		if ok {
			cells = append(cells, withSpread(s, m.Unit))
		} else {
			cells = append(cells, "-")
		}
		if i == 0 && result.Ratios {
			cells = append(cells, ratio(row, result.Row(our), m.Key), ratio(row, result.Row(floor), m.Key))
		}
	}
	return cells
}

// label marks what must not be compared as if it were the same.
func label(r rival.Rival) string {
	switch {
	case r.Name == our:
		return "**" + r.Name + "**"
	case r.New != nil && r.Kind == rival.Unfair:
		return r.Name + " (not fair)"
	case r.New != nil && r.Kind == rival.Floor:
		return r.Name + " (floor)"
	}
	return r.Name
}

func ratio(a, b *run.Row, key string) string {
	of, ok := a.Of(key)
	to, ok2 := b.Of(key)
	if !ok || !ok2 || to.Median == 0 {
		return "-"
	}
	return number(of.Median/to.Median) + " x"
}

func writeFailures(w io.Writer, result *run.WorkResult) {
	for _, row := range result.Rows {
		if row.Err != nil {
			fmt.Fprintf(w, "%s failed: %v\n\n", row.Rival.Name, row.Err)
		}
	}
}
