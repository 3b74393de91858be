package scenario

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/connpool/connpool/bench/rival"
)

// DeadServerSettings say how many ask for a server that is not there.
type DeadServerSettings struct {
	Max      int           // connections at most
	Retriers int           // each asks again as soon as it has failed
	Deadline time.Duration // of each attempt; 0: none
	Dial     time.Duration // until a dial fails
	For      time.Duration // how long they go on
}

// UsualDeadServer gives each attempt 100 ms, as a request that is to be answered
// in time would.
func UsualDeadServer(quick bool) DeadServerSettings {
	s := DeadServerSettings{
		Max: 16, Retriers: 50,
		Deadline: 100 * time.Millisecond, Dial: time.Millisecond, For: 2 * time.Second,
	}
	if quick {
		s.For = 500 * time.Millisecond
	}
	return s
}

// DeadServerResult is what a pool made of it.
type DeadServerResult struct {
	Rival    string
	For      time.Duration // it really took
	Dials    int           // begun, until the last retrier had stopped
	Failures int           // attempts that failed: all of them
	// KnewWhy is how many failures said why the server could not be reached, and
	// FirstKnew when the first of them came; 0 if none did.
	KnewWhy   int
	FirstKnew time.Duration
	TimedOut  int           // failures that matched context.DeadlineExceeded
	Longest   time.Duration // that one attempt took
}

// ErrServerDead is what each dial to the dead server ends with.
var ErrServerDead = errors.New("scenario: the server is dead")

// errLent says that a pool lent what it cannot have opened.
var errLent = errors.New("a connection was lent, and none was ever open")

// DeadServer has callers retry while every dial fails. A failure may both name
// the dial's error and match the deadline.
func DeadServer(ctx context.Context, r rival.Rival, s DeadServerSettings) (DeadServerResult, error) {
	l := &ledger{brief: true}
	l.begin(s.Dial, ErrServerDead)
	pool, err := r.New(rival.Setup{Max: s.Max, Dial: l.dial})
	if err != nil {
		return DeadServerResult{}, fmt.Errorf("dead server: %s: %w", r.Name, err)
	}
	defer pool.Close()
	result := DeadServerResult{Rival: r.Name}
	var mu sync.Mutex
	err = together(s.Retriers, func() { l.begin(s.Dial, ErrServerDead) }, func() error {
		own, err := retry(ctx, pool, s, l)
		mu.Lock()
		defer mu.Unlock()
		result.add(own)
		return err
	})
	if err != nil {
		return DeadServerResult{}, fmt.Errorf("dead server: %s: %w", r.Name, err)
	}
	result.For, result.Dials = l.elapsed(), l.counts().dials
	return result, nil
}

// retry is one retrier.
func retry(ctx context.Context, pool rival.Pool, s DeadServerSettings, l *ledger) (DeadServerResult, error) {
	var seen DeadServerResult
	began := time.Now()
	for time.Since(began) < s.For {
		if err := ctx.Err(); err != nil {
			return seen, err
		}
		asked := time.Now()
		err := attempt(ctx, pool, s.Deadline)
		if err == nil {
			return seen, errLent
		}
		seen.note(err, time.Since(asked), time.Since(began))
	}
	return seen, nil
}

func attempt(ctx context.Context, pool rival.Pool, deadline time.Duration) error {
	if deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, deadline)
		defer cancel()
	}
	return pool.Use(ctx, func() {})
}

// note counts one failure.
func (d *DeadServerResult) note(err error, took, at time.Duration) {
	d.Failures++
	d.Longest = max(d.Longest, took)
	if errors.Is(err, context.DeadlineExceeded) {
		d.TimedOut++
	}
	if errors.Is(err, ErrServerDead) {
		d.KnewWhy++
		d.FirstKnew = earlier(d.FirstKnew, at)
	}
}

// add sums up what two retriers have seen.
func (d *DeadServerResult) add(other DeadServerResult) {
	d.Failures += other.Failures
	d.TimedOut += other.TimedOut
	d.KnewWhy += other.KnewWhy
	d.Longest = max(d.Longest, other.Longest)
	d.FirstKnew = earlier(d.FirstKnew, other.FirstKnew)
}

// earlier is the lesser of two times, of which 0 means never.
func earlier(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}
