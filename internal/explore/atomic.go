//go:build explore

package explore

import "sync/atomic"

// The types of sync/atomic, with a point before each access. Only what the pool
// uses of them is here.

// Bool is an atomic.Bool.
type Bool struct{ v atomic.Bool }

func (a *Bool) Load() bool   { Point(); return a.v.Load() }
func (a *Bool) Store(v bool) { Point(); a.v.Store(v) }
func (a *Bool) CompareAndSwap(old, next bool) bool {
	Point()
	return a.v.CompareAndSwap(old, next)
}

// Int64 is an atomic.Int64.
type Int64 struct{ v atomic.Int64 }

func (a *Int64) Load() int64       { Point(); return a.v.Load() }
func (a *Int64) Store(v int64)     { Point(); a.v.Store(v) }
func (a *Int64) Add(d int64) int64 { Point(); return a.v.Add(d) }

func (a *Int64) CompareAndSwap(old, next int64) bool {
	Point()
	return a.v.CompareAndSwap(old, next)
}

// Uint32 is an atomic.Uint32.
type Uint32 struct{ v atomic.Uint32 }

func (a *Uint32) Load() uint32           { Point(); return a.v.Load() }
func (a *Uint32) Store(v uint32)         { Point(); a.v.Store(v) }
func (a *Uint32) Swap(v uint32) uint32   { Point(); return a.v.Swap(v) }
func (a *Uint32) And(mask uint32) uint32 { Point(); return a.v.And(mask) }
func (a *Uint32) Or(mask uint32) uint32  { Point(); return a.v.Or(mask) }
func (a *Uint32) CompareAndSwap(old, next uint32) bool {
	Point()
	return a.v.CompareAndSwap(old, next)
}

// Uint64 is an atomic.Uint64.
type Uint64 struct{ v atomic.Uint64 }

func (a *Uint64) Load() uint64   { Point(); return a.v.Load() }
func (a *Uint64) Store(v uint64) { Point(); a.v.Store(v) }
func (a *Uint64) CompareAndSwap(old, next uint64) bool {
	Point()
	return a.v.CompareAndSwap(old, next)
}

// Pointer is an atomic.Pointer.
type Pointer[T any] struct{ v atomic.Pointer[T] }

func (a *Pointer[T]) Load() *T   { Point(); return a.v.Load() }
func (a *Pointer[T]) Store(v *T) { Point(); a.v.Store(v) }
