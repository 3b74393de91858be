package chart

import "math"

// The samples have the shape of real results, so that a look at them shows what
// readers will see:
//
//	go test -run Sample -artifacts -outputdir /tmp ./chart

func samples() map[string]Drawn {
	return map[string]Drawn{
		"latency":       sampleBars(),
		"dials":         sampleDials(),
		"waits":         sampleQuantiles(),
		"spike":         sampleSpike("connpool", "puddle 2.2.3", "database/sql"),
		"spike-of-five": sampleSpike("connpool", "puddle 2.2.3", "database/sql", "go-commons-pool 2.1.2", "channel"),
		"growth":        sampleGrowth(),
	}
}

type sampleRival struct {
	name                   string
	role                   Role
	serial, parallel, many float64
}

var sampleRivals = []sampleRival{
	{"connpool", Ours, 17.6, 8.7, 61},
	{"channel", Other, 75, 88, 330},
	{"puddle 2.2.3", Other, 137, 146, 912},
	{"pgxpool 5.12.0", Other, 231, 260, 1180},
	{"database/sql", Other, 342, 610, 2740},
	{"smartconnpool 0.22.0", Unfair, 96, 131, 18400},
	{"go-commons-pool 2.1.2", Other, 1130, 1890, 5210},
	{"mutex and stack", Unfair, 25, 41, 204},
	{"two compare-and-swaps", Floor, 9.9, 44, 45},
	{"sync.Pool", Floor, 11, 5.6, 5.8},
}

func sampleBars() Bars {
	b := Bars{
		Title: "What it costs to borrow and return a connection",
		Note: "Time per operation on 8 no-op connections, medians of 7 rounds; thin lines are the range of the rounds. " +
			"AMD EPYC, 2 cores, Go 1.26.8.",
		Axis:   "time per operation",
		Panels: []Panel[Bar]{{Title: "one goroutine"}, {Title: "a goroutine a core"}, {Title: "16 goroutines a core"}},
	}
	for _, r := range sampleRivals {
		for i, v := range []float64{r.serial, r.parallel, r.many} {
			if i == 2 && r.role == Floor && r.name == "sync.Pool" {
				continue
			}
			b.Panels[i].Rows = append(b.Panels[i].Rows, Bar{r.name, r.role, v, v * 0.93, v * (1.1 + float64(i)/4)})
		}
	}
	return b
}

func sampleDials() Bars {
	return Bars{
		Title: "Dials to a dead server within 2 s",
		Note:  "50 callers, each asks again as soon as it has failed.",
		Axis:  "dials", Unit: Plain,
		Panels: []Panel[Bar]{{Rows: []Bar{
			{Name: "connpool", Role: Ours, Value: 44},
			{Name: "database/sql", Value: 1790},
			{Name: "puddle 2.2.3", Value: 29144},
		}}},
	}
}

func sampleQuantiles() Quantiles {
	q := Quantiles{
		Title:  "How long a caller waits when there are too few connections",
		Note:   "64 callers on 4 connections, each held for 50 µs (busy) or 1 ms (a sleep).",
		Axis:   "wait",
		Panels: []Panel[Quantile]{{Title: "held 50 µs"}, {Title: "held 1 ms"}},
	}
	for i, r := range sampleRivals {
		spread := 1 + float64(i)*0.4
		if r.role == Floor {
			continue
		}
		q.Panels[0].Rows = append(q.Panels[0].Rows, Quantile{r.name, r.role, 0.86e6, 1.3e6 * spread, 2e6 * spread * spread, 3e6 * spread * spread})
		q.Panels[1].Rows = append(q.Panels[1].Rows, Quantile{r.name, r.role, 16.7e6, 17.8e6 * spread, 19e6 * spread, 20e6 * spread})
	}
	return q
}

// sampleSpike has every other rival dial for each caller, as the naive do.
func sampleSpike(names ...string) Spike {
	s := Spike{
		Title: "A spike: 50 callers at once on a pool with 5 connections open, 50 at most",
		Note:  "Connecting takes 150 ms, a query 2 ms. Whoever dials for each caller opens connections that nobody needs any more.",
	}
	for i, name := range names {
		p := SpikePanel{Name: name, Role: Other, Summary: "45 opened, 151 ms"}
		dials := 45
		if i == 0 {
			p.Role, p.Summary, dials = Ours, "2 opened, 21 ms", 2
		}
		for ms := 0.0; ms < 160; ms += 0.25 {
			served := min(50, int(ms/2.1)*5)
			open := 5
			if ms > 150 {
				open += dials
			}
			p.Samples = append(p.Samples, SpikeSample{ms, open, min(open, 50-served), max(0, 45-served)})
		}
		s.Panels = append(s.Panels, p)
	}
	return s
}

func sampleGrowth() Growth {
	g := Growth{
		Title:     "What one operation costs, as those who wait grow in number",
		Note:      "A flat line is a cost that does not grow.",
		CountAxis: "callers that wait", CostAxis: "time to cancel one",
	}
	for i, r := range sampleRivals {
		l := GrowthLine{Name: r.name, Role: r.role}
		for _, n := range []float64{10, 100, 1000, 10000, 50000} {
			cost := r.serial * 10 * math.Pow(n, float64(i%4)*0.2)
			l.Points = append(l.Points, GrowthPoint{n, cost})
		}
		g.Lines = append(g.Lines, l)
	}
	return g
}
