package idle

import "testing"

// What a pop and a push cost together. AMD EPYC, 2 cores, go1.26.8, medians of
// 60 short runs while nothing else ran; no allocations anywhere:
//
//	           serial    parallel -cpu 1    -cpu 2    -cpu 4
//	twin       9.9 ns    9.9 ns             14 ns     25 ns
//	no cells   12 ns     12 ns              85 ns     84 ns
//	2 cells    7.1 ns    6.8 ns             4 ns      5 ns
//
// So a stack without locks is the worst choice once two borrowers meet: each
// failed swap fetches the line again, where a mutex lets one of them get ahead.
// It pays with cells in front, which keep them from meeting. Two that are dealt
// the same cell cost 25 ns until one of them is dealt another; single runs of
// the parallel benchmark range from 3.4 ns to that.
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
