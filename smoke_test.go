package connpool

import (
	"context"
	"sync"
	"testing"
	"time"
)

type dummy struct{ n int }

func newDummy(t testing.TB, f func(*Config[*dummy])) *Pool[*dummy] {
	c := Config[*dummy]{Connect: func(context.Context) (*dummy, error) { return &dummy{}, nil }, MaxSize: 8}
	if f != nil {
		f(&c)
	}
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := p.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestSmoke(t *testing.T) {
	p := newDummy(t, nil)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 20000 {
				l, err := p.Acquire(context.Background())
				if err != nil {
					t.Error(err)
					return
				}
				l.Conn().n++
				l.Release()
			}
		})
	}
	wg.Wait()
	t.Logf("%+v", p.Stats())
}

func BenchmarkSerial(b *testing.B) {
	p := newDummy(b, nil)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		l, _ := p.Acquire(ctx)
		l.Release()
	}
}
func BenchmarkSyncPool(b *testing.B) {
	var p sync.Pool
	p.New = func() any { return &dummy{} }
	b.ReportAllocs()
	for b.Loop() {
		x := p.Get()
		p.Put(x)
	}
}
func BenchmarkParallel(b *testing.B) {
	p := newDummy(b, nil)
	ctx := context.Background()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l, _ := p.Acquire(ctx)
			l.Release()
		}
	})
}
func BenchmarkSyncPoolParallel(b *testing.B) {
	var p sync.Pool
	p.New = func() any { return &dummy{} }
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			x := p.Get()
			p.Put(x)
		}
	})
}
func BenchmarkOversubscribed(b *testing.B) {
	p := newDummy(b, nil)
	ctx := context.Background()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l, _ := p.Acquire(ctx)
			l.Release()
		}
	})
	b.ReportMetric(float64(p.Stats().Waits)/float64(b.N), "waits/op")
}
