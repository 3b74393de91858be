// Package work holds what the pools are made to do, and how it is measured.
//
// A Work makes one rival do one thing once, and returns its figures. It is run
// several times, the rivals taking turns, and what is reported are medians.
package work

import (
	"runtime"
	"slices"
	"time"

	"github.com/connpool/connpool/bench/rival"
)

// Work is one thing that pools are made to do.
type Work struct {
	Name    string // as -only matches it
	Title   string
	How     string // how it is measured, in a few sentences, for the report
	Metrics []Metric
	Rivals  []rival.Rival
	Run     func(Effort, rival.Rival) (Figures, error)

	// Ratios says that the first metric is worth comparing to this pool and to
	// sync.Pool.
	Ratios bool

	// Curve says that the metrics are one figure as something grows.
	Curve bool

	// Late says that the work leaves the process changed, with a hundred thousand
	// goroutines that the runtime keeps, say, and so runs when the others are done.
	Late bool

	// Rounds is how often it is run; 0 is as often as the plan says.
	Rounds int
}

// Figures are what one run of a work came to, by Metric.Key. What a rival cannot
// tell is absent.
type Figures map[string]float64

// Metric is one figure of a work.
type Metric struct {
	Key   string
	Title string
	Unit  Unit
}

// Unit is what a figure counts, and so how it is written.
type Unit int

// The units. A duration is in nanoseconds.
const (
	Duration Unit = iota
	Count
	Bytes
	PerSecond
	Ratio
	Percent
)

// Effort is how hard a run tries.
type Effort struct {
	Sample  time.Duration // that one sample lasts
	Largest int           // number of connections, goroutines or pools in the curves
}

// Full and Quick are the efforts of a run to believe and of one to look at.
var (
	Full  = Effort{Sample: 150 * time.Millisecond, Largest: 100_000}
	Quick = Effort{Sample: 50 * time.Millisecond, Largest: 1000}
)

// All returns every work in the order in which they are run and shown.
func All(e Effort) []Work {
	all := []Work{serial()}
	for _, procs := range processors() {
		all = append(all, parallel(procs))
	}
	all = append(all, oversubscribed(16), oversubscribed(256))
	all = append(all, queueOrder(), saturatedBusy(), saturatedSleeping())
	all = append(all, connectionCurve(e), goroutineCurve(e), shardCurve(e))
	all = append(all, memory(e), settings(), statsCurve(e), backgroundCurve(e))
	return all
}

// processors are the settings of GOMAXPROCS of the parallel works; that of this
// machine is among them.
func processors() []int {
	procs := []int{1, 2, 4, 8, runtime.NumCPU()}
	slices.Sort(procs)
	return slices.Compact(procs)
}

// eight is the number of connections in all works that do not say otherwise.
const eight = 8

// withProcs sets GOMAXPROCS until the returned function is called.
func withProcs(n int) (restore func()) {
	before := runtime.GOMAXPROCS(n)
	return func() { runtime.GOMAXPROCS(before) }
}
