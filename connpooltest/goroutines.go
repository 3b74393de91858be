package connpooltest

import (
	"bytes"
	"context"
	"fmt"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Goroutines inherit the labels of who starts them. So those that a callback
// leaves behind can be told from all others, also from those of tests that run
// at the same time.
const (
	trialLabel = "connpooltest" // the number of the trial
	stepLabel  = "callback"     // what was being tried
)

// firstStep is the step that a factory may use to start what it starts once in a
// process, so its goroutines do not count.
const firstStep = "the first connection"

var trials atomic.Uint64

// label labels the calling goroutine, and those that it starts from now on.
func label(trial, step string) {
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels(trialLabel, trial, stepLabel, step)))
}

// leftover is a group of goroutines that have not ended.
type leftover struct {
	count int
	step  string
	stack string
}

// leftovers returns the goroutines of a trial that are still there after a
// while.
func leftovers(trial string) []leftover {
	const pause = 10 * time.Millisecond
	for range patience / pause {
		if len(goroutines(trial)) == 0 {
			return nil
		}
		time.Sleep(pause)
	}
	return goroutines(trial)
}

// goroutines returns those of a trial that are there now.
func goroutines(trial string) (found []leftover) {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		panic(err) // a buffer takes everything
	}
	for block := range strings.SplitSeq(profile.String(), "\n\n") {
		step, ours := stepOf(block, trial)
		if ours && step != firstStep {
			found = append(found, leftover{countOf(block), step, stackOf(block)})
		}
	}
	slices.SortFunc(found, func(a, b leftover) int { return strings.Compare(a.step+a.stack, b.step+b.stack) })
	return found
}

// stepOf returns the step's label in a block of the profile, if it is of the
// trial. Its line is
//
//	# labels: {"callback":"Close", "connpooltest":"1"}
func stepOf(block, trial string) (step string, ours bool) {
	for line := range strings.Lines(block) {
		labels, ok := strings.CutPrefix(line, "# labels: {")
		if !ok || !strings.Contains(labels, fmt.Sprintf("%q:%q", trialLabel, trial)) {
			continue
		}
		_, quoted, _ := strings.Cut(labels, strconv.Quote(stepLabel)+":")
		quoted, err := strconv.QuotedPrefix(quoted)
		if err != nil {
			return "", true
		}
		step, err = strconv.Unquote(quoted)
		return step, err == nil
	}
	return "", false
}

// countOf returns how many goroutines a block is of: "2 @ 0x47 0x48".
func countOf(block string) int {
	for line := range strings.Lines(block) {
		count, _, found := strings.Cut(line, " @ ")
		if n, err := strconv.Atoi(count); found && err == nil {
			return n
		}
	}
	return 1
}

// stackOf returns the functions of a block's stack, the innermost first, from
// lines of the form
//
//	#	0x47ab	net.(*netFD).Read+0x2e	/usr/lib/go/src/net/fd_posix.go:55
func stackOf(block string) string {
	var functions []string
	for line := range strings.Lines(block) {
		if parts := strings.Fields(line); len(parts) == 4 && parts[0] == "#" && strings.HasPrefix(parts[1], "0x") {
			function, _, _ := strings.Cut(parts[2], "+0x")
			functions = append(functions, function+" ("+parts[3]+")")
		}
	}
	return strings.Join(functions, ", called by ")
}
