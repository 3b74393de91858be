package row

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/chaos/row/pool"
)

// Rows about what a borrower may do wrong with a lease.
func leaseRows() []Row {
	return []Row{
		{
			Number: 1, Name: "second release", On: everywhere, Scenario: secondRelease,
			Injected: "release, another borrows the same connection, release again",
			Required: "counted as stale, does nothing; the other user is untouched",
		}, {
			Number: 2, Name: "concurrent releases", On: everywhere, Scenario: concurrentReleases,
			Injected: "two goroutines release one lease at once, 3,000 times",
			Required: "one wins and the other does nothing; never two users of one connection",
		}, {
			Number: 3, Name: "use after release", On: everywhere, Scenario: useAfterRelease,
			Injected: "use of a released lease while another has the connection",
			Required: "refused with the reason; the other user is untouched",
		}, {
			Number: 39, Name: "ended twice over", On: everywhere, Scenario: endedTwice,
			Injected: "release after discard; ours: after a hijack too, and of the zero Lease",
			Required: "counted; a clear panic for the use of the zero value; nothing else",
		}, {
			Number: 41, Name: "dropped lease", On: everywhere, Scenario: droppedLease,
			Injected: "a lease becomes garbage unreleased, with one connection in all",
			Required: "reported once with the borrower's stack; reclaimed where that was asked for",
		},
	}
}

func secondRelease(t *Trial) {
	p := t.open(pool.Setup{Max: 1})
	first := p.must("first")
	first.Release()
	second := p.must("second")
	defer func() { _ = quietly(second.Release) }()
	mine, err := conn(second)
	t.Must(err, "the other user's connection")
	if err := quietly(first.Release); err != nil {
		t.Faultf("the second release: %v", short(err))
	}
	if third, err := p.take(100 * time.Millisecond); err == nil {
		theirs, _ := conn(third)
		t.Require(theirs != mine, "one connection to two users")
		_ = quietly(third.Release)
	}
	still, err := conn(second)
	if t.Require(err == nil && still == mine, "the other user has lost the connection") {
		t.Sawf("the other user still has the connection")
	}
	if t.Ours() {
		stale := p.Own().Stats().StaleReleases
		t.Require(stale == 1, "%d stale releases counted", stale)
	}
}

func concurrentReleases(t *Trial) {
	p := t.open(pool.Setup{Max: 2})
	const rounds = 3000
	var doubles, panics, starved int
	for range rounds {
		lease := p.must("borrowing")
		panics += releaseTwice(lease)
		a, errA := p.take(patience / 10)
		b, errB := p.take(patience / 10)
		if errA != nil || errB != nil {
			starved++
		} else if ca, _ := conn(a); ca != nil {
			if cb, _ := conn(b); ca == cb {
				doubles++
			}
		}
		for _, l := range []pool.Lease{a, b} {
			if l != nil {
				_ = quietly(l.Release)
			}
		}
		if doubles+starved > 3 {
			break // it will not get better
		}
	}
	t.Sawf("%d double hand-outs, %d panics", doubles, panics)
	t.Require(doubles == 0, "one connection to two users")
	t.Require(panics == 0, "the release that came second panics")
	t.Require(starved == 0, "%d times a slot was missing", starved)
}

// releaseTwice releases from two goroutines that start together.
func releaseTwice(lease pool.Lease) (panics int) {
	var failed, ready atomic.Int64
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			for ready.Add(1); ready.Load() < 2; {
				runtime.Gosched()
			}
			if quietly(lease.Release) != nil {
				failed.Add(1)
			}
		})
	}
	both.Wait()
	return int(failed.Load())
}

func useAfterRelease(t *Trial) {
	p := t.open(pool.Setup{Max: 1})
	stale := p.must("first")
	stale.Release()
	next := p.must("second")
	defer next.Release()
	theirs, err := conn(next)
	t.Must(err, "the other user's connection")
	got, err := conn(stale)
	switch unexplained := runtime.Error(nil); {
	case err == nil && got == theirs:
		t.Faultf("got the other user's connection")
	case err == nil:
		t.Faultf("got a connection")
	case errors.As(err, &unexplained):
		t.Faultf("refused without a reason: %v", short(err))
	default:
		t.Sawf("%v", short(err))
	}
}

func endedTwice(t *Trial) {
	p := t.open(pool.Setup{Max: 1})
	lease := p.must("borrowing")
	lease.Discard()
	if err := quietly(lease.Release); err != nil {
		t.Faultf("release after discard: %v", short(err))
	}
	p.requireCapacity(1)
	own := p.Own()
	if own == nil {
		return
	}
	hijackedAndZero(t, own)
	p.requireCapacity(1)
}

func hijackedAndZero(t *Trial, own *connpool.Pool[*pool.Conn]) {
	lease, err := own.Acquire(t.For(patience))
	t.Must(err, "borrowing")
	lease.Hijack()
	lease.Release()
	stale := own.Stats().StaleReleases
	t.Require(stale == 2, "%d stale releases counted", stale)
	var zero connpool.Lease[*pool.Conn]
	t.Require(quietly(zero.Release) == nil, "releasing the zero Lease panics")
	err = quietly(func() { zero.Conn() })
	t.Require(err != nil, "the zero Lease has a connection")
	t.Sawf("2 counted; zero Lease: %v", err)
}

func droppedLease(t *Trial) {
	leaks := make(chan connpool.Leak, 8)
	p := t.open(pool.Setup{Max: 1, Edit: func(c *connpool.Config[*pool.Conn]) {
		c.ReclaimLost, c.LeakStacks = true, connpool.StacksAlways
		c.OnLeak = func(l connpool.Leak) { leaks <- l }
	}})
	t.Must(t.Bounded(func() { forget(t.ctx, p) }), "borrowing")
	for range 10 {
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
	lease, err := p.take(time.Second)
	if err != nil {
		t.Abortf("the slot is gone, and nobody was told: %v", short(err))
	}
	lease.Release()
	if !t.Ours() {
		return
	}
	t.Require(await(patience, func() bool { return len(leaks) > 0 }), "no report")
	leak := <-leaks
	t.Require(leak.Lost && leak.Caller != "" && leak.Stack != "", "the report names nobody: %v", leak)
	t.Require(len(leaks) == 0, "reported more than once")
	t.Sawf("reclaimed, and reported once, by %s", leak.Caller)
}

// forget borrows and forgets.
func forget(ctx context.Context, p *tried) {
	if _, err := p.Acquire(ctx); err != nil {
		panic(err)
	}
}
