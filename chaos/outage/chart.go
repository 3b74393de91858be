package main

import (
	"bytes"
	"fmt"
	"image/color"
	"os"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The chart of an outcome: what happened over time, one pool beside the other,
// with equal axes in each row.

var (
	ink    = color.RGBA{31, 35, 40, 255}
	faded  = color.RGBA{89, 99, 110, 255}
	rule   = color.RGBA{222, 226, 231, 255}
	accent = color.RGBA{9, 105, 218, 255}
	alarm  = color.RGBA{207, 34, 46, 255}
	grey   = color.RGBA{138, 148, 160, 255}
	shade  = color.RGBA{253, 239, 226, 255}
)

const (
	chartWidth  vg.Length = 760
	chartMargin vg.Length = 14
	headHeight  vg.Length = 58
	rowHeight   vg.Length = 118
	columnGap   vg.Length = 10
)

// row is one kind of curves, for both pools.
type row struct {
	title  string // with the unit
	scale  scale
	curves func(*tape) []drawn
	limit  float64 // a dashed line, if not 0
}

// drawn is a curve with its looks.
type drawn struct {
	curve
	style draw.LineStyle
	name  string // for the key; empty where the row's title says it
}

func stroke(c color.Color, width vg.Length) draw.LineStyle {
	return draw.LineStyle{Color: c, Width: width}
}

var rows = []row{
	{title: "calls served (per second)", scale: linear, curves: func(t *tape) []drawn {
		return []drawn{{t.served(), stroke(accent, 1.4), ""}}
	}},
	{title: "calls failed (per second, logarithmic)", scale: logarithmic, curves: func(t *tape) []drawn {
		return []drawn{
			{t.failed(false), stroke(grey, 1.2), "little time"},
			{t.failed(true), stroke(alarm, 1.6), "time enough"},
		}
	}},
	{title: "wait for a connection (ms, logarithmic)", scale: logarithmic, curves: func(t *tape) []drawn {
		return []drawn{{t.waits(1), stroke(grey, 1.2), "longest"}, {t.waits(0.5), stroke(accent, 1.4), "median"}}
	}},
	{title: "connections, being opened and closed included", scale: linear, limit: maxSize, curves: func(t *tape) []drawn {
		return []drawn{{t.open(), stroke(accent, 1.4), ""}}
	}},
	{title: "dials begun (per second, logarithmic)", scale: logarithmic, curves: func(t *tape) []drawn {
		return []drawn{{t.dialled(), stroke(accent, 1.4), ""}}
	}},
}

// draw writes the chart to a file.
func (o outcome) draw(path string) error {
	height := 2*chartMargin + headHeight + rowHeight*vg.Length(len(rows)) + 12
	svg := vgsvg.New(chartWidth, height)
	page := draw.New(svg)
	page.SetColor(color.White)
	page.Fill(page.Rectangle.Path())
	inner := draw.Crop(page, chartMargin, -chartMargin, chartMargin, -chartMargin)
	o.head(inner)
	o.panels(draw.Crop(inner, 0, 0, 0, -headHeight))
	return save(path, svg)
}

// The fonts of whoever looks are not ours to choose. Arial and Helvetica have
// the widths of the font that the layout was made with.
const (
	chosen   = "font-family:Liberation Sans;"
	fallback = "font-family:'Liberation Sans',Arial,Helvetica,sans-serif;"
)

func save(path string, svg *vgsvg.Canvas) error {
	var b bytes.Buffer
	if _, err := svg.WriteTo(&b); err != nil {
		return fmt.Errorf("drawing %s: %w", path, err)
	}
	return os.WriteFile(path, bytes.ReplaceAll(b.Bytes(), []byte(chosen), []byte(fallback)), 0o644)
}

// head writes the title and what the reader has to know.
func (o outcome) head(c draw.Canvas) {
	y := c.Max.Y
	write(c, words(14, ink, true), c.Min.X, y-14, o.title)
	write(c, words(9.5, faded, false), c.Min.X, y-29, fmt.Sprintf(
		"%d callers, %d connections, queries of 10 ms. %d callers have little time, %d have enough to wait the fault (shaded) out.",
		callers, maxSize, callers/briefEvery, callers-callers/briefEvery))
	middle := c.Center().X + columnGap/2
	write(c, words(11, accent, true), c.Min.X+axisRoom, y-50, "this pool")
	write(c, words(11, ink, true), middle+axisRoom, y-50, "pgxpool")
}

// axisRoom is what the labels of a panel's upright axis take.
const axisRoom vg.Length = 34

// panels draws all rows, each with axes that hold both pools.
func (o outcome) panels(c draw.Canvas) {
	seconds := max(o.tapes[0].buckets(), o.tapes[1].buckets())
	width := (c.Size().X - columnGap) / 2
	for i, r := range rows {
		top := c.Max.Y - rowHeight*vg.Length(i)
		most := r.most(o.tapes)
		for j, t := range o.tapes {
			left := c.Min.X + (width+columnGap)*vg.Length(j)
			p := panel{row: r, tape: t, most: most, buckets: seconds, last: i == len(rows)-1}
			bottom := top - rowHeight
			if p.last {
				bottom -= 12 // the label of the time
			}
			p.draw(draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
				Min: vg.Point{X: left, Y: bottom}, Max: vg.Point{X: left + width, Y: top},
			}})
		}
	}
}

// most is the greatest value of the row, of both pools.
func (r row) most(tapes [2]*tape) float64 {
	most := max(r.limit, 1)
	for _, t := range tapes {
		for _, d := range r.curves(t) {
			for _, v := range d.curve {
				most = max(most, v)
			}
		}
	}
	return most
}

func words(size vg.Length, c color.Color, bold bool) text.Style {
	style := text.Style{Color: c, Font: plot.DefaultFont, Handler: plot.DefaultTextHandler}
	style.Font.Typeface, style.Font.Variant, style.Font.Size = "Liberation", "Sans", size
	if bold {
		style.Font.Weight = xfont.WeightBold
	}
	return style
}

func write(c draw.Canvas, style text.Style, x, y vg.Length, words string) {
	c.FillText(style, vg.Point{X: x, Y: y}, words)
}
