package alarm

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// All tests run in bubbles. Their clock moves on only when every goroutine in
// them is blocked: whatever is due at one time has happened before the next, so
// the times below are exact and no test can race with the clock.

// bell is an alarm that writes down its rings.
type bell struct {
	*Alarm
	epoch time.Time

	mu struct {
		sync.Mutex
		rings []ring
	}
}

// ring is one ring: when it was due, and when it came.
type ring struct{ due, came time.Duration }

// newBell returns a bell whose epoch is so long ago, and which calls during, if
// not nil, while it rings.
func newBell(t *testing.T, age time.Duration, during func(b *bell)) *bell {
	b := &bell{epoch: time.Now().Add(-age)}
	b.Alarm = New(b.epoch, func(due time.Duration) {
		b.mu.Lock()
		b.mu.rings = append(b.mu.rings, ring{due, b.now()})
		b.mu.Unlock()
		if during != nil {
			during(b)
		}
	})
	t.Cleanup(b.Stop)
	return b
}

func (b *bell) now() time.Duration { return time.Since(b.epoch) }

// requireRings waits for a day and fails unless the bell rang so and not more.
func (b *bell) requireRings(t *testing.T, want ...ring) {
	t.Helper()
	time.Sleep(24 * time.Hour)
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Equal(t, want, b.mu.rings)
}

// onTime returns the ring that comes when it is due.
func onTime(due time.Duration) ring { return ring{due, due} }

const second = time.Second

func TestItRingsOnceAtTheEarliestTimeAskedFor(t *testing.T) {
	for _, asked := range [][]time.Duration{
		{3 * second},
		{3 * second, 3 * second},
		{3 * second, 5 * second, Never},
		{5 * second, 3 * second, 4 * second},
		{Never, 9 * second, 7 * second, 3 * second},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBell(t, 0, nil)
			for _, at := range asked {
				b.By(at)
			}
			b.requireRings(t, onTime(3*second))
		})
	}
}

func TestAnEarlierTimeMayBeAskedForWhileItIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBell(t, 0, nil)
		b.By(10 * second)
		time.Sleep(4 * second)
		b.By(5 * second)
		b.requireRings(t, onTime(5*second))
	})
}

func TestAfterARingItWaitsToBeAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBell(t, 0, nil)
		b.By(1 * second)
		time.Sleep(2 * second)
		b.By(4 * second)
		b.By(3 * second)
		time.Sleep(4 * second)
		b.By(7 * second)
		b.requireRings(t, onTime(1*second), onTime(3*second), onTime(7*second))
	})
}

func TestATimeThatHasPassedRingsAtOnce(t *testing.T) {
	for _, past := range []time.Duration{10 * second, 9 * second, 0, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			b := newBell(t, 10*second, nil)
			b.By(past)
			synctest.Wait()
			b.requireRings(t, ring{past, 10 * second})
		})
	}
}

func TestAPastTimeComesBeforeOneThatIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBell(t, 10*second, nil)
		b.By(20 * second)
		b.By(5 * second)
		b.By(15 * second)
		b.requireRings(t, ring{5 * second, 10 * second})
	})
}

func TestNeverAsksForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBell(t, 0, nil)
		b.By(Never)
		require.Nil(t, b.Alarm.mu.timer, "nothing is started for it")
		b.requireRings(t)
		b.By(Never - 1)
		b.requireRings(t)
	})
}

// The epoch is whatever the owner says, an hour in the past or in the future.
func TestTimesAreSinceTheEpoch(t *testing.T) {
	for _, age := range []time.Duration{time.Hour, 0, -time.Hour, 100 * 365 * 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			b := newBell(t, age, nil)
			b.By(age + 2*second)
			b.requireRings(t, onTime(age+2*second))
		})
	}
}

