package row

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/connpool/connpool/chaos/row/pool"
)

// Verdict is how a run ended.
type Verdict string

// The verdicts.
const (
	Passed  Verdict = "pass"
	Failed  Verdict = "FAIL"
	Skipped Verdict = "skip"
)

// Outcome is what a run saw.
type Outcome struct {
	Seen    string
	Verdict Verdict
}

// patience bounds what should take milliseconds. Who takes longer is stuck.
const patience = 5 * time.Second

// Trial is one run of a scenario. Its methods may be called from any goroutine,
// except that those which abort the scenario must be called from its own.
type Trial struct {
	Kind pool.Kind

	ctx context.Context
	mu  struct {
		sync.Mutex
		seen     []string
		faults   []string
		skipped  string
		cleanups []func()
	}
}

// abort ends a scenario whose outcome is known.
type abort struct{}

// Run runs a row's scenario against a pool.
func Run(ctx context.Context, r Row, k pool.Kind) Outcome {
	t := &Trial{Kind: k, ctx: ctx}
	t.run(r.Scenario)
	t.cleanUp()
	return t.outcome()
}

// run turns a panic of the scenario's own goroutine into a fault: it may come
// from the pool.
func (t *Trial) run(scenario func(*Trial)) {
	defer func() {
		switch p := recover().(type) {
		case nil, abort:
		default:
			t.Faultf("panicked: %v", p)
		}
	}()
	scenario(t)
}

func (t *Trial) cleanUp() {
	for {
		t.mu.Lock()
		n := len(t.mu.cleanups)
		if n == 0 {
			t.mu.Unlock()
			return
		}
		last := t.mu.cleanups[n-1]
		t.mu.cleanups = t.mu.cleanups[:n-1]
		t.mu.Unlock()
		t.run(func(*Trial) { last() })
	}
}

func (t *Trial) outcome() Outcome {
	t.mu.Lock()
	defer t.mu.Unlock()
	said := strings.Join(append(t.mu.seen, t.mu.faults...), "; ")
	switch {
	case len(t.mu.faults) > 0:
		return Outcome{said, Failed}
	case t.mu.skipped != "":
		return Outcome{t.mu.skipped, Skipped}
	}
	return Outcome{said, Passed}
}

// Sawf notes a fact for the table.
func (t *Trial) Sawf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.seen = append(t.mu.seen, fmt.Sprintf(format, args...))
}

// Faultf notes something that must not be. The scenario goes on.
func (t *Trial) Faultf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fault := fmt.Sprintf(format, args...)
	for _, known := range t.mu.faults {
		if known == fault {
			return // once is enough
		}
	}
	t.mu.faults = append(t.mu.faults, fault)
}

// Require notes a fault unless ok.
func (t *Trial) Require(ok bool, format string, args ...any) bool {
	if !ok {
		t.Faultf(format, args...)
	}
	return ok
}

// Must aborts the scenario if something went wrong that is needed.
func (t *Trial) Must(err error, what string) {
	if err != nil {
		t.Abortf("%s: %v", what, err)
	}
}

// Abortf notes a fault and ends the scenario.
func (t *Trial) Abortf(format string, args ...any) {
	t.Faultf(format, args...)
	panic(abort{})
}

// Skip ends the scenario for lack of something on this machine. Where CI is set
// that is a failure, so that nobody believes it ran.
func (t *Trial) Skip(reason string) {
	if os.Getenv("CI") != "" {
		t.Abortf("not run: %s", reason)
	}
	t.mu.Lock()
	t.mu.skipped = reason
	t.mu.Unlock()
	panic(abort{})
}

// lackPart notes what is missing on this machine for one part of the scenario,
// whose other parts are run.
func (t *Trial) lackPart(part, reason string) {
	if os.Getenv("CI") != "" {
		t.Faultf("%s not run: %s", part, reason)
		return
	}
	t.Sawf("%s not run: %s", part, reason)
}

// Cleanup has f called when the scenario has ended, the last first.
func (t *Trial) Cleanup(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.cleanups = append(t.mu.cleanups, f)
}

// Ours reports whether it is our pool that is on trial.
func (t *Trial) Ours() bool { return t.Kind == pool.Ours }

// For returns a context that ends after d.
func (t *Trial) For(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.ctx, d)
	t.Cleanup(cancel)
	return ctx
}

// errStuck is what Bounded returns of what did not return.
var errStuck = errors.New("stuck for 5 s")

// Bounded runs f on a goroutine of its own, and returns after a while even if f
// does not.
func (t *Trial) Bounded(f func()) error {
	done := make(chan error, 1)
	go func() {
		err := errExit
		defer func() {
			if p := recover(); p != nil {
				err = panicError{p}
			}
			done <- err
		}()
		f()
		err = nil
	}()
	stuck := time.NewTimer(patience)
	defer stuck.Stop()
	select {
	case err := <-done:
		return err
	case <-stuck.C:
		return errStuck
	}
}

// errExit is what became of a goroutine that ended without returning.
var errExit = errors.New("the caller's goroutine was ended")

// panicError is a panic in the caller's goroutine.
type panicError struct{ value any }

func (e panicError) Error() string { return fmt.Sprintf("the caller panicked: %v", e.value) }

func (e panicError) Unwrap() error {
	err, _ := e.value.(error)
	return err
}
