package main

import (
	"slices"
	"time"
)

// bucket is the time that one point of a curve stands for.
const bucket = 100 * time.Millisecond

// curve is a value for each bucket; a negative one is a gap.
type curve []float64

const gap = -1

func (t *tape) buckets() int {
	last := time.Duration(0)
	for _, s := range t.samples() {
		last = max(last, s.at)
	}
	return int(last/bucket) + 1
}

// rate is how many things a second happened; at says when one did, and whether
// it counts.
func rate[E any](t *tape, events []E, at func(E) (time.Duration, bool)) curve {
	c := make(curve, t.buckets())
	for _, e := range events {
		when, counts := at(e)
		if i := int(when / bucket); counts && i < len(c) {
			c[i] += 1 / bucket.Seconds()
		}
	}
	return c
}

func (t *tape) served() curve {
	return rate(t, t.calls(), func(c call) (time.Duration, bool) { return c.ended, c.err == nil })
}

func (t *tape) failed(patient bool) curve {
	return rate(t, t.calls(), func(c call) (time.Duration, bool) { return c.ended, c.err != nil && c.patient == patient })
}

func (t *tape) dialled() curve {
	return rate(t, t.dials(), func(d dial) (time.Duration, bool) { return d.began, true })
}

// open is the most connections in each bucket.
func (t *tape) open() curve {
	c := make(curve, t.buckets())
	for _, s := range t.samples() {
		c[s.at/bucket] = max(c[s.at/bucket], float64(s.open))
	}
	return c
}

// waits are how long the callers waited who got a connection, in milliseconds: of
// each bucket the given quantile.
func (t *tape) waits(quantile float64) curve {
	all := make([][]time.Duration, t.buckets())
	for _, c := range t.calls() {
		if i := int(c.got / bucket); c.held && i < len(all) {
			all[i] = append(all[i], c.got-c.began)
		}
	}
	c := make(curve, len(all))
	for i, waits := range all {
		c[i] = gap
		if len(waits) > 0 {
			slices.Sort(waits)
			c[i] = float64(waits[int(quantile*float64(len(waits)-1))]) / float64(time.Millisecond)
		}
	}
	return c
}
