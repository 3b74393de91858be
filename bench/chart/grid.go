package chart

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg/draw"
)

// grid draws faint lines at the labelled ticks of the axes it is given for.
type grid struct{ x, y bool }

func (g grid) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	if g.x {
		for _, v := range labelled(p.X) {
			c.StrokeLine2(line(rule, 0.6), toX(v), c.Min.Y, toX(v), c.Max.Y)
		}
	}
	if g.y {
		for _, v := range labelled(p.Y) {
			c.StrokeLine2(line(rule, 0.6), c.Min.X, toY(v), c.Max.X, toY(v))
		}
	}
}

func labelled(a plot.Axis) []float64 {
	var values []float64
	for _, t := range a.Tick.Marker.Ticks(a.Min, a.Max) {
		if !t.IsMinor() && t.Value >= a.Min && t.Value <= a.Max {
			values = append(values, t.Value)
		}
	}
	return values
}
