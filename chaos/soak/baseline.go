package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
)

// baseline is what there was before the pools, and how much memory there was when
// they had run for a while.
type baseline struct {
	usage
	heaps []uint64 // of the first phases
}

// usage is what the process has.
type usage struct {
	goroutines, files int
	heap              uint64
}

func (u usage) String() string {
	return fmt.Sprintf("%d goroutines, %d files, %d MB", u.goroutines, u.files, u.heap>>20)
}

// measure looks at the process. Where there is no /proc, files are not counted.
func measure() usage {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	u := usage{goroutines: runtime.NumGoroutine(), heap: mem.HeapAlloc}
	if entries, err := os.ReadDir("/proc/self/fd"); err == nil {
		u.files = len(entries)
	}
	return u
}

// measureStart takes the baseline, after one connection: the first one in a
// process opens files that stay.
func (s *soak) measureStart() error {
	c, err := net.Dial("tcp", s.echo.listener.Addr().String())
	if err != nil {
		return err
	}
	if err := c.Close(); err != nil {
		return err
	}
	await(func() string { return s.sessionsLeft(0) }, func(string) {})
	s.baseline.usage = measure()
	return nil
}

func (s *soak) sessionsLeft(want int) string {
	if open := s.echo.open.Load(); open != int64(want) {
		return fmt.Sprintf("the echo server has %d connections, and should have %d", open, want)
	}
	return ""
}

// checkLeftovers compares the process with what it was: the only goroutines and
// files that may be more are those of open sockets.
func (s *soak) checkLeftovers() {
	await(s.leftovers, func(why string) { s.verdict.broken("left over at rest: %s", why) })
	runtime.GC()
	runtime.GC() // what the first one's finalizers have let go of
	s.checkHeap(measure().heap)
}

func (s *soak) leftovers() string {
	sockets := 0
	for _, r := range s.rigs {
		if r.source.addr != "" {
			sockets += r.pool.Stats().Idle
		}
	}
	if why := s.sessionsLeft(sockets); why != "" {
		return why
	}
	now, then := measure(), s.baseline
	switch {
	case now.goroutines > then.goroutines+sockets:
		return fmt.Sprintf("%d goroutines, %d at the start and %d of the echo server", now.goroutines, then.goroutines, sockets)
	case now.files > then.files+2*sockets:
		return fmt.Sprintf("%d files, %d at the start and %d sockets at both ends", now.files, then.files, sockets)
	}
	return ""
}

const (
	warmPhases = 3        // that may set the baseline of memory
	heapSlack  = 16 << 20 // and half as much again
)

// checkHeap compares the memory in use with the most of the first phases: tables
// grow to their final size in these.
func (s *soak) checkHeap(heap uint64) {
	if len(s.baseline.heaps) < warmPhases {
		s.baseline.heaps = append(s.baseline.heaps, heap)
		return
	}
	most := uint64(0)
	for _, h := range s.baseline.heaps {
		most = max(most, h)
	}
	if allowed := most + most/2 + heapSlack; heap > allowed {
		s.verdict.broken("%d MB are in use at rest, %d MB were in the first phases", heap>>20, most>>20)
	}
}
