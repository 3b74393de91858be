package chart

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A panel is a plot with its title above the data and its axes' labels beside
// them. The plot's own title and labels stay empty: it centres a title on more
// than the data, and finds the middle of a logarithmic axis at its end.
type panel struct {
	*plot.Plot
	title     []string // lines
	ours      bool     // the title has the accent colour
	x, y      string   // labels
	rows      rows     // names left of the data
	showNames bool
}

func newPanel(title ...string) panel {
	p := plot.New()
	p.BackgroundColor = nil // the sheet has one
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.LineStyle = line(plain, 0.75)
		a.Tick.LineStyle = line(plain, 0.75)
		a.Tick.Length = 3
		a.Padding = 0
		x, y := a.Tick.Label.XAlign, a.Tick.Label.YAlign
		a.Tick.Label = textStyle(smallSize, faded)
		a.Tick.Label.XAlign, a.Tick.Label.YAlign = x, y
	}
	return panel{Plot: p, title: title}
}

const (
	titleLine  vg.Length = 14
	titleBelow vg.Length = 4
	labelRoom  vg.Length = 17
)

// above and below are what a panel needs beside its plot.
func (p panel) above() vg.Length {
	if len(p.title) == 0 {
		return 0
	}
	return titleLine*vg.Length(len(p.title)) + titleBelow
}

func (p panel) left() vg.Length {
	room := vg.Length(0)
	if p.y != "" {
		room += labelRoom
	}
	if p.showNames {
		room += p.rows.nameWidth()
	}
	return room
}

func (p panel) draw(c draw.Canvas) {
	inner := draw.Crop(c, p.left(), 0, labelRoom, -p.above())
	p.Draw(inner)
	data := p.DataCanvas(inner)
	middle := data.Center()
	for i, words := range p.title {
		style := bold(textSize, ink)
		if p.ours {
			style.Color = accent
		}
		if i > 0 {
			style = textStyle(smallSize, faded)
		}
		write(c, style, text.XLeft, data.Min.X, c.Max.Y-titleLine*(vg.Length(i)+0.5), words)
	}
	label := textStyle(smallSize, ink)
	write(c, label, text.XCenter, middle.X, c.Min.Y+labelRoom/2-2, p.x)
	if p.y != "" {
		writeUp(c, label, c.Min.X+labelRoom/2, middle.Y, p.y)
	}
	if p.showNames {
		p.rows.write(data, p.Plot)
	}
}
