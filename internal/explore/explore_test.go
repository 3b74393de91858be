//go:build explore

package explore

import (
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// recorder is a T that remembers how the test would have ended.
type recorder struct {
	log   []string
	fatal string
}

func (r *recorder) Helper()      {}
func (r *recorder) Name() string { return "TestRecorded" }
func (r *recorder) Logf(format string, args ...any) {
	r.log = append(r.log, fmt.Sprintf(format, args...))
}
func (r *recorder) Fatalf(format string, args ...any) {
	r.fatal = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// explored returns what All reports of a scenario.
func explored(preemptions int, scenario func(*Run)) (r *recorder, schedules int) {
	r = new(recorder)
	done := make(chan struct{})
	go func() {
		defer close(done)
		schedules = All(r, preemptions, scenario)
	}()
	<-done
	return r, schedules
}

// lossy is a counter that loses counts.
func lossy(r *Run) {
	var n Int64
	for _, name := range []string{"one", "two"} {
		r.Go(name, func() { n.Store(n.Load() + 1) })
	}
	r.Finally(func() { r.Require(n.Load() == 2, "counted %d", n.Load()) })
}

func TestExplorer_ALostUpdateTakesOnePreemption(t *testing.T) {
	r, _ := explored(0, lossy)
	require.Empty(t, r.fatal)
	r, _ = explored(1, lossy)
	require.Contains(t, r.fatal, "preemptions 1: counted 1")
}

func TestExplorer_AReportedScheduleCanBeHadAgain(t *testing.T) {
	r, _ := explored(3, lossy)
	found := regexp.MustCompile(scheduleVar + `=(\S+) .*'\^TestRecorded\$'`).FindStringSubmatch(r.fatal)
	require.Len(t, found, 2, r.fatal)
	t.Setenv(scheduleVar, found[1])
	r, _ = explored(0, lossy)
	require.Contains(t, r.fatal, "counted 1")
	require.Contains(t, r.fatal, "explore_test.go", "it tells where each thread was")

	t.Setenv(scheduleVar, straight)
	r, _ = explored(0, lossy)
	require.Empty(t, r.fatal)
	require.Contains(t, strings.Join(r.log, ""), "schedule straight passes")
}

func TestExplorer_ASpoiltScheduleIsRefused(t *testing.T) {
	for _, schedule := range []string{"x", "1", "1:", "1:0", "-1:1", "1:1,", "0:7"} {
		t.Setenv(scheduleVar, schedule)
		r, _ := explored(0, lossy)
		require.Contains(t, r.fatal, "not a schedule", schedule)
	}
	t.Setenv(scheduleVar, "900:1")
	r, _ := explored(0, lossy)
	require.Contains(t, r.fatal, "not the same", "it is longer than the scenario")
}

// Two threads of n points have 2 schedules without preemption. With one, either
// thread is interrupted before its second point or a later one; what comes after
// is settled, unless the other has ended.
func TestExplorer_EveryScheduleIsTaken(t *testing.T) {
	for n := range 6 {
		for bound := range 4 {
			seen := map[string]int{}
			_, schedules := explored(bound, func(r *Run) {
				var order strings.Builder
				for _, name := range []string{"a", "b"} {
					r.Go(name, func() {
						for range n {
							Point()
							order.WriteString(name)
						}
					})
				}
				r.Finally(func() { seen[fmt.Sprint(r.bound, order.String())]++ })
			})
			want := map[string]bool{}
			for k := range bound + 1 {
				for order := range interleavings(n, k) {
					want[fmt.Sprint(k, order)] = true
				}
			}
			for order := range want {
				require.Positive(t, seen[order], "%s of %d points", order, n)
			}
			require.Len(t, seen, len(want), "%d points, %d preemptions", n, bound)
			require.GreaterOrEqual(t, schedules, len(want))
		}
	}
}

// interleavings returns the orders in which two threads can make n steps each
// with at most k preemptions, by trying them all.
func interleavings(n, k int) map[string]bool {
	all := map[string]bool{}
	var extend func(order string, a, b, preemptions int)
	extend = func(order string, a, b, preemptions int) {
		if preemptions > k {
			return
		}
		if a == n && b == n {
			all[order] = true
			return
		}
		last := order[max(0, len(order)-1):]
		if a < n {
			extend(order+"a", a+1, b, preemptions+count(last == "b" && b < n))
		}
		if b < n {
			extend(order+"b", a, b+1, preemptions+count(last == "a" && a < n))
		}
	}
	extend("", 0, 0, 0)
	return all
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// A wake-up before the sleep is remembered, one that is not is lost: the explorer
// finds a sleeper that nobody wakes.
func TestExplorer_ALostWakeUpIsFound(t *testing.T) {
	r, _ := explored(2, func(r *Run) {
		ready := make(chan struct{}, 1)
		var waiting Bool
		r.Go("sleeper", func() {
			waiting.Store(true)
			<-first(Wait(ready, nil))
		})
		r.Go("waker", func() {
			if waiting.Load() {
				ready <- struct{}{}
			}
		})
	})
	require.Contains(t, r.fatal, "asleep for ever: sleeper")
}

func first(ready, _ <-chan struct{}) <-chan struct{} { return ready }

func TestExplorer_ALockKeepsOthersOutAndADeadlockIsFound(t *testing.T) {
	r, schedules := explored(3, func(r *Run) {
		var mu Mutex
		n := 0
		for _, name := range []string{"one", "two"} {
			r.Go(name, func() {
				mu.Lock()
				defer mu.Unlock()
				before := n
				Point()
				n = before + 1
			})
		}
		r.Finally(func() { r.Require(n == 2, "counted %d", n) })
	})
	require.Empty(t, r.fatal)
	require.Greater(t, schedules, 4)

	r, _ = explored(2, func(r *Run) {
		var a, b Mutex
		both := func(first, second *Mutex) func() {
			return func() {
				first.Lock()
				defer first.Unlock()
				second.Lock()
				defer second.Unlock()
			}
		}
		r.Go("one", both(&a, &b))
		r.Go("two", both(&b, &a))
	})
	require.Contains(t, r.fatal, "asleep for ever: one, two")
}

func TestExplorer_BothEndsOfAWaitAreTaken(t *testing.T) {
	taken := map[bool]int{}
	r, _ := explored(0, func(r *Run) {
		ready, done := make(chan struct{}, 1), make(chan struct{})
		ready <- struct{}{}
		close(done)
		r.Go("waiter", func() {
			ready, done := Wait(ready, done)
			select {
			case <-ready:
				taken[true]++
			case <-done:
				taken[false]++
			}
		})
	})
	require.Empty(t, r.fatal)
	require.Equal(t, map[bool]int{true: 1, false: 1}, taken)
}

// ringer sleeps until timers have rung so many times.
func ringer(rang chan struct{}, times int) func() {
	return func() {
		for range times {
			<-first(Wait(rang, nil))
		}
	}
}

func TestExplorer_ATimerRingsAtAnyTimeOrIsStopped(t *testing.T) {
	seen := map[bool]int{}
	r, _ := explored(1, func(r *Run) {
		rang, stopped := false, false
		r.Go("setter", func() {
			timer := AfterFunc(time.Hour, func() { rang = true })
			Point()
			stopped = timer.Stop()
		})
		r.Finally(func() {
			seen[rang]++
			r.Require(rang != stopped, "rang %t, stopped %t", rang, stopped)
		})
	})
	require.Empty(t, r.fatal)
	require.Positive(t, seen[true])
	require.Positive(t, seen[false])
}

func TestExplorer_TimersRingInTheirOrderAndMoveTheClock(t *testing.T) {
	r, _ := explored(2, func(r *Run) {
		var rung []time.Duration
		rang, epoch := make(chan struct{}, 3), time.Now()
		ring := func() { rung = append(rung, Since(epoch)); rang <- struct{}{} }
		r.Go("setter", func() {
			later := AfterFunc(time.Hour, ring)
			AfterFunc(2*time.Second, ring)
			AfterFunc(time.Second, ring)
			later.Reset(3 * time.Second)
			ringer(rang, 3)()
		})
		r.Finally(func() {
			r.Require(slices.IsSorted(rung) && len(rung) == 3 && Since(epoch) >= 3*time.Second, "they have rung at %v", rung)
		})
	})
	require.Empty(t, r.fatal)
}

func TestExplorer_NobodyWaitsForATimerButOneThatRingsEnds(t *testing.T) {
	r, _ := explored(1, func(r *Run) {
		begun, ended := false, false
		r.Go("setter", func() {
			AfterFunc(time.Hour, func() { begun = true; Point(); ended = true })
			Point()
		})
		r.Finally(func() { r.Require(begun == ended, "a ring was cut short") })
	})
	require.Empty(t, r.fatal)

	r, _ = explored(0, func(r *Run) { r.Go("sleeper", ringer(make(chan struct{}, 1), 1)) })
	require.Contains(t, r.fatal, "asleep for ever: sleeper")
}

func TestExplorer_WhatGoStartsIsAThread(t *testing.T) {
	r, _ := explored(1, func(r *Run) {
		var n Int64
		count := func() { n.Store(n.Load() + 1) }
		r.Go("one", func() { Go(count); count() })
		r.Finally(func() { r.Require(n.Load() == 2, "counted %d", n.Load()) })
	})
	require.Contains(t, r.fatal, "preemptions 1: counted 1")
}

func TestExplorer_WhatRestsAndWhatIsCalmHasOneOrder(t *testing.T) {
	r, schedules := explored(3, func(r *Run) {
		var order strings.Builder
		steps := func(name string) func() {
			return func() {
				for range 3 {
					Point()
					order.WriteString(name)
				}
			}
		}
		wake := make(chan struct{}, 1)
		r.Go("sleeper", func() { steps("a")(); <-first(Wait(wake, nil)); steps("A")() })
		r.Go("one", steps("b"))
		r.Rest()
		r.Require(order.String() == "aaabbb", "in a rest: %s", order.String())
		r.Calm()
		wake <- struct{}{}
		r.Go("two", steps("c"))
		r.Finally(func() {
			got := order.String()[6:]
			r.Require(got == "AAAccc" || got == "cccAAA", "when calm: %s", got)
		})
	})
	require.Empty(t, r.fatal)
	require.Equal(t, 2*4, schedules, "who goes first, for each of four bounds")
}

func TestExplorer_APanicACircleAndAnUnsteadyScenarioAreFaults(t *testing.T) {
	r, _ := explored(0, func(r *Run) {
		r.Go("clumsy", func() { Point(); panic("dropped") })
	})
	require.Contains(t, r.fatal, "clumsy panics: dropped")

	r, _ = explored(0, func(r *Run) {
		r.Go("dizzy", func() {
			for {
				Point()
			}
		})
	})
	require.Contains(t, r.fatal, "not at an end after")

	runs := 0
	r, _ = explored(1, func(r *Run) {
		runs++
		for _, name := range []string{"one", "two"} {
			r.Go(name, func() {
				for range 2 + runs%2 {
					Point()
				}
			})
		}
	})
	require.Contains(t, r.fatal, "not the same each time")
}
