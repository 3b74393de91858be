package chart

import (
	"image/color"
	"math"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Sizes of text, in points.
const (
	titleSize = 14
	textSize  = 10.5
	smallSize = 9.5
)

// sans is drawn with whatever stands in for it where it is not installed: see
// fallback.
func sans(size vg.Length, weight xfont.Weight) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size, Weight: weight}
}

func textStyle(size vg.Length, c color.Color) text.Style {
	return text.Style{Color: c, Font: sans(size, xfont.WeightNormal), Handler: plot.DefaultTextHandler}
}

func bold(size vg.Length, c color.Color) text.Style {
	style := textStyle(size, c)
	style.Font.Weight = xfont.WeightBold
	return style
}

// write sets words to the right of x, in the middle of, or to the left of it,
// with half of a digit above y and half below. A file says where words begin: so
// those that end at x begin early enough to do so in a wider font, too.
func write(c draw.Canvas, style text.Style, align text.XAlignment, x, y vg.Length, words string) {
	if align == text.XRight {
		x -= widthOf(style, words) - style.Width(words)
	}
	c.FillText(lowered(style, align), vg.Point{X: x, Y: y}, words)
}

// writeUp does so at a right angle, read from below.
func writeUp(c draw.Canvas, style text.Style, x, y vg.Length, words string) {
	style = lowered(style, text.XCenter)
	style.Rotation = math.Pi / 2
	c.FillText(style, vg.Point{X: x, Y: y}, words)
}

// wider is how much wider words may turn out than in the font of the layout: so
// much is DejaVu Sans, which many systems have for want of any other.
const wider = 1.2

// widthOf is the room that words need in whatever font they are shown.
func widthOf(style text.Style, words string) vg.Length { return wider * style.Width(words) }

// digitHeight is that of a digit of size 1.
const digitHeight = 0.7

// lowered moves the anchor of a line of text from the top of its box to the
// middle of a digit. The alignments that are built in leave room for descenders,
// and so put text beside a bar too high or too low.
func lowered(style text.Style, align text.XAlignment) text.Style {
	e := style.FontExtents()
	rise := e.Ascent - style.Font.Size - digitHeight/2*style.Font.Size
	style.XAlign, style.YAlign = align, text.YAlignment(rise/style.Height("0"))
	return style
}
