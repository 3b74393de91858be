package connpooltest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/connpool/connpool"
)

// ErrInjected is what dials fail with, and what matches the panics, unless
// Faults says otherwise.
var ErrInjected = errors.New("connpooltest: injected fault")

// Faults is what goes wrong with the connections of a Config, on purpose. The
// zero value injects nothing. "Every" fields count from 1, which is each time; 0
// is never. Of every n exactly one is hit, and Seed decides which. It depends on
// the number of the dial, or of the hand-out, alone: with the same Seed the same
// ones are hit in every run, however the goroutines are scheduled.
//
// Which caller a dial or a hand-out is for is up to the scheduler, so assert what
// must hold whoever is hit: that work is done or reported, that nothing is lost,
// what Stats counts.
type Faults[T comparable] struct {
	// Seed is any number. Log it where it is drawn, to be able to run again what
	// has failed.
	Seed uint64

	// FailEvery makes one dial in so many fail with FailWith, by default
	// ErrInjected.
	FailEvery int
	FailWith  error

	// HangEvery makes one dial in so many hang until its context ends, and return
	// the context's error: a server that does not answer.
	HangEvery int

	// PanicEvery makes one dial in so many panic, with FailWith.
	PanicEvery int

	// Delay makes each dial take up to so much longer, or until its context ends.
	Delay time.Duration

	// BreakAfterUses breaks each connection when it is returned from its last use,
	// of which it has between 1 and so many: a server that closes idle
	// connections. The pool has to notice before it lends the connection again,
	// which needs an Alive or a Check that does. Uses that end in a Discard break
	// nothing: they destroy the connection anyway.
	BreakAfterUses int

	// BreakInUseEvery breaks the connection of one hand-out in so many, just after
	// it has been found alive: its borrower meets the error, and has to end the
	// lease with ReleaseErr or Discard, or to use Do.
	BreakInUseEvery int

	// Break breaks a connection, so that what is done with it afterwards fails.
	// Default: the Config's Close, which the pool's own closing of the connection
	// then does not call again. It runs inline, and must be quick.
	Break func(conn T)
}

// Wrap returns a Config with these faults. It wraps Connect, and for the
// connections that break Clean, Prepare and Close; the callbacks that Config has
// are called as before. Wrap panics if connections are to be broken and there is
// nothing to break them with.
//
// Each call of Wrap begins to count anew.
func (f Faults[T]) Wrap(cfg connpool.Config[T]) connpool.Config[T] {
	if f.FailWith == nil {
		f.FailWith = ErrInjected
	}
	saboteur := &saboteur[T]{Faults: f, connect: cfg.Connect}
	if cfg.Connect != nil { // else New says what is missing
		cfg.Connect = saboteur.dial
	}
	if f.BreakAfterUses > 0 || f.BreakInUseEvery > 0 {
		return saboteur.wear(cfg)
	}
	return cfg
}

// saboteur is what injects the faults into one Config.
type saboteur[T comparable] struct {
	Faults[T]
	connect func(context.Context) (T, error)

	dials, handOuts atomic.Uint64 // so far

	mu struct {
		sync.Mutex
		worn map[T]*wear // connections that are open
	}
}

// dial is the Config's Connect.
func (s *saboteur[T]) dial(ctx context.Context) (conn T, err error) {
	number := s.dials.Add(1) - 1
	if err := s.harm(ctx, number); err != nil {
		return conn, err
	}
	if conn, err = s.connect(ctx); err == nil {
		s.enter(conn, number)
	}
	return conn, err
}

// harm does to a dial what is drawn for it.
func (s *saboteur[T]) harm(ctx context.Context, number uint64) error {
	if s.Delay > 0 {
		if err := pause(ctx, time.Duration(forDelaying.draw(s.Seed, number).Int64N(int64(s.Delay)+1))); err != nil {
			return err
		}
	}
	switch {
	case forPanicking.hits(s.Seed, number, s.PanicEvery):
		panic(s.FailWith)
	case forHanging.hits(s.Seed, number, s.HangEvery):
		<-ctx.Done()
		return ctx.Err()
	case forFailing.hits(s.Seed, number, s.FailEvery):
		return s.FailWith
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
