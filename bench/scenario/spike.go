package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/connpool/connpool/bench/rival"
)

// SpikeSettings say how large a spike is.
type SpikeSettings struct {
	Min, Max int // connections: so many are open before it, so many may be
	Callers  int // come at once, for one query each
	Dial     time.Duration
	Query    time.Duration
	Every    time.Duration // between two samples
}

// PublishedSpike is the one with which the authors of HikariCP compared Java's
// pools. Theirs ended with 5 connections and opened a sixth afterwards, and the
// two others ended with 45: five that are open serve all callers long before
// another can be dialled. They measured until all were served; here the dials
// that end later are counted, too.
// https://github.com/brettwooldridge/HikariCP/blob/dev/documents/Welcome-To-The-Jungle.md
func PublishedSpike(quick bool) SpikeSettings {
	s := SpikeSettings{
		Min: 5, Max: 50, Callers: 50,
		Dial: 150 * time.Millisecond, Query: 2 * time.Millisecond, Every: 250 * time.Microsecond,
	}
	if quick {
		s.Dial = 50 * time.Millisecond
	}
	return s
}

// SpikeResult is what a pool made of a spike.
type SpikeResult struct {
	Rival  string
	Served time.Duration // until the last caller had been served
	Before int           // connections open before
	Open   int           // connections opened in all, those before included
	Late   int           // of these, opened when nobody needed them any more
	Dials  int           // begun since the callers came
	// Samples end a little after the last dial has.
	Samples []Sample
}

// Spike sends callers to a pool with few connections open.
func Spike(ctx context.Context, r rival.Rival, s SpikeSettings) (SpikeResult, error) {
	l := &ledger{callers: s.Callers}
	pool, err := r.New(rival.Setup{Max: s.Max, Min: s.Min, Dial: l.dial})
	if err != nil {
		return SpikeResult{}, fmt.Errorf("spike: %s: %w", r.Name, err)
	}
	defer pool.Close()
	err = spike(ctx, pool, s, l)
	if err != nil {
		return SpikeResult{}, fmt.Errorf("spike: %s: %w", r.Name, err)
	}
	return l.spikeResult(r.Name, s), nil
}

func spike(ctx context.Context, pool rival.Pool, s SpikeSettings, l *ledger) error {
	if err := fill(ctx, pool, s.Min, l); err != nil {
		return err
	}
	if err := l.settle(ctx, quietAtFirst); err != nil {
		return err
	}
	start := func() { l.begin(s.Dial, nil) }
	query := l.query(s.Query)
	if err := together(s.Callers, start, func() error { return pool.Use(ctx, query) }); err != nil {
		return err
	}
	return l.settle(ctx, s.Dial/2)
}

func (l *ledger) spikeResult(name string, s SpikeSettings) SpikeResult {
	served, then := l.lastServed()
	now, samples := l.counts(), l.samples(s.Every)
	return SpikeResult{
		Rival:   name,
		Served:  served,
		Before:  samples[0].Open,
		Open:    now.opened,
		Late:    now.opened - then.opened,
		Dials:   now.dials,
		Samples: samples,
	}
}
