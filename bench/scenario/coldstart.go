package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/connpool/connpool/bench/rival"
)

// ColdStartSettings say how many come to a pool that has nothing open.
type ColdStartSettings struct {
	Max     int // connections at most
	Callers int // come at once, for one query each
	Dial    time.Duration
	Query   time.Duration
}

// UsualColdStart has as many connections allowed as there are callers: with
// fewer, the limit would hide how many dials a pool starts by itself.
func UsualColdStart(quick bool) ColdStartSettings {
	s := ColdStartSettings{Max: 100, Callers: 100, Dial: 50 * time.Millisecond, Query: 2 * time.Millisecond}
	if quick {
		s.Dial = 20 * time.Millisecond
	}
	return s
}

// ColdStartResult is what a pool made of it.
type ColdStartResult struct {
	Rival      string
	Dials      int // begun
	MostAtOnce int // of them under way
	Opened     int
	Served     time.Duration // until the last caller had been served
}

// ColdStart sends callers to an empty pool. A pool that dials for each serves all
// after one dial, if the server can take so many at once. One that dials a few at
// a time spares the server, and takes longer.
func ColdStart(ctx context.Context, r rival.Rival, s ColdStartSettings) (ColdStartResult, error) {
	l := &ledger{callers: s.Callers}
	pool, err := r.New(rival.Setup{Max: s.Max, Dial: l.dial})
	if err != nil {
		return ColdStartResult{}, fmt.Errorf("cold start: %s: %w", r.Name, err)
	}
	defer pool.Close()
	start, query := func() { l.begin(s.Dial, nil) }, l.query(s.Query)
	err = together(s.Callers, start, func() error { return pool.Use(ctx, query) })
	if err == nil {
		err = l.settle(ctx, s.Dial/2)
	}
	if err != nil {
		return ColdStartResult{}, fmt.Errorf("cold start: %s: %w", r.Name, err)
	}
	served, _ := l.lastServed()
	now := l.counts()
	return ColdStartResult{r.Name, now.dials, now.mostAtOnce, now.opened, served}, nil
}
