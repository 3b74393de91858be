package chart

import (
	"cmp"
	"fmt"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Growth shows how a cost grows with a count, both on logarithmic scales: a flat
// line is a cost that does not grow, and one that rises as steeply as the axes
// is proportional.
type Growth struct {
	Title, Note string
	CountAxis   string // like "callers that wait"
	CostAxis    string // like "time to serve one"
	Unit        Unit   // of the cost
	Lines       []GrowthLine
}

// GrowthLine is one rival.
type GrowthLine struct {
	Name   string
	Role   Role
	Points []GrowthPoint // by rising count
}

// GrowthPoint is what it cost at one count.
type GrowthPoint struct{ Count, Cost float64 }

func (l GrowthLine) check() error {
	if err := checkRival(l.Name, l.Role); err != nil {
		return err
	}
	if len(l.Points) == 0 {
		return fmt.Errorf("%q: %w", l.Name, errEmpty)
	}
	last := 0.0
	for _, p := range l.Points {
		for _, v := range []float64{p.Count, p.Cost} {
			if err := checkLog(l.Name, v); err != nil {
				return err
			}
		}
		if p.Count <= last {
			return fmt.Errorf("%q: the count falls from %v to %v", l.Name, last, p.Count)
		}
		last = p.Count
	}
	return nil
}

func (l GrowthLine) last() float64 { return l.Points[len(l.Points)-1].Cost }

// reach checks all and returns the ends of both axes.
func (g Growth) reach() (counts, costs span, err error) {
	counts, costs = noSpan, noSpan
	for _, l := range g.Lines {
		if err := l.check(); err != nil {
			return counts, costs, err
		}
		for _, p := range l.Points {
			counts, costs = counts.with(p.Count), costs.with(p.Cost)
		}
	}
	if len(g.Lines) == 0 {
		return counts, costs, errEmpty
	}
	return counts, costs, checkTexts(g.Title, g.Note, g.CountAxis, g.CostAxis)
}

const growthHeight vg.Length = 300

// SVG draws the chart.
func (g Growth) SVG() ([]byte, error) {
	counts, costs, err := g.reach()
	if err != nil {
		return nil, err
	}
	s := newSheet(2*margin + headHeight(g.Title, g.Note) + growthHeight)
	s.head(g.Title, g.Note)
	p := newPanel()
	logarithmic(&p.X, floorPower(counts.least), beyond(counts), Plain, 8)
	logarithmic(&p.Y, floorPower(costs.least), beyond(costs), g.Unit, 12)
	p.x, p.y = g.CountAxis+logWord, g.CostAxis+logWord
	p.Add(grid{x: true, y: true})
	key := g.styled()
	for _, l := range slices.Backward(key) { // ours last, over the others
		p.Add(l)
	}
	width := keyColumnWidth(key)
	p.draw(draw.Crop(s.rest, 0, -width, 0, 0))
	keyColumn(draw.Crop(s.rest, s.rest.Size().X-width, 0, 0, 0), byEnd(key))
	return s.bytes()
}

// beyond ends an axis a little above the greatest value, and at a decade at least
// above its start.
func beyond(s span) float64 { return max(1.25*s.most, 10*floorPower(s.least)) }

// styled gives each line a look of its own, ours first.
func (g Growth) styled() []curve {
	var curves []curve
	others, floors := 0, 0
	for _, l := range g.Lines {
		c := curve{GrowthLine: l}
		switch l.Role {
		case Ours:
			c.style, c.glyph = line(accent, 2.6), draw.CircleGlyph{}
		case Floor:
			c.style = line(plain, 1.2)
			c.style.Dashes = dashes[floors%len(dashes)]
			floors++
		default:
			c.style, c.glyph = lookOf(others)
			others++
		}
		curves = append(curves, c)
	}
	slices.SortStableFunc(curves, func(a, b curve) int { return cmp.Compare(layer(a.Role), layer(b.Role)) })
	return curves
}

// layer is 0 for what is drawn on top.
func layer(r Role) int {
	if r == Ours {
		return 0
	}
	return 1
}

var dashes = [][]vg.Length{nil, {6, 3}, {2, 2}}

// lookOf is the look of the i-th of the others. Colours come round again with
// another dash and mark.
func lookOf(i int) (draw.LineStyle, draw.GlyphDrawer) {
	glyphs := []draw.GlyphDrawer{draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.RingGlyph{}, draw.CrossGlyph{}, draw.SquareGlyph{}}
	style := line(hues[i%len(hues)], 1.5)
	style.Dashes = dashes[i/len(hues)%len(dashes)]
	return style, glyphs[i%len(glyphs)]
}

// curve plots one line of Growth.
type curve struct {
	GrowthLine
	style draw.LineStyle
	glyph draw.GlyphDrawer // nil: none
}

func (l curve) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	var points []vg.Point
	for _, at := range l.Points {
		points = append(points, vg.Point{X: toX(at.Count), Y: toY(at.Cost)})
	}
	c.StrokeLines(l.style, points)
	for _, at := range points {
		l.dot(c, at)
	}
}

func (l curve) dot(c draw.Canvas, at vg.Point) {
	if l.glyph != nil {
		c.DrawGlyphNoClip(draw.GlyphStyle{Color: l.style.Color, Radius: 3, Shape: l.glyph}, at)
	}
}

func (l curve) mark() mark { return over(lineMark(l.style), l.dot) }

// byEnd orders the key as the lines end at the right.
func byEnd(curves []curve) []curve {
	sorted := slices.Clone(curves)
	slices.SortStableFunc(sorted, func(a, b curve) int { return cmp.Compare(b.last(), a.last()) })
	return sorted
}

// keyColumnWidth is the room that keyColumn needs.
func keyColumnWidth(curves []curve) vg.Length {
	widest := vg.Length(0)
	for _, c := range curves {
		widest = max(widest, widthOf(c.Role.words(textSize), c.Name))
	}
	return keyBreak + keyMark + keyGap + widest
}

// keyColumn writes the key beside the plot.
func keyColumn(band draw.Canvas, curves []curve) {
	x, y := band.Min.X+keyBreak, band.Max.Y-keyLine/2
	for _, c := range curves {
		c.mark()(band, vg.Point{X: x + keyMark/2, Y: y})
		write(band, c.Role.words(textSize), text.XLeft, x+keyMark+keyGap, y, c.Name)
		y -= keyLine
	}
}
