//go:build !explore

package explore

import (
	"sync"
	"sync/atomic"
)

// What goroutines share, beside channels.
type (
	Mutex          = sync.Mutex
	Bool           = atomic.Bool
	Int64          = atomic.Int64
	Uint32         = atomic.Uint32
	Uint64         = atomic.Uint64
	Pointer[T any] = atomic.Pointer[T]
)

// Point stands before a shared access that the types do not cover.
func Point() {}

// Wait stands before a select of two channels that end a wait. It returns them.
func Wait(ready, done <-chan struct{}) (_, _ <-chan struct{}) { return ready, done }
