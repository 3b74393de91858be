package plan

import (
	"context"
	"fmt"

	"github.com/connpool/connpool/bench/rival"
	"github.com/connpool/connpool/bench/scenario"
	"github.com/connpool/connpool/bench/work"
)

// postgres asks a real server. The ways to connect stand where rivals do.
func postgres(quick bool) work.Work {
	return askPostgres(Postgres, "PostgreSQL: select 1", scenario.UsualPostgres(quick))
}

func securePostgres(quick bool) work.Work {
	return askPostgres(SecurePostgres, "PostgreSQL over TLS: select 1", scenario.SecurePostgres(quick))
}

func askPostgres(name, title string, s scenario.PostgresSettings) work.Work {
	w := work.Work{
		Name:  name,
		Title: title,
		How: fmt.Sprintf("A private server on this machine, asked by callers that do nothing else, through pools of %d connections. "+
			"All use pgx with its defaults. The ways take %d turns of %v each in a round, and a rate is the median of its turns. The server shares "+
			"the CPUs with the callers, so differences are small where pools wait for it.", s.Size, s.Turns, s.Turn),
		Rounds: 3,
		Run:    (&postgresRound{settings: s}).of,
	}
	for _, way := range s.Ways {
		w.Rivals = append(w.Rivals, rival.Rival{Name: way.Name, Note: way.Note})
	}
	for _, callers := range s.Callers {
		w.Metrics = append(w.Metrics,
			work.Metric{Key: RateKey(callers), Title: plural(callers) + ", queries/s", Unit: work.PerSecond},
			work.Metric{Key: TailKey(callers), Title: "p99", Unit: work.Duration},
			work.Metric{Key: connsKey(callers), Title: "opened", Unit: work.Count})
	}
	return w
}

// RateKey is the key of the rate with so many callers.
func RateKey(callers int) string { return fmt.Sprintf("rate %d", callers) }

// TailKey is of the 99th percentile.
func TailKey(callers int) string  { return fmt.Sprintf("p99 %d", callers) }
func connsKey(callers int) string { return fmt.Sprintf("opened %d", callers) }

func plural(callers int) string {
	if callers == 1 {
		return "1 caller"
	}
	return fmt.Sprintf("%d callers", callers)
}

// postgresRound measures all ways when the first of them is asked for, since one
// server is enough for them, and hands out the rest as they are asked for.
type postgresRound struct {
	settings scenario.PostgresSettings
	left     map[string]work.Figures
}

func (p *postgresRound) of(_ work.Effort, way rival.Rival) (work.Figures, error) {
	if p.left[way.Name] == nil {
		if err := p.measure(); err != nil {
			return nil, err
		}
	}
	figures := p.left[way.Name]
	delete(p.left, way.Name)
	return figures, nil
}

func (p *postgresRound) measure() error {
	results, err := scenario.Postgres(context.Background(), p.settings)
	if err != nil {
		return err
	}
	p.left = map[string]work.Figures{}
	for _, r := range results {
		if p.left[r.Way] == nil {
			p.left[r.Way] = work.Figures{}
		}
		figures := p.left[r.Way]
		figures[RateKey(r.Callers)] = r.PerSecond
		figures[TailKey(r.Callers)] = float64(r.P99)
		figures[connsKey(r.Callers)] = float64(r.Connections)
	}
	return nil
}
