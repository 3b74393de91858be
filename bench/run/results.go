package run

import (
	"math"
	"slices"

	"github.com/connpool/connpool/bench/rival"
	"github.com/connpool/connpool/bench/work"
)

// Results are what came of a plan.
type Results struct{ Works []WorkResult }

// WorkResult is what the rivals made of one work.
type WorkResult struct {
	work.Work
	Rows []Row // in the order of Work.Rivals
}

// Row is what one rival made of one work.
type Row struct {
	Rival  rival.Rival
	Rounds []work.Figures
	Err    error // the last that a round ended with
}

func newResults(works []work.Work) Results {
	var r Results
	for _, w := range works {
		result := WorkResult{Work: w}
		for _, rival := range w.Rivals {
			result.Rows = append(result.Rows, Row{Rival: rival})
		}
		r.Works = append(r.Works, result)
	}
	return r
}

func (r *Row) add(figures work.Figures, err error) {
	if err != nil {
		r.Err = err
		return
	}
	r.Rounds = append(r.Rounds, figures)
}

// Work returns the results of a work by its name, or nil if it was not run.
func (r Results) Work(name string) *WorkResult {
	for i := range r.Works {
		if r.Works[i].Name == name {
			return &r.Works[i]
		}
	}
	return nil
}

// Row returns the row of a rival by its name, or nil.
func (w *WorkResult) Row(rivalName string) *Row {
	if w == nil {
		return nil
	}
	for i := range w.Rows {
		if w.Rows[i].Rival.Name == rivalName {
			return &w.Rows[i]
		}
	}
	return nil
}

// Summary is the median of the rounds and their range.
type Summary struct {
	Median, Min, Max float64
	Rounds           int
}

// Of sums up one metric. With no round that has it, ok is false.
func (r *Row) Of(key string) (s Summary, ok bool) {
	if r == nil {
		return Summary{}, false
	}
	var values []float64
	for _, figures := range r.Rounds {
		if v, ok := figures[key]; ok {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return Summary{}, false
	}
	return summarize(values), true
}

func summarize(values []float64) Summary {
	slices.Sort(values)
	n := len(values)
	return Summary{
		Median: (values[(n-1)/2] + values[n/2]) / 2,
		Min:    values[0],
		Max:    values[n-1],
		Rounds: n,
	}
}

// Spread is half the range as a share of the median.
func (s Summary) Spread() float64 {
	if s.Median == 0 {
		return 0
	}
	return math.Abs((s.Max - s.Min) / 2 / s.Median)
}
