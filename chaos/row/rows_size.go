package row

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/chaos/row/pool"
)

// Rows about how many connections there are, and how old.
func sizeRows() []Row {
	return []Row{
		{
			Number: 47, Name: "resize", On: []pool.Kind{pool.Ours, pool.SQL}, Scenario: resize,
			Injected: "6 of 6 lent, shrunk to 2; 6 wait; all 6 return; then grown to 5",
			Required: "2 are served and 2 open; growing by 3 serves 3 more",
		}, {
			Number: 48, Name: "reaper against borrower", On: withSQL, Scenario: reaper,
			Injected: "connections are reaped when idle for 5 ms, borrowed every few ms, dialled in 10 ms; 2 s (database/sql reaps once a second at most)",
			Required: "nothing lost: capacity 4/4, as many closed as opened in the end",
		}, {
			Number: 49, Name: "lifetime cohort", On: withSQL, Scenario: cohort, Timed: true,
			Injected: "60 connections opened together, to live for 4 s at most, with a jitter of 3 s where there is one",
			Required: "replaced spread out: never half of them within 150 ms",
		}, {
			Number: 50, Name: "standstill", On: withSQL, Scenario: standstill, Timed: true,
			Injected: "the process is stopped for 2 s (SIGSTOP) with 5 idle connections to be closed when idle for 1.5 s",
			Required: "no mass eviction: at most one closed in the 200 ms after it",
		},
	}
}

func resize(t *Trial) {
	p := t.open(pool.Setup{Max: 6})
	resize := p.Pool.(pool.Resizer).Resize
	var held []pool.Lease
	for range 6 {
		held = append(held, p.must("borrowing"))
	}
	resize(2)
	var served atomic.Int64
	goOn := make(chan struct{})
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			lease, err := p.take(4 * time.Second)
			if err != nil {
				t.Faultf("%v", short(err))
				return
			}
			served.Add(1)
			<-goOn
			lease.Release()
		})
	}
	time.Sleep(50 * time.Millisecond)
	for _, l := range held {
		l.Release()
	}
	time.Sleep(100 * time.Millisecond)
	t.Sawf("after shrinking %d served, %d open", served.Load(), p.Size())
	t.Require(served.Load() == 2 && p.Size() == 2, "it should be 2")
	resize(5)
	time.Sleep(500 * time.Millisecond)
	t.Sawf("after growing %d served", served.Load())
	t.Require(served.Load() == 5, "it should be 5: who waits is not woken")
	close(goOn)
	all.Wait()
}

func reaper(t *Trial) {
	const size = 4
	idle := 5 * time.Millisecond
	p := t.open(pool.Setup{Max: size, Idle: idle, Dial: takes(10 * time.Millisecond)})
	until := time.Now().Add(2 * time.Second)
	var all sync.WaitGroup
	for i := range size {
		all.Go(func() {
			for n := 0; time.Now().Before(until); n++ {
				if err := useOnce(t, p, patience/2); err != nil {
					t.Faultf("%v", short(err))
				}
				time.Sleep(time.Duration((i+n)%5) * idle / 2)
			}
		})
	}
	all.Wait()
	p.requireCapacity(size)
	t.Sawf("%d reaped", p.Closes.Load())
	if t.Kind != pool.SQL {
		t.Require(p.Closes.Load() > 0, "the reaper was never there")
	}
}

// cohort looks at when connections opened together are closed. They stay idle:
// a borrower would close the ones it meets when it meets them.
func cohort(t *Trial) {
	const size = 60
	p := t.open(pool.Setup{Max: size, Lifetime: 4 * time.Second, Jitter: 3 * time.Second})
	p.fill(size)
	if !await(2*patience, func() bool { return p.Closes.Load() >= size }) {
		t.Faultf("%d of %d closed", p.Closes.Load(), size)
	}
	closed := p.ClosedAt()
	if len(closed) == 0 {
		return
	}
	most := mostWithin(closed, 150*time.Millisecond)
	t.Sawf("closed over %v, at most %d within 150 ms", ms(closed[len(closed)-1].Sub(closed[0])), most)
	t.Require(most < size/2, "replaced all at once")
}

// mostWithin returns how many of some times lie within d of each other.
func mostWithin(times []time.Time, d time.Duration) (most int) {
	first := 0
	for last := range times {
		for times[last].Sub(times[first]) > d {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}

func standstill(t *Trial) {
	const size = 5
	var checks atomic.Int64
	p := t.open(pool.Setup{Max: size, Idle: 1500 * time.Millisecond, Edit: func(c *connpool.Config[*pool.Conn]) {
		c.Check = func(context.Context, *pool.Conn) error { checks.Add(1); return nil }
	}})
	p.fill(size)
	time.Sleep(300 * time.Millisecond)
	t.Must(stopSelf(2*time.Second), "stopping the process")
	time.Sleep(200 * time.Millisecond)
	evicted := p.Closes.Load()
	t.Sawf("%d of %d evicted", evicted, size)
	t.Require(evicted <= 1, "mass eviction")
	if lease := p.must("borrowing afterwards"); t.Ours() {
		lease.Release()
		t.Sawf("%d checked before they are lent", checks.Load())
		t.Require(checks.Load() > 0, "lent unchecked after a standstill")
	} else {
		lease.Release()
	}
}
