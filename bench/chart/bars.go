package chart

import (
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Bars compares one value of each rival, in a panel for each work, on a
// logarithmic scale.
type Bars struct {
	Title, Note string
	Axis        string // what is measured, like "time per operation"
	Unit        Unit
	Panels      []Panel[Bar]
}

// Bar is one rival's value. Where Low or High is set, a thin line shows the
// range of the rounds.
type Bar struct {
	Name             string
	Role             Role
	Value, Low, High float64
}

func (b Bar) rival() (string, Role) { return b.Name, b.Role }

func (b Bar) ranged() bool { return b.Low != 0 || b.High != 0 }

func (b Bar) values() []float64 {
	if b.ranged() {
		return []float64{b.Value, b.Low, b.High}
	}
	return []float64{b.Value}
}

func (b Bar) check() error {
	if b.ranged() && (b.Value < b.Low || b.Value > b.High) {
		return fmt.Errorf("%v is not between %v and %v", b.Value, b.Low, b.High)
	}
	return nil
}

// SVG draws the chart.
func (b Bars) SVG() ([]byte, error) {
	return rowChart[Bar]{
		title: b.Title, note: b.Note, axis: b.Axis, unit: b.Unit, panels: b.Panels,
		key: b.key(), row: b.draw,
	}.svg()
}

func (b Bars) key() []keyEntry {
	seen := map[Role]bool{}
	for _, p := range b.Panels {
		for _, bar := range p.Rows {
			seen[bar.Role] = true
		}
	}
	return keyOf(seen)
}

const barHalf vg.Length = 6.5 // of a bar's height

func (b Bars) draw(c draw.Canvas, p *plot.Plot, y vg.Length, bar Bar) {
	toX, _ := p.Transforms(&c)
	end := toX(bar.Value)
	bar.Role.box(c, vg.Rectangle{Min: vg.Point{X: c.Min.X, Y: y - barHalf}, Max: vg.Point{X: end, Y: y + barHalf}})
	if bar.ranged() {
		c.StrokeLine2(line(ink, 0.9), toX(bar.Low), y, toX(bar.High), y)
		end = max(end, toX(bar.High))
	}
	write(c, bar.Role.words(smallSize), text.XLeft, end+4, y, b.Unit.text(bar.Value))
}
