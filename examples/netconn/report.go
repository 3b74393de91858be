package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/connpool/connpool"
)

// diary prints what happens when it happens. It is safe for concurrent use.
type diary struct {
	began time.Time

	mu      sync.Mutex
	out     io.Writer
	failing int // dials in a row
}

func (d *diary) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sayLocked(format, args...)
}

func (d *diary) sayLocked(format string, args ...any) {
	fmt.Fprintf(d.out, "%7.3fs  %s\n", time.Since(d.began).Seconds(), fmt.Sprintf(format, args...))
}

// trace has the pool write into the diary.
func (d *diary) trace() *connpool.Trace {
	return &connpool.Trace{Connected: d.connected, Outage: d.outage}
}

// connected notes the first and the last of the dials that fail in a row.
func (d *diary) connected(_ context.Context, info connpool.ConnectedInfo) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case errors.Is(info.Err, context.Canceled): // the pool is being closed
	case info.Err != nil:
		if d.failing++; d.failing == 1 {
			d.sayLocked("pool:   a dial failed: %v", info.Err)
		}
	case d.failing > 0:
		d.sayLocked("pool:   dials succeed again, after %d that failed", d.failing)
		d.failing = 0
	}
}

// outage notes when the pool has had enough and fails its callers: not while a
// server is restarted within -down-after.
func (d *diary) outage(info connpool.OutageInfo) {
	if info.Began {
		d.say("pool:   outage: from now on callers are failed at once: %v", info.Err)
	} else {
		d.say("pool:   the outage is over, it began %v ago", time.Since(info.Since).Round(time.Millisecond))
	}
}

// report prints what came of it all. The error says that a request failed that
// need not have.
func report(out io.Writer, l *load, down outage, stats connpool.Stats) error {
	var avoidable []request
	for _, r := range l.mu.failed {
		if !r.underWay(down) {
			avoidable = append(avoidable, r)
		}
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "requests answered\t%d\t(%d of them with a no, which breaks no connection)\n", l.mu.answered, l.mu.refused)
	fmt.Fprintf(w, "failed, under way when the server went down\t%d\n", len(l.mu.failed)-len(avoidable))
	fmt.Fprintf(w, "failed otherwise\t%d\n", len(avoidable))
	if l.mu.canceled > 0 {
		fmt.Fprintf(w, "given up with Ctrl-C\t%d\n", l.mu.canceled)
	}
	fmt.Fprintf(w, "longest wait for a connection\t%v\n", l.mu.longest.Round(time.Millisecond))
	fmt.Fprintf(w, "connections opened\t%d\t(%d more dials failed)\n", stats.Connects, stats.ConnectErrors)
	for _, reason := range slices.Sorted(maps.Keys(stats.Closes)) {
		fmt.Fprintf(w, "connections closed, %v\t%d\t%s\n", reason, stats.Closes[reason], meaning[reason])
	}
	if err := w.Flush(); err != nil || len(avoidable) == 0 {
		return err
	}
	return fmt.Errorf("%d requests failed that were not under way when the server went down, the first with: %w",
		len(avoidable), avoidable[0].err)
}

// meaning says what the pool's reasons for closing mean here.
var meaning = map[connpool.CloseReason]string{
	connpool.ClosedCheck:     "(found dead before they were lent)",
	connpool.ClosedClean:     "(found dead when they came back)",
	connpool.ClosedDiscarded: "(broke under a request)",
}
