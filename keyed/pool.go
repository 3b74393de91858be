package keyed

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/connpool/connpool"
)

// Pool is a pool of connections for each key. It is safe for concurrent use and
// must not be copied.
type Pool[K comparable, T any] struct {
	keys    *table[K, entry[T]] // read at any time, written under mu
	cfg     Config[K, T]
	budget  *connpool.Budget
	epoch   time.Time
	unnamed atomic.Uint64 // pools that were named by number
	closing chan struct{} // closed by Close
	turns   chan struct{} // a caller needs one to have For run

	mu struct {
		sync.Mutex
		closed   bool
		making   map[K]*making[T]    // keys that For is being asked for
		leaving  []*connpool.Pool[T] // removed, and perhaps not done with their last events
		departed Stats               // counters of those that are done
		sweep    *time.Timer         // nil until first needed
		armed    bool                // it is set, or sweeping
		made     int                 // pools since the last sweep
	}

	sweeping sync.Mutex // one sweep at a time
}

// New checks cfg, reporting all its faults at once, and returns a Pool without
// keys. Close it when done with it.
func New[K comparable, T any](cfg Config[K, T]) (*Pool[K, T], error) {
	full, err := cfg.normalize()
	if err != nil {
		return nil, err
	}
	p := &Pool[K, T]{
		keys:    newTable[K, entry[T]](),
		cfg:     full,
		budget:  connpool.NewBudget(full.MaxTotal),
		epoch:   time.Now(),
		closing: make(chan struct{}),
		turns:   make(chan struct{}, forsAtOnce),
	}
	for range forsAtOnce {
		p.turns <- struct{}{}
	}
	p.mu.making = make(map[K]*making[T])
	return p, nil
}

// Name returns the name of the whole.
func (p *Pool[K, T]) Name() string { return p.cfg.Name }

// Acquire returns a lease of a connection of the key's pool, as that pool's
// Acquire does, and makes the pool first if there is none. A connection that only
// MaxTotal forbids to open is waited for: the next to be closed makes room for
// it, and idle connections of other keys are closed for that.
//
// The error is that pool's *connpool.AcquireError, or for a key without a pool
// one that matches ErrNoPool, the context's error, or connpool.ErrClosed. A nil
// ctx panics, and so does a key that cannot be compared.
func (p *Pool[K, T]) Acquire(ctx context.Context, key K) (connpool.Lease[T], error) {
	for {
		e, err := p.find(ctx, key)
		if err != nil {
			return connpool.Lease[T]{}, err
		}
		lease, err := e.pool.Acquire(ctx)
		if err == nil || !e.left(err) {
			return lease, err
		}
	}
}

// TryAcquire returns a lease of a connection of the key's that is idle now, or
// connpool.ErrNoneIdle, as its pool's TryAcquire does. It never waits, except for
// For where the key has no pool, and for Prepare.
func (p *Pool[K, T]) TryAcquire(ctx context.Context, key K) (connpool.Lease[T], error) {
	for {
		e, err := p.find(ctx, key)
		if err != nil {
			return connpool.Lease[T]{}, err
		}
		lease, err := e.pool.TryAcquire(ctx)
		if err == nil || !e.left(err) {
			return lease, err
		}
	}
}

// Do acquires a connection of the key's pool, calls f with it, once at most, and
// ends the lease as Lease.ReleaseErr does with f's error, which it returns. If f
// panics or calls runtime.Goexit the connection is destroyed.
func (p *Pool[K, T]) Do(ctx context.Context, key K, f func(ctx context.Context, conn T) error) error {
	for {
		e, err := p.find(ctx, key)
		if err != nil {
			return err
		}
		called := false
		err = e.pool.Do(ctx, func(ctx context.Context, conn T) error {
			called = true
			return f(ctx, conn)
		})
		if called || !e.left(err) {
			return err
		}
	}
}

// find returns the key's pool, made if there is none.
func (p *Pool[K, T]) find(ctx context.Context, key K) (*entry[T], error) {
	if e := p.keys.load(key); e != nil {
		e.touch()
		return e, nil
	}
	return p.ask(ctx, key)
}

func (p *Pool[K, T]) closedError() error {
	return &connpool.AcquireError{Pool: p.cfg.Name, Stage: connpool.StageWait, Err: connpool.ErrClosed}
}
