package main

import (
	"math"
	"strconv"
	"time"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// scale turns a value into a height: one is the most.
type scale struct {
	height func(v, most float64) float64
	ticks  func(most float64) []float64
}

var linear = scale{
	height: func(v, most float64) float64 { return v / most },
	ticks: func(most float64) []float64 {
		step := roundStep(most / 3)
		ticks := []float64{}
		for v := 0.0; v <= most; v += step {
			ticks = append(ticks, v)
		}
		return ticks
	},
}

// logarithmic has a zero: it is the logarithm of one more. One is too close to
// zero for a label.
var logarithmic = scale{
	height: func(v, most float64) float64 { return math.Log1p(v) / math.Log1p(most) },
	ticks: func(most float64) []float64 {
		ticks := []float64{0}
		for v := 10.0; v <= most; v *= 10 {
			ticks = append(ticks, v)
		}
		return ticks
	},
}

// roundStep is 1, 2 or 5 times a power of ten, at least v.
func roundStep(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, times := range []float64{1, 2, 5} {
		if times*power >= v {
			return times * power
		}
	}
	return 10 * power
}

// panel is one row of one pool.
type panel struct {
	row
	tape    *tape
	most    float64
	buckets int
	last    bool
}

const (
	panelTitle vg.Length = 17 // above the data
	panelFoot  vg.Length = 14 // below it, for the ticks
	headroom             = 1.06
)

// draw fills the canvas: the title, the fault's shade, the grid, the curves.
func (p panel) draw(c draw.Canvas) {
	foot := panelFoot
	if p.last {
		foot += 12
	}
	data := draw.Crop(c, axisRoom, -6, foot, -panelTitle)
	write(c, words(9.5, ink, false), data.Min.X, data.Max.Y+5, p.title)
	p.shade(data)
	p.grid(c, data)
	if p.limit > 0 {
		style := stroke(faded, 0.9)
		style.Dashes = []vg.Length{4, 3}
		y := p.y(data, p.limit)
		data.StrokeLine2(style, data.Min.X, y, data.Max.X, y)
	}
	for _, d := range p.curves(p.tape) {
		p.trace(data, d)
	}
	p.key(data)
}

func (p panel) x(c draw.Canvas, at time.Duration) vg.Length {
	whole := time.Duration(p.buckets) * bucket
	return c.Min.X + c.Size().X*vg.Length(float64(at)/float64(whole))
}

func (p panel) y(c draw.Canvas, v float64) vg.Length {
	return c.Min.Y + c.Size().Y*vg.Length(p.scale.height(v, p.most)/headroom)
}

// shade marks the fault; at least a line of it can be seen.
func (p panel) shade(c draw.Canvas) {
	left, right := p.x(c, p.tape.began), p.x(c, p.tape.ended)
	c.SetColor(shade)
	c.Fill(vg.Rectangle{Min: vg.Point{X: left, Y: c.Min.Y}, Max: vg.Point{X: max(right, left+1.5), Y: c.Max.Y}}.Path())
}

func (p panel) grid(whole, c draw.Canvas) {
	label := words(8.5, faded, false)
	label.XAlign, label.YAlign = text.XRight, text.YCenter
	for _, v := range p.scale.ticks(p.most) {
		y := p.y(c, v)
		c.StrokeLine2(stroke(rule, 0.6), c.Min.X, y, c.Max.X, y)
		write(whole, label, c.Min.X-3, y, strconv.FormatFloat(v, 'f', -1, 64))
	}
	label.XAlign, label.YAlign = text.XCenter, text.YTop
	length := time.Duration(p.buckets) * bucket
	step := time.Duration(roundStep(length.Seconds()/6)) * time.Second
	for at := time.Duration(0); at <= length; at += max(step, time.Second) {
		x := p.x(c, at)
		c.StrokeLine2(stroke(rule, 0.6), x, c.Min.Y, x, c.Max.Y)
		write(whole, label, x, c.Min.Y-2, strconv.Itoa(int(at.Seconds())))
	}
	if p.last {
		write(whole, label, c.Center().X, c.Min.Y-13, "seconds")
	}
}

// trace draws a curve in steps, interrupted by its gaps.
func (p panel) trace(c draw.Canvas, d drawn) {
	var line []vg.Point
	flush := func() {
		if len(line) > 1 {
			c.StrokeLines(d.style, line)
		}
		line = nil
	}
	for i, v := range d.curve {
		if v < 0 {
			flush()
			continue
		}
		y := p.y(c, v)
		line = append(line,
			vg.Point{X: p.x(c, time.Duration(i)*bucket), Y: y},
			vg.Point{X: p.x(c, time.Duration(i+1)*bucket), Y: y})
	}
	flush()
}

// key names the curves, above the data at the right.
func (p panel) key(c draw.Canvas) {
	x := c.Max.X
	for _, d := range p.curves(p.tape) {
		if d.name == "" {
			continue
		}
		style := words(8.5, d.style.Color, false)
		x -= style.Width(d.name)
		write(c, style, x, c.Max.Y+5, d.name)
		x -= 10
	}
}
