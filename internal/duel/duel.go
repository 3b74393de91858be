// Package duel measures two ways to do the same work against each other. They
// take turns of some milliseconds, so that whatever else the machine does happens
// to both; what is told are medians.
package duel

import (
	"slices"
	"sync"
	"time"
)

// Turn is how much work is done in a turn.
const Turn = 512

// Result is what came of a duel: times of one piece of work, in nanoseconds.
type Result struct {
	One, Other       float64 // of all callers together: wall time by work
	Ratio            float64 // Other to One: the median of those of the turns
	OneP99, OtherP99 float64 // of one caller, the wait included
}

// Duel is two ways at work.
type Duel struct{ one, other side }

// New returns a duel with so many callers, who do one piece of work after the
// other, after a first turn that does not count.
func New(callers int, one, other func()) *Duel {
	d := &Duel{side{work: one, callers: callers}, side{work: other, callers: callers}}
	for _, s := range []*side{&d.one, &d.other} {
		s.turn()
		s.turns, s.took = nil, nil
	}
	return d
}

// Round has each take a turn.
func (d *Duel) Round() {
	d.one.turn()
	d.other.turn()
}

// Result returns what came of the rounds. There must have been one.
func (d *Duel) Result() Result {
	ratios := make([]float64, len(d.one.turns))
	for i := range ratios {
		ratios[i] = d.other.turns[i] / d.one.turns[i]
	}
	const half, tail = 0.5, 0.99
	return Result{
		One:      quantile(d.one.turns, half),
		Other:    quantile(d.other.turns, half),
		Ratio:    quantile(ratios, half),
		OneP99:   quantile(d.one.took, tail),
		OtherP99: quantile(d.other.took, tail),
	}
}

// side is one of the two.
type side struct {
	work    func()
	callers int
	turns   []float64 // time of one piece of work, by turn
	took    []float64 // time of each
}

func (s *side) turn() {
	each := Turn / s.callers
	took := make([]float64, each*s.callers)
	began := time.Now()
	var all sync.WaitGroup
	for i := range s.callers {
		all.Go(func() {
			for n := range each {
				asked := time.Now()
				s.work()
				took[i*each+n] = float64(time.Since(asked))
			}
		})
	}
	all.Wait()
	s.turns = append(s.turns, float64(time.Since(began))/float64(len(took)))
	s.took = append(s.took, took...)
}

// quantile of what is not empty: the nearest rank.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}
