package chart

import (
	"fmt"
	"image/color"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Role says what a rival is in a chart, and so how it is drawn.
type Role int

// The roles.
const (
	Other  Role = iota
	Ours        // the pool that the benchmarks are about
	Unfair      // a pool that does not serve in the order of arrival
	Floor       // no pool: what the machine needs for the least of it
)

// colour is that of an area.
func (r Role) colour() color.RGBA {
	switch r {
	case Ours:
		return accent
	case Floor:
		return pale
	}
	return plain
}

// strong is that of a line or a dot, which has less to be seen by.
func (r Role) strong() color.RGBA {
	switch r {
	case Ours:
		return accent
	case Floor:
		return plain
	}
	return faded
}

// words is the style of what is written about it.
func (r Role) words(size vg.Length) text.Style {
	if r == Ours {
		return bold(size, ink)
	}
	return textStyle(size, ink)
}

// box fills a rectangle; that of an unfair one is hollow.
func (r Role) box(c draw.Canvas, b vg.Rectangle) {
	if r != Unfair {
		fill(c, b, r.colour())
		return
	}
	inset := vg.Point{X: 0.5, Y: 0.5}
	stroke(c, vg.Rectangle{Min: b.Min.Add(inset), Max: b.Max.Sub(inset)}, line(plain, 1))
}

// keyOf explains the roles that occur, ours first.
func keyOf(seen map[Role]bool) []keyEntry {
	var entries []keyEntry
	for _, e := range []struct {
		role  Role
		label string
	}{
		{Ours, "this pool"},
		{Other, "other pools"},
		{Unfair, "other pools, not first come first served"},
		{Floor, "no pool, the least that is needed"},
	} {
		if seen[e.role] {
			entries = append(entries, keyEntry{e.label, boxMark(e.role)})
		}
	}
	return entries
}

// checkRival refuses a name that cannot be drawn, and a role that is none.
func checkRival(name string, r Role) error {
	if r < Other || r > Floor {
		return fmt.Errorf("%q has no role: %d", name, r)
	}
	return checkName(name)
}
