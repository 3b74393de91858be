package chart

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Spike shows what pools do when many callers come at once, each in a panel of
// its own with the same axes.
type Spike struct {
	Title, Note string
	Panels      []SpikePanel
}

// SpikePanel is one rival.
type SpikePanel struct {
	Name    string
	Role    Role
	Summary string // what came of it, below the name
	Samples []SpikeSample
}

// SpikeSample is what there was at one time.
type SpikeSample struct {
	Milliseconds         float64
	Open, InUse, Waiting int
}

func (p SpikePanel) check() error {
	if err := checkRival(p.Name, p.Role); err != nil {
		return err
	}
	if len(p.Samples) == 0 {
		return fmt.Errorf("%q: %w", p.Name, errEmpty)
	}
	last := 0.0
	for _, s := range p.Samples {
		for _, v := range []float64{s.Milliseconds, float64(s.Open), float64(s.InUse), float64(s.Waiting)} {
			if err := checkLinear(p.Name, v); err != nil {
				return err
			}
		}
		if s.Milliseconds < last {
			return fmt.Errorf("%q: time goes back from %v to %v", p.Name, last, s.Milliseconds)
		}
		last = s.Milliseconds
	}
	return checkText(p.Summary)
}

// reach is the end of the axes that all panels share.
func (s Spike) reach() (time, count float64, err error) {
	for _, p := range s.Panels {
		if err := p.check(); err != nil {
			return 0, 0, err
		}
		for _, at := range p.Samples {
			time = max(time, at.Milliseconds)
			count = max(count, float64(max(at.Open, at.InUse, at.Waiting)))
		}
	}
	if len(s.Panels) == 0 {
		return 0, 0, errEmpty
	}
	return max(time, 1), max(count*1.06, 1), checkTexts(s.Title, s.Note)
}

const spikeHeight vg.Length = 210 // of a panel

// SVG draws the chart.
func (s Spike) SVG() ([]byte, error) {
	time, count, err := s.reach()
	if err != nil {
		return nil, err
	}
	columns := spikeColumns(len(s.Panels))
	lines := (len(s.Panels) + columns - 1) / columns
	page := newSheet(2*margin + headHeight(s.Title, s.Note) + keyHeight + spikeHeight*vg.Length(lines))
	page.head(s.Title, s.Note)
	page.key(spikeKey())
	panels := make([][]panel, lines)
	for i, data := range s.Panels {
		panels[i/columns] = append(panels[i/columns], data.plot(time, count))
	}
	tile(page.rest, panels, columns)
	return page.bytes()
}

// spikeColumns is how many panels stand side by side.
func spikeColumns(panels int) int {
	if panels <= 4 {
		return panels
	}
	return 3
}

func (s SpikePanel) plot(time, count float64) panel {
	p := newPanel(s.Name, s.Summary)
	p.ours = s.Role == Ours
	linear(&p.X, time)
	linear(&p.Y, count)
	p.x, p.y = "ms since the callers came", "connections, callers"
	p.Add(grid{x: true, y: true})
	for _, c := range spikeCurves {
		p.Add(stairs{s.Samples, c})
	}
	return p
}

// spikeCurve is one count as a line.
type spikeCurve struct {
	label string
	style draw.LineStyle
	of    func(SpikeSample) int
}

var spikeCurves = []spikeCurve{
	{"callers waiting", draw.LineStyle{Color: color.RGBA{213, 94, 0, 255}, Width: 1.5, Dashes: []vg.Length{5, 2.5}},
		func(s SpikeSample) int { return s.Waiting }},
	{"connections in use", line(color.RGBA{0, 130, 95, 255}, 1.2),
		func(s SpikeSample) int { return s.InUse }},
	{"connections open", line(accent, 2.2),
		func(s SpikeSample) int { return s.Open }},
}

func spikeKey() []keyEntry {
	var entries []keyEntry
	for _, c := range spikeCurves {
		entries = append(entries, keyEntry{c.label, lineMark(c.style)})
	}
	return entries
}

// stairs plots counts: each holds until the next.
type stairs struct {
	samples []SpikeSample
	curve   spikeCurve
}

func (s stairs) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	last := math.MinInt
	var points []vg.Point
	for i, sample := range s.samples {
		v := s.curve.of(sample)
		if v == last && i != len(s.samples)-1 {
			continue // nothing new: the file stays small
		}
		at := vg.Point{X: toX(sample.Milliseconds), Y: toY(float64(v))}
		if len(points) > 0 {
			points = append(points, vg.Point{X: at.X, Y: points[len(points)-1].Y})
		}
		points, last = append(points, at), v
	}
	c.StrokeLines(s.curve.style, points)
}
