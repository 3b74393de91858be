package main

import (
	"fmt"
	"strings"
	"time"
)

// outcome is what a scenario was like with both pools, this one first.
type outcome struct {
	scenario
	tapes [2]*tape
}

// requirement is one line of the table.
type requirement struct {
	what     string
	required string // empty: for information
	seen     [2]string
	met      [2]bool
	timed    bool // a busy machine may miss it
}

// requirements judges both pools; only the first has to meet them.
func (o outcome) requirements() []requirement {
	f := [2]findings{o.review(o.tapes[0]), o.review(o.tapes[1])}
	rows := []requirement{
		atLeast("calls served before it", 100, f, func(f findings) int { return f.before }),
		atLeast("calls served after it", 100, f, func(f findings) int { return f.served }),
		atMost("failed calls whose deadline was longer than it lasted", 0, f, func(f findings) int { return f.failed }),
	}
	if o.mayCut {
		rows = append(rows, atMost("queries that it cut off, on connections from before it", maxSize, f, func(f findings) int { return f.cut }))
	}
	rows = append(rows,
		o.recovery(f),
		atMost("most connections at once", maxSize, f, func(f findings) int { return int(f.most) }),
	)
	if o.away {
		rows = append(rows, o.dialling(f),
			atMost("of those, begun while another was under way, after the first had failed", 0, f, func(f findings) int { return f.crowded }))
	}
	if o.renewed {
		rows = append(rows, atMost("leases on the old server, asked for after Retire", 0, f, func(f findings) int { return f.outdated }))
	}
	return append(rows, unchecked(f),
		shown("failed calls of those who had little time", f, func(f findings) string { return fmt.Sprint(f.gaveUp) }))
}

func atMost(what string, most int, f [2]findings, of func(findings) int) requirement {
	r := shown(what, f, func(f findings) string { return fmt.Sprint(of(f)) })
	r.required = fmt.Sprintf("at most %d", most)
	if most == 0 {
		r.required = "none"
	}
	r.met = [2]bool{of(f[0]) <= most, of(f[1]) <= most}
	return r
}

func atLeast(what string, least int, f [2]findings, of func(findings) int) requirement {
	r := shown(what, f, func(f findings) string { return fmt.Sprint(of(f)) })
	r.required = fmt.Sprintf("at least %d", least)
	r.met = [2]bool{of(f[0]) >= least, of(f[1]) >= least}
	return r
}

func shown(what string, f [2]findings, of func(findings) string) requirement {
	return requirement{what: what, seen: [2]string{of(f[0]), of(f[1])}, met: [2]bool{true, true}}
}

func (o outcome) recovery(f [2]findings) requirement {
	r := shown("from its end to the first success", f, func(f findings) string { return inWords(f.recovered) })
	r.required = fmt.Sprintf("at most %v (BackoffMax) and %v for the dial and the query", backoffMax, inTime)
	r.timed = true
	r.met = [2]bool{f[0].recovered <= o.allowed, f[1].recovered <= o.allowed}
	return r
}

func inWords(d time.Duration) string {
	if d == never {
		return "never"
	}
	return d.Round(time.Millisecond).String()
}

// dialling allows each pool what its own outage's length does.
func (o outcome) dialling(f [2]findings) requirement {
	r := shown("dials while it lasted", f, func(f findings) string {
		return fmt.Sprintf("%d in %v", f.dials, f.lasted.Round(time.Millisecond))
	})
	r.required = fmt.Sprintf("at most %d: one a backoff interval", dialsAllowed(f[0].lasted))
	r.met = [2]bool{f[0].dials <= dialsAllowed(f[0].lasted), f[1].dials <= dialsAllowed(f[1].lasted)}
	return r
}

// unchecked is not to be seen of pgxpool: nothing tells of its pings.
func unchecked(f [2]findings) requirement {
	r := atMost("older connections lent unchecked after the first failure", 0, f, func(f findings) int { return f.unchecked })
	r.seen[1], r.met[1] = "(not visible)", true
	return r
}

func (o outcome) missed() bool {
	for _, r := range o.requirements() {
		if !r.met[0] {
			return true
		}
	}
	return false
}

// example is a failure of this pool's that should not have been, or nil.
func (o outcome) example() error { return o.review(o.tapes[0]).example }

// table is Markdown.
func (o outcome) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | required | this pool | pgxpool |\n|---|---|---|---|\n", o.name)
	for _, r := range o.requirements() {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.what, r.required, r.cell(0), r.cell(1))
	}
	return b.String()
}

func (r requirement) cell(i int) string {
	switch {
	case r.met[i]:
		return r.seen[i]
	case i == 0:
		return "**missed: " + r.seen[i] + "**"
	}
	return r.seen[i] + " (would miss it)"
}
