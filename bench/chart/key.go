package chart

import (
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A keyEntry explains one mark: the key stands in a band of its own, so that it
// never covers data.
type keyEntry struct {
	label string
	mark  mark
}

// A mark draws the sample of a line, bar or dot around a point.
type mark func(c draw.Canvas, at vg.Point)

const (
	keyHeight vg.Length = 26 // with some room below
	keyLine   vg.Length = 19 // where entries stand below each other
	keyMark   vg.Length = 18 // the width kept for a mark
	keyGap    vg.Length = 6
	keyBreak  vg.Length = 20 // between two entries
)

// key writes the entries from left to right.
func (s *sheet) key(entries []keyEntry) {
	band := s.take(keyHeight)
	style := textStyle(textSize, ink)
	x, y := band.Min.X, band.Max.Y-keyHeight/3
	for _, e := range entries {
		e.mark(band, vg.Point{X: x + keyMark/2, Y: y})
		x += keyMark + keyGap
		write(band, style, text.XLeft, x, y, e.label)
		x += widthOf(style, e.label) + keyBreak
	}
}

func lineMark(style draw.LineStyle) mark {
	return func(c draw.Canvas, at vg.Point) {
		c.StrokeLine2(style, at.X-keyMark/2, at.Y, at.X+keyMark/2, at.Y)
	}
}

func boxMark(r Role) mark {
	return func(c draw.Canvas, at vg.Point) {
		half := vg.Point{X: keyMark / 2, Y: 4.5}
		r.box(c, vg.Rectangle{Min: at.Sub(half), Max: at.Add(half)})
	}
}

func glyphMark(style draw.GlyphStyle) mark {
	return func(c draw.Canvas, at vg.Point) { c.DrawGlyphNoClip(style, at) }
}

// over draws one mark over another.
func over(marks ...mark) mark {
	return func(c draw.Canvas, at vg.Point) {
		for _, m := range marks {
			m(c, at)
		}
	}
}
