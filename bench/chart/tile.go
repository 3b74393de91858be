package chart

import (
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const tileGap vg.Length = 12 // between lines of panels

// tile draws panels in lines and columns. All have the same axes, so that each
// leaves the same room for its labels and they align by themselves.
func tile(c draw.Canvas, panels [][]panel, columns int) {
	width := (c.Size().X - panelGap*vg.Length(columns-1)) / vg.Length(columns)
	height := (c.Size().Y + tileGap) / vg.Length(len(panels))
	for i, line := range panels {
		for j, p := range line {
			corner := vg.Point{X: c.Min.X + vg.Length(j)*(width+panelGap), Y: c.Max.Y - vg.Length(i+1)*height + tileGap}
			p.draw(draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
				Min: corner, Max: corner.Add(vg.Point{X: width, Y: height - tileGap}),
			}})
		}
	}
}
