//go:build !explore

package explore

import (
	"sync"
	"sync/atomic"
	"time"
)

// What goroutines share, beside channels.
type (
	Mutex          = sync.Mutex
	Bool           = atomic.Bool
	Int64          = atomic.Int64
	Uint32         = atomic.Uint32
	Uint64         = atomic.Uint64
	Pointer[T any] = atomic.Pointer[T]
	Timer          = time.Timer
)

// Point stands before a shared access that the types do not cover.
func Point() {}

// Wait stands before a select of two channels that end a wait. It returns them.
func Wait(ready, done <-chan struct{}) (_, _ <-chan struct{}) { return ready, done }

// Go starts a goroutine.
func Go(f func()) { go f() }

// AfterFunc starts a timer that calls f on a goroutine of its own.
func AfterFunc(d time.Duration, f func()) *Timer { return time.AfterFunc(d, f) }

// Since returns the time since an epoch.
func Since(epoch time.Time) time.Duration { return time.Since(epoch) }
