package report

import (
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/connpool/connpool/bench/chart"
	"github.com/connpool/connpool/bench/plan"
	"github.com/connpool/connpool/bench/rival"
	"github.com/connpool/connpool/bench/run"
	"github.com/connpool/connpool/bench/work"
)

const chartFolder = "charts"

// drawing is one chart and its file.
type drawing struct {
	file, alt string
	chart     chart.Drawn
}

// draw saves the charts for which there are figures.
func (r Report) draw(folder string) ([]drawing, error) {
	var failed []error
	charts := r.charts()
	for _, d := range charts {
		if err := chart.Save(filepath.Join(folder, chartFolder, d.file), d.chart); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", d.file, err))
		}
	}
	return charts, errors.Join(failed...)
}

func writeCharts(w io.Writer, charts []drawing) {
	if len(charts) == 0 {
		return
	}
	fmt.Fprint(w, "## Charts\n\n")
	for _, d := range charts {
		fmt.Fprintf(w, "![%s](%s)\n\n", d.alt, path.Join(chartFolder, d.file))
	}
}

func (r Report) charts() []drawing {
	var all []drawing
	if c, ok := r.latencyChart(); ok {
		all = append(all, drawing{"latency.svg", "Time of a borrow and return, by rival and work", c})
	}
	if c, ok := r.waitChart(); ok {
		all = append(all, drawing{"waits.svg", "Percentiles of the wait of 64 callers for 4 connections", c})
	}
	if c, ok := r.spikeChart(); ok {
		all = append(all, drawing{"spike.svg", "Open connections and waiting callers during a spike", c})
	}
	for _, g := range growths {
		if c, ok := r.growthChart(g); ok {
			all = append(all, drawing{g.file, g.title, c})
		}
	}
	return all
}

func role(one rival.Rival) chart.Role {
	switch {
	case one.Name == our:
		return chart.Ours
	case one.Kind == rival.Unfair:
		return chart.Unfair
	case one.Kind == rival.Floor:
		return chart.Floor
	}
	return chart.Other
}

func (r Report) latencyChart() (chart.Bars, bool) {
	bars := chart.Bars{
		Title: "Borrow and return",
		Note:  "8 connections that do nothing. Medians; thin lines are the range of the rounds.",
		Axis:  "time per operation",
		Unit:  chart.Nanoseconds,
	}
	for _, panel := range []struct{ work, title string }{
		{"serial", "one goroutine"},
		{fmt.Sprintf("parallel/%d", runtime.NumCPU()), "one goroutine a core"},
		{"oversubscribed/16", "16 goroutines a core"},
	} {
		if rows := barsOf(r.Results.Work(panel.work)); len(rows) > 0 {
			bars.Panels = append(bars.Panels, chart.Panel[chart.Bar]{Title: panel.title, Rows: rows})
		}
	}
	return bars, len(bars.Panels) > 0
}

func barsOf(w *run.WorkResult) (rows []chart.Bar) {
	if w == nil {
		return nil
	}
	for i := range w.Rows {
		if s, ok := w.Rows[i].Of(w.Metrics[0].Key); ok {
			one := w.Rows[i].Rival
			rows = append(rows, chart.Bar{Name: one.Name, Role: role(one), Value: s.Median, Low: s.Min, High: s.Max})
		}
	}
	return rows
}

func (r Report) waitChart() (chart.Quantiles, bool) {
	quantiles := chart.Quantiles{
		Title: "64 callers on 4 connections",
		Note:  "From asking for a connection to having it. Medians of the rounds.",
		Axis:  "wait",
	}
	for _, panel := range []struct{ work, title string }{
		{"saturated/50us", "held 50 µs, busily"},
		{"saturated/1ms", "held 1 ms, asleep"},
	} {
		if rows := quantilesOf(r.Results.Work(panel.work)); len(rows) > 0 {
			quantiles.Panels = append(quantiles.Panels, chart.Panel[chart.Quantile]{Title: panel.title, Rows: rows})
		}
	}
	return quantiles, len(quantiles.Panels) > 0
}

func quantilesOf(w *run.WorkResult) (rows []chart.Quantile) {
	if w == nil {
		return nil
	}
	for i := range w.Rows {
		row := &w.Rows[i]
		if _, ok := row.Of(work.P50); !ok {
			continue
		}
		median := func(key string) float64 { s, _ := row.Of(key); return s.Median }
		rows = append(rows, chart.Quantile{
			Name: row.Rival.Name, Role: role(row.Rival),
			P50: median(work.P50), P99: median(work.P99), P999: median(work.P999), Max: median(work.Longest),
		})
	}
	return rows
}

// drawnSpikes are those that fit on one sheet: one rival of each manner.
var drawnSpikes = map[string]bool{our: true, "puddle": true, "database/sql": true, "buffered channel": true}

func (r Report) spikeChart() (chart.Spike, bool) {
	w := r.Results.Work(plan.Spike)
	if w == nil || r.Spikes == nil {
		return chart.Spike{}, false
	}
	spike := chart.Spike{Title: w.Title, Note: "The last round. Above each: connections opened in all, and the time until the last caller was served."}
	for _, kept := range r.Spikes.All() {
		if !drawnSpikes[kept.Rival.Name] {
			continue
		}
		panel := chart.SpikePanel{
			Name:    kept.Rival.Name,
			Role:    role(kept.Rival),
			Summary: fmt.Sprintf("%d opened, %s", kept.Result.Open, format(float64(kept.Result.Served), work.Duration)),
		}
		for _, s := range kept.Result.Samples {
			panel.Samples = append(panel.Samples, chart.SpikeSample{
				Milliseconds: s.At.Seconds() * 1000, Open: s.Open, InUse: s.InUse, Waiting: s.Waiting,
			})
		}
		spike.Panels = append(spike.Panels, panel)
	}
	return spike, len(spike.Panels) > 0
}

// growth is a curve to be drawn.
type growth struct{ work, file, title, counts, costs string }

var growths = []growth{
	{"grow/connections", "grow-connections.svg", "Borrow and return as open connections grow", "open connections, nearly all idle", "time per operation"},
	{"grow/goroutines", "grow-goroutines.svg", "Borrow and return as goroutines grow", "goroutines on 8 connections", "time per operation"},
	{"grow/pools", "grow-pools.svg", "Borrow and return as pools grow", "pools of 8 connections, in turn", "time per operation"},
}

func (r Report) growthChart(g growth) (chart.Growth, bool) {
	w := r.Results.Work(g.work)
	if w == nil || len(w.Metrics) < 2 {
		return chart.Growth{}, false
	}
	c := chart.Growth{Title: g.title, CountAxis: g.counts, CostAxis: g.costs, Unit: chart.Nanoseconds}
	for i := range w.Rows {
		line := chart.GrowthLine{Name: w.Rows[i].Rival.Name, Role: role(w.Rows[i].Rival)}
		for _, m := range w.Metrics {
			count, err := strconv.ParseFloat(m.Key, 64)
			if s, ok := w.Rows[i].Of(m.Key); ok && err == nil {
				line.Points = append(line.Points, chart.GrowthPoint{Count: count, Cost: s.Median})
			}
		}
		if len(line.Points) > 0 {
			c.Lines = append(c.Lines, line)
		}
	}
	return c, len(c.Lines) > 0
}
