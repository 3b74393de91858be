package chart

import (
	"bytes"
	"fmt"
	"image/color"
	"strings"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// A sheet is a page that is filled from the top: title, note and key take what
// they need, and the panels get the rest.
type sheet struct {
	svg  *vgsvg.Canvas
	rest draw.Canvas
}

const (
	sheetWidth vg.Length = 720 // points: what a README shows is about as wide
	margin     vg.Length = 14
)

func newSheet(height vg.Length) *sheet {
	svg := vgsvg.New(sheetWidth, height)
	page := draw.New(svg)
	fill(page, page.Rectangle, paper)
	stroke(page, page.Rectangle, line(rule, 2)) // half of it lies outside
	return &sheet{svg: svg, rest: draw.Crop(page, margin, -margin, margin, -margin)}
}

// take cuts a band off the top of what is left.
func (s *sheet) take(height vg.Length) draw.Canvas {
	band := draw.Crop(s.rest, 0, 0, s.rest.Size().Y-height, 0)
	s.rest = draw.Crop(s.rest, 0, 0, 0, -height)
	return band
}

// head writes the title and, smaller, the note below it.
func (s *sheet) head(title, note string) {
	s.lines(bold(titleSize, ink), 20, title)
	s.lines(textStyle(textSize, faded), 14, note)
	s.take(6)
}

// headHeight is what head will take.
func headHeight(title, note string) vg.Length {
	width := sheetWidth - 2*margin
	return 20*vg.Length(len(wrap(bold(titleSize, ink), title, width))) +
		14*vg.Length(len(wrap(textStyle(textSize, faded), note, width))) + 6
}

func (s *sheet) lines(style text.Style, height vg.Length, words string) {
	for _, l := range wrap(style, words, s.rest.Size().X) {
		band := s.take(height)
		write(band, style, text.XLeft, band.Min.X, band.Max.Y-style.Font.Size/2, l)
	}
}

// wrap breaks words into lines no wider than width, if no word is.
func wrap(style text.Style, words string, width vg.Length) []string {
	var lines []string
	for _, word := range strings.Fields(words) {
		last := len(lines) - 1
		if last >= 0 && widthOf(style, lines[last]+" "+word) <= width {
			lines[last] += " " + word
			continue
		}
		lines = append(lines, word)
	}
	return lines
}

// The fonts of whoever looks are not ours to choose. Arial and Helvetica have
// the widths of the font that the layout was made with.
const (
	chosen   = "font-family:Liberation Sans;"
	fallback = "font-family:'Liberation Sans',Arial,Helvetica,sans-serif;"
)

// bytes ends the sheet.
func (s *sheet) bytes() ([]byte, error) {
	var out bytes.Buffer
	if _, err := s.svg.WriteTo(&out); err != nil {
		return nil, fmt.Errorf("writing SVG: %w", err)
	}
	return bytes.ReplaceAll(out.Bytes(), []byte(chosen), []byte(fallback)), nil
}

func fill(c draw.Canvas, r vg.Rectangle, colour color.Color) {
	c.SetColor(colour)
	c.Fill(r.Path())
}

func stroke(c draw.Canvas, r vg.Rectangle, style draw.LineStyle) {
	c.SetLineStyle(style)
	c.Stroke(r.Path())
}
