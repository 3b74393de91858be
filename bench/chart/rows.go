package chart

import (
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// rows are the names of rivals from top to bottom, each once. In a chart of rows
// panels stand side by side; a rival has the same row in all, and all have the
// same horizontal axis, so that they can be compared both ways. Only the first
// panel carries the names.
type rows []string

func (r rows) with(name string) rows {
	if slices.Contains(r, name) {
		return r
	}
	return append(r, name)
}

// at is the height of a row: the first is on top.
func (r rows) at(name string) float64 { return float64(len(r) - 1 - slices.Index(r, name)) }

const (
	rowHeight vg.Length = 21
	axisRoom  vg.Length = 16 // ticks and their labels
	panelGap  vg.Length = 18
	nameGap   vg.Length = 6
)

// stack gives a plot its rows.
func (r rows) stack(p *plot.Plot) {
	p.Y.Min, p.Y.Max = -0.6, float64(len(r))-0.4
	p.Y.Tick.Marker = plot.ConstantTicks(nil)
}

func (r rows) nameWidth() vg.Length {
	style, widest := textStyle(textSize, ink), vg.Length(0)
	for _, name := range r {
		widest = max(widest, widthOf(style, name))
	}
	return widest + nameGap
}

// write sets the names left of the data.
func (r rows) write(data draw.Canvas, p *plot.Plot) {
	_, toY := p.Transforms(&data)
	for _, name := range r {
		write(data, textStyle(textSize, ink), text.XRight, data.Min.X-nameGap, toY(r.at(name)), name)
	}
}

// panelWidth is that of each panel without the names.
func (r rows) panelWidth(whole vg.Length, panels int) vg.Length {
	return (whole - r.nameWidth() - panelGap*vg.Length(panels-1)) / vg.Length(panels)
}

// beside draws the panels from left to right.
func (r rows) beside(c draw.Canvas, panels []panel) {
	x, data := c.Min.X, r.panelWidth(c.Size().X, len(panels))
	for _, p := range panels {
		width := data + p.left()
		p.draw(draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
			Min: vg.Point{X: x, Y: c.Min.Y}, Max: vg.Point{X: x + width, Y: c.Max.Y},
		}})
		x += width + panelGap
	}
}

// missing says so in the row of a rival that a panel has no value for: an
// empty row could be taken for one too fast to see.
func missing(c draw.Canvas, y vg.Length) {
	write(c, textStyle(smallSize, faded), text.XLeft, c.Min.X+4, y, "not measured")
}
