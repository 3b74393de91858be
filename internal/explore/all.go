//go:build explore

package explore

import (
	"fmt"
	"math"
	"os"
	"path"
	"runtime"
	"runtime/debug"
	"strings"
)

// T is what the explorer needs of a testing.T.
type T interface {
	Helper()
	Name() string
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// garbage is how much of it there may be, in percent of what is in use, before it
// is collected: each schedule leaves a pool behind, and keeps next to nothing.
const garbage = 1000

// scheduleVar is the environment variable that names the one schedule to run.
const scheduleVar = "EXPLORE_SCHEDULE"

// All takes a scenario through all its schedules with up to so many preemptions,
// those with the fewest first, and fails the test at the first that goes wrong,
// with what is needed to have it again. It returns how many there were.
func All(t T, preemptions int, scenario func(*Run)) (schedules int) {
	t.Helper()
	if schedule := os.Getenv(scheduleVar); schedule != "" {
		replay(t, schedule, scenario)
		return 1
	}
	defer debug.SetGCPercent(debug.SetGCPercent(garbage))
	var threads coroutines
	defer threads.end()
	for bound := range preemptions + 1 {
		for s := new(search); ; {
			schedules++
			r := &Run{search: s, coroutines: &threads, bound: bound}
			if failure := r.run(scenario); failure != "" {
				t.Fatalf("%s", report(t, schedules, r, scenario))
			}
			if !s.advance() {
				break
			}
		}
	}
	t.Logf("%d schedules with up to %d preemptions", schedules, preemptions)
	return schedules
}

// replay runs one schedule.
func replay(t T, schedule string, scenario func(*Run)) {
	t.Helper()
	r, err := again(schedule, scenario)
	switch {
	case err != nil:
		t.Fatalf("%v", err)
	case r.failure != "":
		t.Fatalf("schedule %s: %s\n%s", schedule, r.failure, strings.Join(r.trace, "\n"))
	}
	t.Logf("schedule %s passes\n%s", schedule, strings.Join(r.trace, "\n"))
}

func again(schedule string, scenario func(*Run)) (*Run, error) {
	s, err := parse(schedule)
	if err != nil {
		return nil, err
	}
	var threads coroutines
	defer threads.end()
	r := &Run{search: s, coroutines: &threads, bound: math.MaxInt, traced: true}
	r.run(scenario)
	return r, nil
}

// report tells of a schedule that went wrong: what, how to have it again, and
// what it was, step by step.
func report(t T, n int, r *Run, scenario func(*Run)) string {
	schedule := r.search.String()
	steps := "it did not go wrong when it was run again"
	if second, err := again(schedule, scenario); err != nil {
		steps = err.Error()
	} else if second.failure != "" {
		steps = strings.Join(second.trace, "\n")
	}
	return fmt.Sprintf("schedule %d, preemptions %d: %s\n\n\t%s=%s go test -tags explore -run '^%s$'\n\n%s",
		n, r.preemptions, r.failure, scheduleVar, schedule, t.Name(), steps)
}

// site returns where in the product the thread that runs is.
func site() string {
	const room = "/internal/explore."
	pcs := make([]uintptr, 16)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		f, more := frames.Next()
		if !strings.Contains(f.Function, room) || strings.HasSuffix(f.File, "_test.go") || !more {
			return fmt.Sprintf("%s:%d %s", path.Base(f.File), f.Line, path.Base(f.Function))
		}
	}
}
