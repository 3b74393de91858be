package chart

import (
	"fmt"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Quantiles compares how a duration is spread at each rival: four quantiles in a
// row, in a panel for each work, on a logarithmic scale.
type Quantiles struct {
	Title, Note string
	Axis        string // what is measured, like "wait"
	Panels      []Panel[Quantile]
}

// Quantile is the spread of one rival's durations, in nanoseconds.
type Quantile struct {
	Name                string
	Role                Role
	P50, P99, P999, Max float64
}

func (q Quantile) rival() (string, Role) { return q.Name, q.Role }
func (q Quantile) values() []float64     { return []float64{q.P50, q.P99, q.P999, q.Max} }

func (q Quantile) check() error {
	if !slices.IsSorted(q.values()) {
		return fmt.Errorf("the quantiles %v do not rise", q.values())
	}
	return nil
}

// SVG draws the chart.
func (q Quantiles) SVG() ([]byte, error) {
	return rowChart[Quantile]{
		title: q.Title, note: q.Note, axis: q.Axis, unit: Nanoseconds, panels: q.Panels,
		key: quantileKey(), textLeft: true, row: q.draw,
	}.svg()
}

var (
	quantileNames  = []string{"half of all (p50)", "p99", "p99.9", "longest"}
	quantileGlyphs = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.RingGlyph{}, draw.TriangleGlyph{}, tick{}}
)

func quantileKey() []keyEntry {
	var entries []keyEntry
	for i, name := range quantileNames {
		entries = append(entries, keyEntry{name, glyphMark(dot(i, Ours))})
	}
	return entries
}

func dot(i int, r Role) draw.GlyphStyle {
	return draw.GlyphStyle{Color: r.strong(), Radius: 3.5, Shape: quantileGlyphs[i]}
}

func (q Quantiles) draw(c draw.Canvas, p *plot.Plot, y vg.Length, row Quantile) {
	toX, _ := p.Transforms(&c)
	c.StrokeLine2(line(row.Role.strong(), 1.5), toX(row.P50), y, toX(row.Max), y)
	for i, v := range row.values() {
		c.DrawGlyphNoClip(dot(i, row.Role), vg.Point{X: toX(v), Y: y})
	}
	style := row.Role.words(smallSize)
	write(c, style, text.XRight, toX(row.P50)-6, y, Nanoseconds.text(row.P50))
	write(c, style, text.XLeft, toX(row.Max)+6, y, Nanoseconds.text(row.Max))
}

// tick is an upright stroke: here it ends.
type tick struct{}

func (tick) DrawGlyph(c *draw.Canvas, style draw.GlyphStyle, at vg.Point) {
	c.StrokeLine2(line(style.Color, 2), at.X, at.Y-style.Radius*1.4, at.X, at.Y+style.Radius*1.4)
}
