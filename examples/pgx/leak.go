package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/connpool/connpool"
)

// findLeak forgets to release a lease, and lets the pool tell who it was.
func (a *app) findLeak(ctx context.Context) error {
	a.headline("A lease that nobody releases: OnLeak")
	a.forgetLeaks()
	forgotten, err := a.countForgetfully(ctx)
	if err != nil {
		return err
	}
	defer forgotten.Release() // so that Shutdown need not wait for it for ever
	if err := a.printLeak(ctx); err != nil {
		return err
	}
	return a.printExhausted(ctx)
}

// countForgetfully should have released its lease. It returns it, for the
// example to end well.
func (a *app) countForgetfully(ctx context.Context) (connpool.Lease[*pgx.Conn], error) {
	lease, err := a.pool.Acquire(ctx)
	if err != nil {
		return lease, err
	}
	var tables int // no defer lease.Release(): the bug
	err = lease.Conn().QueryRow(ctx, "select count(*) from pg_class").Scan(&tables)
	return lease, err
}

// noteLeak is the pool's OnLeak. A service would count leaks, or log them, as
// the pool does by itself.
func (a *app) noteLeak(leak connpool.Leak) {
	select {
	case a.leaks <- leak:
	default: // nobody asks any more
	}
}

// forgetLeaks forgets what was reported so far: on a machine that stood still,
// an innocent lease may have taken that long.
func (a *app) forgetLeaks() {
	for len(a.leaks) > 0 {
		<-a.leaks
	}
}

func (a *app) printLeak(ctx context.Context) error {
	select {
	case leak := <-a.leaks:
		fmt.Fprintf(a.out, "%v\n\n%s\n", leak, leak.Stack)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// printExhausted asks for a connection when all others are in use.
func (a *app) printExhausted(ctx context.Context) error {
	a.headline("The error of who finds none left: it names the line")
	for range a.size - 1 {
		lease, err := a.pool.Acquire(ctx)
		if err != nil {
			return err
		}
		defer lease.Release()
	}
	hurried, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	lease, err := a.pool.Acquire(hurried)
	if err == nil {
		lease.Release()
		return errors.New("there was a connection left")
	}
	fmt.Fprintln(a.out, err)
	return ctx.Err()
}
