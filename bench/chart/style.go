package chart

import (
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

var (
	paper  = color.RGBA{255, 255, 255, 255}
	ink    = color.RGBA{31, 35, 40, 255}
	faded  = color.RGBA{89, 99, 110, 255}
	rule   = color.RGBA{222, 226, 231, 255}
	accent = color.RGBA{9, 105, 218, 255}
	plain  = color.RGBA{138, 148, 160, 255}
	pale   = color.RGBA{213, 219, 226, 255}
)

// hues tell lines apart where there are many, beside their marks and dashes.
// Most are those of Okabe and Ito, which colour-blind readers can tell apart,
// without the blue, which is close to ours, and the yellow, which is faint on
// white.
var hues = []color.RGBA{
	{213, 94, 0, 255},    // vermilion
	{0, 158, 115, 255},   // green
	{204, 121, 167, 255}, // pink
	{230, 159, 0, 255},   // orange
	{31, 35, 40, 255},    // black
	{86, 180, 233, 255},  // sky
	{121, 85, 72, 255},   // brown
	{106, 61, 154, 255},  // purple
}

func line(c color.Color, width vg.Length) draw.LineStyle {
	return draw.LineStyle{Color: c, Width: width}
}