func TestATimeAskedForWhileItRingsIsHonoured(t *testing.T) {
	for _, c := range []struct {
		promise string
		asked   []time.Duration // at 2 s, while it rings from 1 s to 6 s
		want    []ring          // after the first
	}{
		{"none", nil, nil},
		{"later", []time.Duration{9 * second}, []ring{onTime(9 * second)}},
		{"the earliest", []time.Duration{9 * second, 8 * second, 10 * second}, []ring{onTime(8 * second)}},
		{"the time at which it stops ringing", []time.Duration{6 * second}, []ring{onTime(6 * second)}},
		{"one that passes meanwhile", []time.Duration{9 * second, 3 * second}, []ring{{3 * second, 6 * second}}},
		{"one that has passed", []time.Duration{0}, []ring{{0, 6 * second}}},
		{"never", []time.Duration{Never}, nil},
	} {
		t.Run(c.promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBell(t, 0, func(b *bell) {
					if b.now() == 1*second {
						time.Sleep(5 * second)
					}
				})
				b.By(1 * second)
				time.Sleep(2 * second)
				for _, at := range c.asked {
					b.By(at)
				}
				b.requireRings(t, append([]ring{onTime(1 * second)}, c.want...)...)
			})
		})
	}
}

func TestTheRingMayAskForTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBell(t, 0, func(b *bell) {
			if b.now() < 5*second {
				b.By(b.now() + 1*second)
			}
		})
		b.By(1 * second)
		b.requireRings(t, onTime(1*second), onTime(2*second), onTime(3*second), onTime(4*second), onTime(5*second))
	})
}

func TestTwoRingsNeverOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ringing, rings atomic.Int64
		b := newBell(t, 0, func(b *bell) {
			if ringing.Add(1) > 1 {
				t.Error("two rings at once")
			}
			rings.Add(1)
			time.Sleep(3 * time.Millisecond)
			ringing.Add(-1)
		})
		var group sync.WaitGroup
		for i := range 4 {
			group.Go(func() {
				for n := range 500 {
					b.By(b.now() + time.Duration(n%7-3)*time.Millisecond)
					time.Sleep(time.Duration(i+1) * time.Millisecond)
				}
			})
		}
		group.Wait()
		time.Sleep(time.Second)
		require.Greater(t, rings.Load(), int64(500), "it rang all the time")
	})
}

// A timer that is set anew as it fires may fire twice, and Stop may come too late
// for it.
func TestATimerThatFiresOnceTooOftenIsNotHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBell(t, 0, func(b *bell) {
			b.fire() // while it rings
		})
		b.fire() // not asked for anything
		b.By(1 * second)
		time.Sleep(2 * second)
		b.fire() // after it has rung
		b.By(3 * second)
		b.Stop()
		b.fire() // after it has been silenced
		b.requireRings(t, onTime(1*second))
	})
}

func TestAStoppedAlarmIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBell(t, 0, nil)
		b.By(3 * second)
		time.Sleep(2 * second)
		b.Stop()
		b.Stop()
		b.By(4 * second)
		b.By(0)
		b.requireRings(t)
	})
}

func TestAnAlarmThatWasNeverSetMayBeStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBell(t, 0, nil)
		b.Stop()
		b.By(1 * second)
		b.requireRings(t)
	})
}

func TestStopLetsARingThatIsUnderWayGoOnAndIsTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var finished time.Duration
		b := newBell(t, 0, func(b *bell) {
			b.By(2 * second) // before Stop
			time.Sleep(5 * second)
			b.By(8 * second) // after it
			finished = b.now()
		})
		b.By(1 * second)
		time.Sleep(3 * second)
		b.Stop() // does not wait for it
		require.Equal(t, 3*second, b.now())
		b.requireRings(t, onTime(1*second))
		require.Equal(t, 6*second, finished)
	})
}

func TestTheRingMayStopTheAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBell(t, 0, func(b *bell) {
			b.By(2 * second)
			b.Stop()
		})
		b.By(1 * second)
		b.requireRings(t, onTime(1*second))
	})
}

func TestARingThatEndsItsGoroutineIsNotTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBell(t, 0, func(b *bell) {
			if b.now() == 1*second {
				b.By(2 * second)
				runtime.Goexit()
			}
		})
		b.By(1 * second)
		b.requireRings(t, onTime(1*second), onTime(2*second))
	})
}

// The second of two timers that have fired finds the next time set: it is not
// its own.
func TestATimerThatFiresTooEarlyIsNotHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBell(t, 0, nil)
		b.By(2 * second)
		time.Sleep(1 * second)
		b.fire()
		b.requireRings(t, onTime(2*second))
	})
}
