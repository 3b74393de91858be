package rival

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, janitors...) }

// janitors are goroutines that rivals leave behind for the whole process.
var janitors = []goleak.Option{
	// go-redis keeps the time of day in a variable, updated by one goroutine for ever.
	goleak.IgnoreTopFunction("github.com/redis/go-redis/v9/internal/pool.startGlobalTimeCache.func1"),
}

// each runs a test for every rival and every variant of this pool.
func each(t *testing.T, test func(*testing.T, Rival)) {
	for _, r := range append(All(), Variants()...) {
		t.Run(r.Name, func(t *testing.T) {
			test(t, r)
			goleak.VerifyNone(t, janitors...)
		})
	}
}

func open(t *testing.T, r Rival, s Setup) Pool {
	t.Helper()
	pool, err := r.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

func TestBoundedRivalsLendNoMoreThanMax(t *testing.T) {
	each(t, func(t *testing.T, r Rival) {
		pool := open(t, r, Setup{Max: 3})
		defer pool.Close()
		var lent, most, uses atomic.Int64
		var callers sync.WaitGroup
		for range 16 {
			callers.Go(func() {
				for range 50 {
					err := pool.Use(t.Context(), func() {
						atMost(&most, lent.Add(1))
						time.Sleep(10 * time.Microsecond)
						lent.Add(-1)
						uses.Add(1)
					})
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		callers.Wait()
		if uses.Load() != 16*50 {
			t.Errorf("%d uses of %d", uses.Load(), 16*50)
		}
		if r.Bounded && most.Load() > 3 {
			t.Errorf("%d connections lent at once", most.Load())
		}
	})
}

func atMost(most *atomic.Int64, n int64) {
	for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
	}
}

func TestNoRivalDialsMoreThanMaxToServeManyCycles(t *testing.T) {
	each(t, func(t *testing.T, r Rival) {
		if !r.Bounded {
			t.Skip("drops what it likes")
		}
		var dials atomic.Int64
		pool := open(t, r, Setup{Max: 4, Dial: func(context.Context) error { dials.Add(1); return nil }})
		defer pool.Close()
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				if err := pool.Cycle(t.Context(), 1000); err != nil {
					t.Error(err)
				}
			})
		}
		callers.Wait()
		if n := dials.Load(); n < 1 || n > 4 {
			t.Errorf("%d dials for 4 connections", n)
		}
	})
}

func TestACancelledCallerStopsWaiting(t *testing.T) {
	each(t, func(t *testing.T, r Rival) {
		if !r.Bounded {
			t.Skip("makes nobody wait")
		}
		pool := open(t, r, Setup{Max: 1})
		defer pool.Close()
		err := pool.Use(t.Context(), func() {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if err := pool.Use(ctx, func() { t.Error("lent twice") }); err == nil {
				t.Error("no error after the deadline")
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := pool.Cycle(t.Context(), 10); err != nil {
			t.Errorf("the pool is of no use afterwards: %v", err)
		}
	})
}

func TestAnErrorOfTheDialReachesTheCaller(t *testing.T) {
	down := errors.New("server down")
	each(t, func(t *testing.T, r Rival) {
		if r.Name == "two CAS" {
			t.Skip("its cycles open nothing")
		}
		pool := open(t, r, Setup{Max: 2, Dial: func(context.Context) error { return down }})
		defer pool.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := pool.Use(ctx, func() { t.Error("lent what could not be opened") }); !errors.Is(err, down) {
			t.Errorf("got %v", err)
		}
	})
}

func TestFillOpensMinConnections(t *testing.T) {
	each(t, func(t *testing.T, r Rival) {
		var dials atomic.Int64
		pool := open(t, r, Setup{Max: 20, Min: 20, Dial: func(context.Context) error { dials.Add(1); return nil }})
		defer pool.Close()
		filler, ok := pool.(Filler)
		if !ok {
			t.Skip("cannot")
		}
		if err := filler.Fill(t.Context()); err != nil {
			t.Fatal(err)
		}
		if dials.Load() != 20 {
			t.Errorf("%d connections opened", dials.Load())
		}
	})
}

func TestWaitsAreCounted(t *testing.T) {
	each(t, func(t *testing.T, r Rival) {
		pool := open(t, r, Setup{Max: 1})
		defer pool.Close()
		waiter, ok := pool.(Waiter)
		if !ok {
			t.Skip("cannot tell")
		}
		_ = pool.Cycle(t.Context(), 1)
		before := waiter.Waits()
		var second sync.WaitGroup
		_ = pool.Use(t.Context(), func() {
			second.Go(func() { _ = pool.Cycle(t.Context(), 1) })
			time.Sleep(10 * time.Millisecond)
		})
		second.Wait()
		if got := waiter.Waits() - before; got != 1 {
			t.Errorf("%d waits, not 1", got)
		}
	})
}

func TestNamesAreUniqueAndVersionsKnown(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range All() {
		if seen[r.Name] {
			t.Errorf("two rivals are called %q", r.Name)
		}
		seen[r.Name] = true
	}
}
