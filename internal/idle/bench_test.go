package idle

import "testing"

// What a look at the near number costs, and what a pop and a push cost together.
// AMD EPYC, 2 cores, go1.26.8, medians of 7; no allocations anywhere:
//
//	                      serial    parallel -cpu 1    -cpu 2    -cpu 4
//	Near                  1.6 ns    1.4 ns             0.7 ns    0.7 ns
//	Pop, Push: twin       11 ns     9.8 ns             14 ns     24 ns
//	           no cells   11 ns     11 ns              78 ns     75 ns
//	           2 cells    14 ns     13 ns              81 ns     81 ns
//
// So a stack without locks is the worst choice once two borrowers meet: each
// failed swap fetches the line again, where a mutex lets one of them get ahead.
// It pays with cells in front, in which most of those who come find what they
// need and write nothing.
func BenchmarkNear(b *testing.B) {
	l := New(2)
	for i := range l.cells {
		l.cells[i].n.Store(uint32(i) + 1)
	}
	b.Run("serial", func(b *testing.B) {
		for b.Loop() {
			l.Near()
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				l.Near()
			}
		})
	})
}

func BenchmarkSerial(b *testing.B) {
	overKinds(b, func(b *testing.B, l list) {
		for b.Loop() {
			n, _ := l.Pop()
			l.Push(n)
		}
	})
}

func BenchmarkParallel(b *testing.B) {
	overKinds(b, func(b *testing.B, l list) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if n, ok := l.Pop(); ok {
					l.Push(n)
				}
			}
		})
	})
}

// overKinds runs a benchmark over the kinds of list, with 8 numbers in each.
func overKinds(b *testing.B, f func(b *testing.B, l list)) {
	for _, kind := range lists[:3] {
		b.Run(kind.name, func(b *testing.B) {
			l := kind.make()
			l.Grow(8)
			for _, n := range upTo(8) {
				l.Push(n)
			}
			b.ReportAllocs()
			f(b, l)
		})
	}
}
