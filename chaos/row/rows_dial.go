package row

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/chaos/row/pool"
)

// Rows about factories that are slow, fail or hang.
func dialRows() []Row {
	return []Row{
		{
			Number: 11, Name: "hung dial", On: everywhere, Scenario: hungDial, Timed: true,
			Injected: "the factory hangs and ignores its context, with one connection in all; later it works",
			Required: "the caller returns at its deadline of 300 ms; the hung dial is abandoned and the slot dials again",
		}, {
			Number: 12, Name: "dials longer than deadlines", On: everywhere, Scenario: slowDials,
			Injected: "a dial takes 50 ms, 4 callers wait 20 ms each, 4 connections, 1.5 s",
			Required: "it converges: dials outlive their callers, and at most 8 are needed",
		}, {
			Number: 18, Name: "failed dial, others queue", On: everywhere, Scenario: failedDial,
			Injected: "the first two dials fail after 50 ms while 4 callers queue for one connection",
			Required: "nobody sleeps beside a free slot: all know within 2 s, whoever is not failed is served",
		}, {
			Number: 19, Name: "one dial of two hangs", On: everywhere, Scenario: oneHangs, Timed: true,
			Injected: "2 connections, 4 callers; two dials fail, the third hangs, the others work",
			Required: "at most one waits in vain (ours with a ConnectTimeout of 500 ms)",
		}, {
			Number: 20, Name: "flapping factory", On: everywhere, Scenario: flapping,
			Injected: "every third dial fails; 8 callers discard every fifth connection",
			Required: "capacity 4/4 afterwards",
		}, {
			Number: 21, Name: "nil connection", On: []pool.Kind{pool.Ours, pool.Puddle, pool.SQL}, Scenario: nilConnection,
			Injected: "the factory returns a nil connection and a nil error",
			Required: "refused as a connect error",
		}, {
			Number: 22, Name: "cold storm", On: everywhere, Scenario: coldStorm,
			Injected: "100 callers at once on a cold pool of 100; a dial takes 50 ms",
			Required: "at most 8 dials at once (MaxConnecting)",
		}, {
			Number: 23, Name: "dead server, retriers", On: everywhere, Scenario: deadServer,
			Injected: "dials are refused; 50 callers try again and again for 1 s",
			Required: "at most 60 dials",
		},
	}
}

var errRefused = errors.New("connection refused (injected)")

func hungDial(t *Trial) {
	var mended atomic.Bool
	never := make(chan struct{})
	p := t.open(pool.Setup{
		Max: 1,
		Dial: func(context.Context, *pool.Conn) error {
			if !mended.Load() {
				<-never
			}
			return nil
		},
		Edit: func(c *connpool.Config[*pool.Conn]) { c.ConnectTimeout = 500 * time.Millisecond },
	})
	t.Cleanup(func() { close(never) })
	began := time.Now()
	_, err := p.take(300 * time.Millisecond)
	if errors.Is(err, errStuck) {
		t.Abortf("the caller is stuck for 5 s, past its deadline of 300 ms")
	}
	t.Sawf("the caller is back after %v", ms(time.Since(began)))
	t.Require(err != nil && time.Since(began) < time.Second, "not at its deadline: %v", err)
	mended.Store(true)
	lease, err := p.take(3 * time.Second)
	if err != nil {
		t.Abortf("the slot is lost to the hung dial: %v", short(err))
	}
	lease.Release()
	if t.Ours() {
		t.Sawf("%d abandoned, and another dialled", p.Own().Stats().Abandoned)
	}
}

