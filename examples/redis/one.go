package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/connpool/connpool"
)

// withOne runs f with a pool of one connection, and returns why that and those
// that took its place were closed when they came back. A pool of one makes it
// certain who gets a connection that is returned: the next caller.
func withOne(ctx context.Context, cfg connpool.Config[*conn], f func(*connpool.Pool[*conn]) error) (*closings, error) {
	seen := &closings{why: map[string]int{}}
	cfg.MaxSize = 1
	cfg.Trace = &connpool.Trace{Closed: seen.note}
	pool, err := connpool.New(cfg)
	if err != nil {
		return nil, err
	}
	defer pool.Close() // after Shutdown it does nothing
	return seen, errors.Join(f(pool), shutdown(ctx, pool))
}

// closings counts connections that Clean did not let pass, by its error.
type closings struct {
	mu  sync.Mutex
	why map[string]int
}

func (s *closings) note(info connpool.ClosedInfo) {
	if info.Reason != connpool.ClosedClean {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.why[info.Err.Error()]++
}

func (s *closings) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.why) == 0 {
		return "none"
	}
	var lines []string
	for _, why := range slices.Sorted(maps.Keys(s.why)) {
		lines = append(lines, fmt.Sprintf("%d (%s)", s.why[why], why))
	}
	return strings.Join(lines, ", ")
}
