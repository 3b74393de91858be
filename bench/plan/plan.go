// Package plan puts together what is run: the works, and the scenarios as works.
package plan

import (
	"github.com/connpool/connpool/bench/run"
	"github.com/connpool/connpool/bench/work"
)

// Rounds of a full plan and of a quick one.
const (
	FullRounds  = 5
	QuickRounds = 2
)

// New returns the plan of everything, and where its spikes are kept.
func New(quick bool) (run.Plan, *Spikes) {
	p := run.Plan{Rounds: FullRounds, Effort: work.Full}
	if quick {
		p.Rounds, p.Effort = QuickRounds, work.Quick
	}
	spikes := &Spikes{}
	p.Works = append(work.All(p.Effort),
		spike(quick, spikes), coldStart(quick), deadServer(quick), crowd(quick), postgres(quick), securePostgres(quick))
	return p, spikes
}
