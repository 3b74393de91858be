package report

import (
	"fmt"

	"github.com/connpool/connpool/bench/plan"
	"github.com/connpool/connpool/bench/run"
	"github.com/connpool/connpool/bench/work"
)

// adapterGoals are those of the adapters, on a real server.
func adapterGoals(r run.Results) []goal {
	j := judge{r}
	goals := make([]goal, 0, 6)
	for _, callers := range []int{1, 8, 64} {
		goals = append(goals, goal{
			fmt.Sprintf("pgxconn on PostgreSQL, callers: %d", callers),
			"throughput at least, and p99 at most, those of pgxpool",
			[]finding{j.asFast("pgxconn", "pgxpool", callers), j.asSteady("pgxconn", "pgxpool", callers)},
		})
	}
	return append(goals,
		goal{"sqlconn, a query, 1 caller", "at most 5 % slower than database/sql", []finding{j.share("sqlconn", "database/sql", 1, 0.95)}},
		goal{"sqlconn, a query, 64 callers", "at most 5 % slower than database/sql", []finding{j.share("sqlconn", "database/sql", 64, 0.95)}},
		goal{"sqlconn, a prepared statement, 64 callers", "faster than database/sql", []finding{
			j.share("sqlconn, prepared", "database/sql, prepared", 64, 1),
		}},
	)
}

// duel returns what two ways made of PostgreSQL.
func (j judge) duel(one, other, key string) (a, b run.Summary, ok bool) {
	a, ok = j.Work(plan.Postgres).Row(one).Of(key)
	b, ok2 := j.Work(plan.Postgres).Row(other).Of(key)
	return a, b, ok && ok2
}

// asFast asks for at least the throughput of another.
func (j judge) asFast(one, other string, callers int) finding {
	a, b, ok := j.duel(one, other, plan.RateKey(callers))
	return finding{
		text: fmt.Sprintf("%s/s to %s/s", number(a.Median), number(b.Median)),
		ok:   a.Median >= b.Median,
		even: a.Max >= b.Min,
		none: !ok,
	}
}

// asSteady asks for at most the 99th percentile of another.
func (j judge) asSteady(one, other string, callers int) finding {
	a, b, ok := j.duel(one, other, plan.TailKey(callers))
	return finding{
		text: fmt.Sprintf("p99 %s to %s", format(a.Median, work.Duration), format(b.Median, work.Duration)),
		ok:   a.Median <= b.Median,
		even: a.Min <= b.Max,
		none: !ok,
	}
}

// share asks for at least a share of another's throughput, whatever the spreads.
func (j judge) share(one, other string, callers int, least float64) finding {
	a, b, ok := j.duel(one, other, plan.RateKey(callers))
	if !ok {
		return finding{none: true}
	}
	return finding{
		text: fmt.Sprintf("%s/s to %s/s, %s x", number(a.Median), number(b.Median), number(a.Median/b.Median)),
		ok:   a.Median >= least*b.Median,
	}
}
