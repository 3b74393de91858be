package scenario

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/connpool/connpool/bench/rival"
)

// together calls f n times at once, each in a goroutine that has been started
// before, and returns when all have returned. start is called first.
func together(n int, start func(), f func() error) error {
	var ready, done sync.WaitGroup
	gate := make(chan struct{})
	errs := make([]error, n)
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			<-gate
			errs[i] = f()
		})
	}
	ready.Wait()
	start()
	close(gate)
	done.Wait()
	return errors.Join(errs...)
}

// fill opens the pool's minimum before anything is recorded. Pools that fill
// themselves in the background are left to it for a moment, or they would open
// connections besides those that are opened here.
func fill(ctx context.Context, pool rival.Pool, least int, l *ledger) error {
	if filler, ok := pool.(rival.Filler); ok {
		if err := filler.Fill(ctx); err != nil {
			return fmt.Errorf("filling the pool: %w", err)
		}
	}
	if err := l.settle(ctx, quietAtFirst); err != nil {
		return err
	}
	if l.counts().opened >= least {
		return nil
	}
	return hold(ctx, pool, least)
}

const quietAtFirst = 20 * time.Millisecond

var errTooFew = errors.New("the pool does not lend its minimum at once")

// hold borrows n connections at once, for which a pool must have opened them.
func hold(ctx context.Context, pool rival.Pool, n int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 10*time.Second, errTooFew)
	defer cancel()
	var all sync.WaitGroup
	all.Add(n)
	full := make(chan struct{})
	go func() { all.Wait(); close(full) }()
	err := together(n, func() {}, func() error {
		arrived := false
		err := pool.Use(ctx, func() {
			arrived = true
			all.Done()
			<-full
		})
		if !arrived {
			all.Done() // or the others would wait for ever
		}
		return err
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
