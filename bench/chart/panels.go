package chart

import (
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Panel is one work, and what each rival made of it. A rival has its row at the
// same height in all panels of a chart.
type Panel[R Row] struct {
	Title string
	Rows  []R // from top to bottom
}

// Row is what one rival made of one work: a Bar or a Quantile.
type Row interface {
	rival() (string, Role)
	values() []float64 // those that the axis must hold
	check() error      // beside its name and role
}

// rowChart is what charts of rows have in common.
type rowChart[R Row] struct {
	title, note, axis string
	unit              Unit
	panels            []Panel[R]
	key               []keyEntry
	textLeft          bool // values are written before the least, too
	row               func(c draw.Canvas, p *plot.Plot, y vg.Length, row R)
}

// survey checks all and finds out what the panels have in common.
func (c rowChart[R]) survey() (names rows, reach span, err error) {
	reach = noSpan
	for _, p := range c.panels {
		if err := p.check(); err != nil {
			return nil, reach, fmt.Errorf("panel %q: %w", p.Title, err)
		}
		for _, row := range p.Rows {
			name, _ := row.rival()
			names, reach = names.with(name), reach.with(row.values()...)
		}
	}
	if len(names) == 0 {
		return nil, reach, errEmpty
	}
	return names, reach, checkTexts(c.title, c.note, c.axis)
}

func (p Panel[R]) check() error {
	if len(p.Rows) == 0 {
		return errEmpty
	}
	for _, row := range p.Rows {
		if err := checkRow(row); err != nil {
			return err
		}
	}
	return checkText(p.Title)
}

func checkRow(row Row) error {
	name, role := row.rival()
	if err := checkRival(name, role); err != nil {
		return err
	}
	for _, v := range row.values() {
		if err := checkLog(name, v); err != nil {
			return err
		}
	}
	if err := row.check(); err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	return nil
}

func (c rowChart[R]) svg() ([]byte, error) {
	names, reach, err := c.survey()
	if err != nil {
		return nil, err
	}
	s := newSheet(2*margin + headHeight(c.title, c.note) + keyHeight + c.height(names))
	s.head(c.title, c.note)
	s.key(c.key)
	width := names.panelWidth(s.rest.Size().X, len(c.panels))
	if width < narrowest {
		return nil, errNoRoom
	}
	least, most := c.reach(reach, width)
	var panels []panel
	for i, data := range c.panels {
		p := newPanel(data.title()...)
		logarithmic(&p.X, least, most, c.unit, int(width/labelWidth))
		p.x, p.rows, p.showNames = c.axis+logWord, names, i == 0
		names.stack(p.Plot)
		p.Add(grid{x: true}, panelRows[R]{names, data.Rows, c.row})
		panels = append(panels, p)
	}
	names.beside(s.rest, panels)
	return s.bytes()
}

func (p Panel[R]) title() []string {
	if p.Title == "" {
		return nil
	}
	return []string{p.Title}
}

// height is that of the panels: all have the title's line if one has.
func (c rowChart[R]) height(names rows) vg.Length {
	title := vg.Length(0)
	for _, p := range c.panels {
		title = max(title, newPanel(p.title()...).above())
	}
	return rowHeight*vg.Length(len(names)) + axisRoom + labelRoom + title
}

// logWord is in the label of each logarithmic axis: it has no zero, and the
// length of a bar on it is no measure.
const logWord = " (logarithmic)"

// valueText is the room for a value's text.
const valueText vg.Length = 48

// narrowest is the least width of a panel in which values can be told apart.
const narrowest = 2 * valueText

// labelWidth is the room for a tick's label.
const labelWidth vg.Length = 42

// reach is where the axis begins and ends.
func (c rowChart[R]) reach(data span, width vg.Length) (least, most float64) {
	share := float64(valueText / width)
	least = below(data.least)
	if c.textLeft {
		least = roomLeft(least, data, share)
	}
	return least, roomRight(least, data.most, share)
}

// panelRows plots the rows of one panel.
type panelRows[R Row] struct {
	names rows
	rows  []R
	row   func(c draw.Canvas, p *plot.Plot, y vg.Length, row R)
}

func (r panelRows[R]) Plot(c draw.Canvas, p *plot.Plot) {
	_, toY := p.Transforms(&c)
	measured := map[string]bool{}
	for _, row := range r.rows {
		name, _ := row.rival()
		r.row(c, p, toY(r.names.at(name)), row)
		measured[name] = true
	}
	for _, name := range r.names {
		if !measured[name] {
			missing(c, toY(r.names.at(name)))
		}
	}
}
