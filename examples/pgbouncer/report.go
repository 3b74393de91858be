package main

import (
	"context"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"
)

// outcome is what a load came to.
type outcome struct {
	name string
	tally
	sums
	census
}

// printOutcomes prints what the pools have counted, and PostgreSQL.
func (a *app) printOutcomes(outcomes []*outcome) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(label string, value func(*outcome) any) {
		fmt.Fprintf(w, "%-44s\t", label)
		for _, o := range outcomes {
			fmt.Fprintf(w, "%v\t", value(o))
		}
		fmt.Fprintln(w)
	}
	row("", func(o *outcome) any { return o.name })
	row("connections of all pools", func(o *outcome) any { return o.open })
	row("instances that never had one", func(o *outcome) any { return o.none })
	row("dials refused", func(o *outcome) any { return o.refused })
	row("requests answered", func(o *outcome) any { return o.answered.Load() })
	row("requests failed for want of a connection", func(o *outcome) any { return o.unserved.Load() })
	row("requests failed otherwise", func(o *outcome) any { return o.cut.Load() })
	if a.sessions != nil {
		row("sessions on PostgreSQL, at most", func(o *outcome) any { return o.sessions })
	}
	if err := w.Flush(); err != nil {
		return err
	}
	a.printRefusals(outcomes)
	return nil
}

func (a *app) printRefusals(outcomes []*outcome) {
	for _, o := range outcomes {
		if o.first != nil {
			fmt.Fprintf(a.out, "\nWho got no connection, %s, was told:\n%v\n", o.name, o.first)
		}
	}
}

// totals is what PgBouncer counts from its start on.
type totals struct {
	transactions, queries int64
	waited                time.Duration // for server connections, added up
}

func (a *app) totals(ctx context.Context) (t totals, err error) {
	if a.console == nil {
		return totals{}, nil
	}
	s, err := a.console.sum(ctx, "stats", "total_xact_count", "total_query_count", "total_wait_time")
	if err != nil {
		return totals{}, err
	}
	return totals{s[0], s[1], time.Duration(s[2]) * time.Microsecond}, nil
}

// printConsole prints what PgBouncer says of a load that began with those totals.
func (a *app) printConsole(ctx context.Context, o *outcome, before totals) error {
	if a.console == nil {
		return nil
	}
	after, err := a.totals(ctx)
	if err != nil {
		return err
	}
	transactions := after.transactions - before.transactions
	wait := (after.waited - before.waited) / time.Duration(max(transactions, 1))
	fmt.Fprintln(a.out, "\nPgBouncer's console, of that:")
	fmt.Fprintf(a.out, "  SHOW POOLS    at most %d clients, %d of them waiting for one of %d server connections\n", o.clients, o.waiting, o.servers)
	fmt.Fprintf(a.out, "  SHOW STATS    %d transactions, of %d queries; each waited %v for a server connection\n",
		transactions, after.queries-before.queries, wait.Round(10*time.Microsecond))
	return a.printSessions(ctx)
}

// printSessions prints PostgreSQL's processes, as both ends of PgBouncer's
// connections know them.
func (a *app) printSessions(ctx context.Context) error {
	pids, err := a.console.pids(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "  SHOW SERVERS  connections to PostgreSQL's processes %v\n", slices.Sorted(slices.Values(pids)))
	if a.sessions == nil {
		return nil
	}
	if pids, err = a.sessions.pids(ctx); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "and on PostgreSQL, pg_stat_activity: %v\n", slices.Sorted(slices.Values(pids)))
	return nil
}
