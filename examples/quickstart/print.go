package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/connpool/connpool"
)

func printTable(out io.Writer, unpooled, pooled measured) error {
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\trequests\treq/s\tp50\tp99\tconnections opened\t")
	printRow(w, "a connection a request", unpooled)
	printRow(w, "pooled", pooled)
	fmt.Fprintf(w, "the pool is better by\t\t%s\t%s\t%s\t%s\t\n",
		times(pooled.rate(), unpooled.rate()),
		times(unpooled.quantile(0.50), pooled.quantile(0.50)),
		times(unpooled.quantile(0.99), pooled.quantile(0.99)),
		times(unpooled.opened, pooled.opened))
	return w.Flush()
}

func printRow(w io.Writer, name string, m measured) {
	fmt.Fprintf(w, "%s\t%d\t%.0f\t%v\t%v\t%d\t\n", name, len(m.latencies), m.rate(),
		short(m.quantile(0.50)), short(m.quantile(0.99)), m.opened)
}

// times says how many times b goes into a.
func times[N int | float64 | time.Duration](a, b N) string {
	if b == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1fx", float64(a)/float64(b))
}

func printStats(out io.Writer, handshake time.Duration, s connpool.Stats) {
	fmt.Fprintf(out, "\nWhat the pool says of its run with a handshake of %v (pool.Stats()):\n", handshake)
	fmt.Fprintf(out, "  leases  %d; %d of them after a wait, half of these for about %v or less, 99%% for %v\n",
		s.Acquires, s.Waits, short(s.WaitTime.Quantile(0.5)), short(s.WaitTime.Quantile(0.99)))
	fmt.Fprintf(out, "  dials   %d, half of them in about %v or less; %d failed\n",
		s.Connects, short(s.ConnectTime.Quantile(0.5)), s.ConnectErrors)
	fmt.Fprintf(out, "  open    %d of at most %d at the end: %d idle, %d in use\n", s.Size, s.MaxSize, s.Idle, s.InUse)
	fmt.Fprintf(out, "  trouble %d time-outs, %d leaks, %d stale releases\n", s.Timeouts, s.Leaks, s.StaleReleases)
}

// short cuts off the digits that say nothing.
func short(d time.Duration) time.Duration {
	if d >= time.Millisecond {
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Microsecond)
}
