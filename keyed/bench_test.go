package keyed

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/connpool/connpool"
)

// Figures are of a 2-core AMD EPYC, go1.26.8, on which other work was running:
// they compare, and say little by themselves. Run them with
//
//	go test -run '^$' -bench . -benchmem -count 5 ./keyed

func benchConfig(string) (connpool.Config[*fakeConn], error) {
	return connpool.Config[*fakeConn]{
		Connect: func(context.Context) (*fakeConn, error) { return new(fakeConn), nil },
		Logger:  slog.New(slog.DiscardHandler),
	}, nil
}

func benchPool(b *testing.B, cfg Config[string, *fakeConn]) *Pool[string, *fakeConn] {
	b.Helper()
	cfg.For = benchConfig
	p, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := p.Shutdown(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return p
}

func borrow(b *testing.B, p *Pool[string, *fakeConn], key string) {
	lease, err := p.Acquire(context.Background(), key)
	if err != nil {
		b.Error(err)
		return
	}
	lease.Release()
}

func hosts(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("db-%d.example.com:5432", i)
	}
	return keys
}

// A known key costs a lookup and the pool's own acquire: with one key 50 ns where
// the pool alone took 24, with 1,000 keys in turn 110 to 140 (their pools are 8 MB,
// and in no cache). No allocations; Do has none either.
func BenchmarkAcquireRelease(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprint(n, "-keys/serial"), func(b *testing.B) {
			p, keys := benchPool(b, Config[string, *fakeConn]{MaxTotal: 8 * n, MaxPerKey: 8}), hosts(n)
			for i := range keys {
				borrow(b, p, keys[i])
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				borrow(b, p, keys[i%n])
			}
		})
		b.Run(fmt.Sprint(n, "-keys/parallel"), func(b *testing.B) {
			p, keys := benchPool(b, Config[string, *fakeConn]{MaxTotal: 8 * n, MaxPerKey: 8}), hosts(n)
			for i := range keys {
				borrow(b, p, keys[i])
			}
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					borrow(b, p, keys[i%n])
				}
			})
		})
	}
	b.Run("root/serial", func(b *testing.B) {
		cfg, _ := benchConfig("")
		p, err := connpool.New(cfg)
		if err != nil {
			b.Fatal(err)
		}
		defer p.Close()
		b.ReportAllocs()
		for b.Loop() {
			lease, err := p.Acquire(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			lease.Release()
		}
	})
	b.Run("Do", func(b *testing.B) {
		p := benchPool(b, Config[string, *fakeConn]{})
		b.ReportAllocs()
		for b.Loop() {
			if err := p.Do(context.Background(), "k", func(context.Context, *fakeConn) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// The lookup alone, among 1,000 keys, beside what it could have been: 22 to 25 ns
// for 32 to 38 in the same run; on the quiet machine 9 and 18.
func BenchmarkLookup(b *testing.B) {
	keys := hosts(1000)
	t, twin := newTable[string, int](), new(sync.Map)
	for i, key := range keys {
		t.insert(key, &i)
		twin.Store(key, &i)
	}
	for name, load := range map[string]func(string) bool{
		"table":    func(key string) bool { return t.load(key) != nil },
		"sync.Map": func(key string) bool { _, ok := twin.Load(key); return ok },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if !load(keys[i%len(keys)]) {
					b.Fatal("lost")
				}
			}
		})
	}
}

// A key that is used for the first time, and never again, so that room has to be
// made for it.
func BenchmarkNewKey(b *testing.B) {
	p := benchPool(b, Config[string, *fakeConn]{})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		borrow(b, p, fmt.Sprint(i))
	}
	b.ReportMetric(float64(p.Stats().Keys), "keys-left")
}

// 1.2 to 2.8 µs a key.
func BenchmarkStats(b *testing.B) {
	const n = 1000
	p := benchPool(b, Config[string, *fakeConn]{MaxTotal: n})
	for _, key := range hosts(n) {
		borrow(b, p, key)
	}
	for b.Loop() {
		p.Stats()
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/n, "ns/key")
}

// What a key costs, with one idle connection that is nothing itself: 8.8 KB.
func BenchmarkKeyMemory(b *testing.B) {
	const n = 1000
	for b.Loop() {
		before := heap()
		p := benchPool(b, Config[string, *fakeConn]{MaxTotal: n, IdleKeyTimeout: time.Hour})
		for i := range n {
			borrow(b, p, fmt.Sprint(i))
		}
		b.ReportMetric(float64(heap()-before)/n, "B/key")
		runtime.KeepAlive(p)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