func slowDials(t *Trial) {
	p := t.open(pool.Setup{Max: 4, Dial: takes(50 * time.Millisecond)})
	until := time.Now().Add(1500 * time.Millisecond)
	var ok atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for time.Now().Before(until) {
				if _, err := borrowOnce(t.ctx, p.Pool, 20*time.Millisecond); err == nil {
					ok.Add(1)
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	if t.Bounded(all.Wait) != nil {
		t.Abortf("stuck for 5 s")
	}
	t.Sawf("%s served, %d dials", thousands(ok.Load()), p.Dials.Load())
	t.Require(ok.Load() > 0, "nobody was ever served")
	t.Require(p.Dials.Load() <= 8, "dials wasted")
}

// takes is a dial that takes its time, or until its context ends.
func takes(d time.Duration) func(context.Context, *pool.Conn) error {
	return func(ctx context.Context, _ *pool.Conn) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func failedDial(t *Trial) {
	var dials atomic.Int64
	p := t.open(pool.Setup{Max: 1, Dial: func(context.Context, *pool.Conn) error {
		time.Sleep(50 * time.Millisecond)
		if n := dials.Add(1); n <= 2 {
			return errRefused
		}
		return nil
	}})
	c := p.crowd(4, patience-time.Second, 10*time.Millisecond)
	t.Sawf("%d served, %d failed, the last after %v", c.ok, c.failed, ms(c.longest))
	t.Require(c.longest < 2*time.Second, "somebody slept beside a free slot")
	t.Require(c.ok >= 2 && c.stuck == 0, "too few were served: %v", c.last)
}

func oneHangs(t *Trial) {
	var dials atomic.Int64
	never := make(chan struct{})
	p := t.open(pool.Setup{
		Max: 2,
		Dial: func(context.Context, *pool.Conn) error {
			switch dials.Add(1) {
			case 1, 2:
				time.Sleep(20 * time.Millisecond)
				return errRefused
			case 3:
				<-never
				return errRefused
			}
			return nil
		},
		Edit: func(c *connpool.Config[*pool.Conn]) { c.ConnectTimeout = 500 * time.Millisecond },
	})
	t.Cleanup(func() { close(never) })
	c := p.crowd(4, 3*time.Second, 10*time.Millisecond)
	inVain := c.stuck
	if c.longest > 2500*time.Millisecond && c.stuck == 0 {
		inVain = c.failed - 2 // the two whose dials failed know early
	}
	t.Sawf("%d of 4 served, the longest wait %v", c.ok, ms(c.longest))
	t.Require(c.ok >= 1 && inVain <= 1, "%d waited in vain: %v", inVain, errText(c.last))
}

func errText(err error) string {
	if err == nil {
		return "no error"
	}
	return short(err)
}

func flapping(t *Trial) {
	const size = 4
	var dials atomic.Int64
	p := t.open(pool.Setup{Max: size, Dial: func(context.Context, *pool.Conn) error {
		if dials.Add(1)%3 == 0 {
			return errRefused
		}
		return nil
	}})
	var all sync.WaitGroup
	for range 2 * size {
		all.Go(func() {
			for i := range 50 {
				lease, err := p.take(30 * time.Millisecond)
				switch {
				case err != nil:
				case i%5 == 0:
					lease.Discard()
				default:
					time.Sleep(time.Millisecond)
					lease.Release()
				}
			}
		})
	}
	if t.Bounded(all.Wait) != nil {
		t.Abortf("stuck for 5 s")
	}
	dials.Store(-1 << 40) // from now on they work, the next few at least
	t.Sawf("%d dials", p.Dials.Load())
	steady(p, size)
	p.requireCapacity(size)
}

// steady borrows until nothing fails any more: a pool that dials in the
// background may still tell of the last failure.
func steady(p *tried, n int) {
	await(patience, func() bool { return p.crowd(n, time.Second, time.Millisecond).ok == n })
}

func nilConnection(t *Trial) {
	p := t.open(pool.Setup{Max: 1, Nil: true})
	lease, err := p.take(2500 * time.Millisecond)
	if err != nil {
		t.Sawf("%v", short(err))
		return
	}
	defer lease.Release()
	c, err := conn(lease)
	t.Faultf("handed out: connection %v, error %v", c, err)
}

func coldStorm(t *Trial) {
	p := t.open(pool.Setup{Max: 100, Dial: takes(50 * time.Millisecond)})
	c := p.crowd(100, patience-time.Second, 0)
	t.Sawf("%d dials at once, %d in all, served within %v", p.Dialling.Most(), p.Dials.Load(), ms(c.longest))
	t.Require(c.ok == 100, "%d not served: %v", 100-c.ok, errText(c.last))
	t.Require(p.Dialling.Most() <= 8, "too many")
}

func deadServer(t *Trial) {
	p := t.open(pool.Setup{Max: 10, Dial: func(context.Context, *pool.Conn) error {
		return fmt.Errorf("dialling: %w", errRefused)
	}})
	until := time.Now().Add(time.Second)
	var all sync.WaitGroup
	var calls atomic.Int64
	for range 50 {
		all.Go(func() {
			for time.Now().Before(until) {
				calls.Add(1)
				_, err := borrowOnce(t.ctx, p.Pool, time.Second)
				t.Require(errors.Is(err, errRefused), "the refusal is not in the error: %v", err)
				time.Sleep(time.Millisecond)
			}
		})
	}
	all.Wait()
	t.Sawf("%s dials for %s calls", thousands(p.Dials.Load()), thousands(calls.Load()))
	t.Require(p.Dials.Load() <= 60, "too many")
}
