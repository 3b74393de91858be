package chart

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// What cannot be drawn is an error, and never a panic of the library below.
func TestDataThatCannotBeDrawnAreAnError(t *testing.T) {
	for name, c := range hostile() {
		t.Run(name, func(t *testing.T) {
			assert.NotPanics(t, func() {
				path := filepath.Join(t.TempDir(), "chart.svg")
				assert.Error(t, Save(path, c))
				assert.NoFileExists(t, path)
			})
		})
	}
}

func hostile() map[string]Drawn {
	all := map[string]Drawn{
		"no bars":             Bars{},
		"a panel of no bars":  Bars{Panels: []Panel[Bar]{{}}},
		"no quantiles":        Quantiles{},
		"falling quantiles":   quantile(4, 3, 2, 1),
		"no spike":            Spike{},
		"a spike of no time":  Spike{Panels: []SpikePanel{{Name: "a"}}},
		"time that goes back": spike(SpikeSample{Milliseconds: 2}, SpikeSample{Milliseconds: 1}),
		"negative count":      spike(SpikeSample{Open: -1}),
		"no growth":           Growth{},
		"a line of no points": Growth{Lines: []GrowthLine{{Name: "a"}}},
		"falling count":       growth(GrowthPoint{2, 1}, GrowthPoint{1, 1}),
		"twice one count":     growth(GrowthPoint{2, 1}, GrowthPoint{2, 1}),
		"range without value": bar(Bar{Name: "a", Value: 3, Low: 4, High: 5}),
		"half a range":        bar(Bar{Name: "a", Value: 3, Low: 2}),
		"no name":             bar(Bar{Value: 1}),
		"no such role":        bar(Bar{Name: "a", Role: 17, Value: 1}),
		"a bell as a name":    bar(Bar{Name: "\a", Value: 1}),
		"broken UTF-8":        bar(Bar{Name: "\xff", Value: 1}),
		"a zero as a title":   Bars{Title: "\x00", Panels: bar(Bar{Name: "a", Value: 1}).Panels},
		"a name too long":     bar(Bar{Name: strings.Repeat("x", longestName+1), Value: 1}),
		"too many panels":     Bars{Panels: slices.Repeat(bar(Bar{Name: "a", Value: 1}).Panels, 9)},
		"a bell as a panel":   Bars{Panels: []Panel[Bar]{{Title: "\a", Rows: []Bar{{Name: "a", Value: 1}}}}},
	}
	for name, v := range map[string]float64{
		"zero": 0, "negative": -1, "NaN": math.NaN(), "infinity": math.Inf(1), "minus infinity": math.Inf(-1),
		"subnormal": math.SmallestNonzeroFloat64, "largest": math.MaxFloat64,
	} {
		all["bar: "+name] = bar(Bar{Name: "a", Value: v})
		all["range: "+name] = bar(Bar{Name: "a", Value: 1, Low: v, High: 2})
		all["quantile: "+name] = quantile(v, v, v, v)
		all["count: "+name] = growth(GrowthPoint{v, 1})
		all["cost: "+name] = growth(GrowthPoint{1, v})
		if v != 0 && v != math.SmallestNonzeroFloat64 { // that axis begins at zero
			all["time: "+name] = spike(SpikeSample{Milliseconds: v})
		}
	}
	return all
}

func bar(b Bar) Bars { return Bars{Panels: []Panel[Bar]{{Rows: []Bar{b}}}} }

func quantile(p50, p99, p999, longest float64) Quantiles {
	return Quantiles{Panels: []Panel[Quantile]{{Rows: []Quantile{{"a", Other, p50, p99, p999, longest}}}}}
}

func spike(samples ...SpikeSample) Spike {
	return Spike{Panels: []SpikePanel{{Name: "a", Samples: samples}}}
}

func growth(points ...GrowthPoint) Growth {
	return Growth{Lines: []GrowthLine{{Name: "a", Points: points}}}
}

// What can be drawn, if only just, is.
func TestOddDataAreDrawn(t *testing.T) {
	for name, c := range map[string]Drawn{
		"least and most":         Bars{Panels: []Panel[Bar]{{Rows: []Bar{{Name: "a", Value: leastLog}, {Name: "b", Value: mostLog}}}}},
		"quantiles all the same": quantile(1, 1, 1, 1),
		"quantiles far apart":    quantile(leastLog, 1, 1, mostLog),
		"a spike of one zero":    spike(SpikeSample{}),
		"a growth of one point":  growth(GrowthPoint{1, 1}),
		"names that XML escapes": bar(Bar{Name: `<a href="x">&'`, Value: 1}),
		"a long name":            bar(Bar{Name: strings.Repeat("m", longestName), Value: 1}),
		"the same name twice":    Bars{Panels: []Panel[Bar]{{Rows: []Bar{{Name: "a", Value: 1}, {Name: "a", Value: 2}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.NotPanics(t, func() {
				svg, err := c.SVG()
				assert.NoError(t, err)
				texts(t, svg)
			})
		})
	}
}
