// Package run runs works in rounds. The rivals of a work take turns within a
// round, and another one begins each time, so that what the machine does
// meanwhile, and what one leaves behind for the next, hits all of them alike.
package run

import (
	"context"
	"runtime"
	"time"

	"github.com/connpool/connpool/bench/rival"
	"github.com/connpool/connpool/bench/work"
)

// Plan is what to run.
type Plan struct {
	Works  []work.Work
	Rounds int
	Effort work.Effort
}

// Progress is told what is about to run, and how long the rest will take; 0 means
// that this is not known yet.
type Progress func(s Step, left time.Duration)

// Step is one work with one rival in one round, both from 0.
type Step struct {
	Work  *work.Work
	Rival rival.Rival
	Round int
	// Index is the step's place among Of.
	Index, Of int

	rival int // its place in Work.Rivals
	work  int // its place in Plan.Works
}

// Do runs the plan. When ctx ends it returns what there is by then.
func (p Plan) Do(ctx context.Context, progress Progress) Results {
	results := newResults(p.Works)
	var clock estimate
	steps := p.steps()
	for i, step := range steps {
		if ctx.Err() != nil {
			break
		}
		progress(step, clock.left(steps[i:]))
		runtime.GC() // nobody pays for another's garbage
		began := time.Now()
		figures, err := step.Work.Run(p.Effort, step.Rival)
		clock.note(step, time.Since(began))
		results.Works[step.work].Rows[step.rival].add(figures, err)
	}
	return results
}

// steps returns all steps in the order in which they are taken.
func (p Plan) steps() []Step {
	var steps []Step
	for _, late := range []bool{false, true} {
		for round := range p.mostRounds() {
			steps = append(steps, p.roundOf(round, late)...)
		}
	}
	for i := range steps {
		steps[i].Index, steps[i].Of = i, len(steps)
	}
	return steps
}

func (p Plan) roundOf(round int, late bool) (steps []Step) {
	for i := range p.Works {
		w := &p.Works[i]
		if w.Late != late || round >= p.roundsOf(*w) {
			continue
		}
		for n := range w.Rivals {
			turn := (n + round) % len(w.Rivals)
			steps = append(steps, Step{Work: w, Rival: w.Rivals[turn], Round: round, rival: turn, work: i})
		}
	}
	return steps
}

func (p Plan) roundsOf(w work.Work) int {
	if w.Rounds > 0 {
		return min(w.Rounds, p.Rounds)
	}
	return p.Rounds
}

func (p Plan) mostRounds() (most int) {
	for _, w := range p.Works {
		most = max(most, p.roundsOf(w))
	}
	return most
}

// estimate remembers how long steps have taken.
type estimate struct {
	took  map[[2]int]time.Duration // by work and rival, the last time
	total time.Duration
	steps int
}

func (e *estimate) note(s Step, d time.Duration) {
	if e.took == nil {
		e.took = map[[2]int]time.Duration{}
	}
	e.took[[2]int{s.work, s.rival}] = d
	e.total += d
	e.steps++
}

// left returns how long the steps will take: as long as the last time, or the
// mean of all if they have not been taken before.
func (e *estimate) left(steps []Step) (left time.Duration) {
	if e.steps == 0 {
		return 0
	}
	mean := e.total / time.Duration(e.steps)
	for _, s := range steps {
		if d, ok := e.took[[2]int{s.work, s.rival}]; ok {
			left += d
		} else {
			left += mean
		}
	}
	return left
}
