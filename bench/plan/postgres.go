package plan

import (
	"context"
	"fmt"
	"time"

	"github.com/connpool/connpool/bench/rival"
	"github.com/connpool/connpool/bench/scenario"
	"github.com/connpool/connpool/bench/work"
)

// postgres asks a real server. The ways to connect stand where rivals do.
func postgres(quick bool) work.Work {
	s := scenario.UsualPostgres(quick)
	if !quick {
		s.For = time.Second
	}
	w := work.Work{
		Name:  Postgres,
		Title: "PostgreSQL: select 1",
		How: fmt.Sprintf("A private server on this machine, asked by callers that do nothing else, through pools of %d connections. "+
			"All use pgx with its defaults. The server shares the CPUs with the callers, so differences are small where pools wait for it.", s.Size),
		Rounds: 3,
		Run:    (&postgresRound{settings: s}).of,
	}
	for _, way := range scenario.Ways() {
		w.Rivals = append(w.Rivals, rival.Rival{Name: way.Name, Note: way.Note})
	}
	for _, callers := range s.Callers {
		w.Metrics = append(w.Metrics,
			work.Metric{Key: rateKey(callers), Title: plural(callers) + ", queries/s", Unit: work.PerSecond},
			work.Metric{Key: tailKey(callers), Title: "p99", Unit: work.Duration},
			work.Metric{Key: connsKey(callers), Title: "opened", Unit: work.Count})
	}
	return w
}

func rateKey(callers int) string  { return fmt.Sprintf("rate %d", callers) }
func tailKey(callers int) string  { return fmt.Sprintf("p99 %d", callers) }
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
		figures[rateKey(r.Callers)] = r.PerSecond
		figures[tailKey(r.Callers)] = float64(r.P99)
		figures[connsKey(r.Callers)] = float64(r.Connections)
	}
	return nil
}
