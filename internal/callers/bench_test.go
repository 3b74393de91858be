package callers

import "testing"

// deepen calls f from below some frames more, as a request handler would.
//
//go:noinline
func deepen(n int, f func()) {
	if n == 0 {
		f()
		return
	}
	deepen(n-1, f)
}

// What the pieces cost, so that the pool can decide when to pay it. AMD EPYC, 2
// cores shared with other work, go1.26.8, the best of five runs of
// go test -bench . -cpu 1,2; the median was up to twice as long:
//
//	                  -cpu 1           -cpu 2           allocs/op
//	Capture           0.46 us          0.22 us          0, once it knows the stack
//	Caller            0.14 us          0.08 us          1
//	Text              4.6 us           serial           47
//	Add and Remove    1.3 us           1.0 us           2 (257 B), 1 of them pprof's
//	Group of 1,000    140 us           serial           20
//
// Capture and Add walk the stack at some 25 ns a frame. Add walks it twice, once
// to find the call site and once inside pprof, which then takes the lock that
// all pools of the process share: a second core gains nothing. Looking names up
// afresh in every search, instead of keeping them, costs Caller another 0.9 us and
// Add another 1.1 us.
var (
	sinkStack *Stack
	sinkText  string
	sinkSites []Site
)

func BenchmarkCapture(b *testing.B) {
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		deepen(8, func() {
			for pb.Next() {
				s := Capture(0)
				if s.n == 0 {
					sinkStack = s
				}
			}
		})
	})
}

func BenchmarkCaller(b *testing.B) {
	b.ReportAllocs()
	s := new(pool[int]).acquire()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if t := s.Caller(); t == "" {
				sinkText = t
			}
		}
	})
}

func BenchmarkText(b *testing.B) {
	b.ReportAllocs()
	var s *Stack
	deepen(8, func() { s = new(pool[int]).acquire() })
	for b.Loop() {
		sinkText = s.Text()
	}
}

func BenchmarkAddRemove(b *testing.B) {
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		var p pool[int]
		deepen(8, func() {
			for pb.Next() {
				p.list().Remove()
			}
		})
	})
}

func BenchmarkGroup1000(b *testing.B) {
	b.ReportAllocs()
	var held []Held
	for range 1000 {
		held = append(held, Held{new(pool[int]).acquire(), 1})
	}
	for b.Loop() {
		sinkSites = Group(held)
	}
}
