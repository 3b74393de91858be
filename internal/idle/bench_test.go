package idle

import "testing"

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
