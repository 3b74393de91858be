package keyed

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/connpool/connpool"
)

// ErrNoPool is matched by the error of an acquire for whose key For has described
// no pool: what it returned was refused, or it panicked, or called
// runtime.Goexit, or has not returned.
var ErrNoPool = errors.New("no pool for the key")

var (
	errGoexit  = errors.New("For called runtime.Goexit")
	errPending = errors.New("For has not returned")
	errUnequal = errors.New("the key does not equal itself, so it could never be found again")
)

// patience is how long callers without a deadline wait for For: as long as they
// would wait for a connection.
const patience = 30 * time.Second

// making is a pool on its way.
type making[T any] struct {
	done   chan struct{} // closed once entry or err is set
	entry  *entry[T]
	err    error
	retire bool // guarded by Pool.mu: what it opens before it is done is retired
}

// ask returns the pool of a key that had none when looked up.
func (p *Pool[K, T]) ask(ctx context.Context, key K) (*entry[T], error) {
	if ctx == nil {
		panic("keyed: nil context: pass context.Background() if there is none")
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("keyed %q: %w", p.cfg.Name, ended(ctx))
	}
	e, m, err := p.join(key)
	if e != nil || err != nil {
		return e, err
	}
	return p.await(ctx, m)
}

// join returns the key's pool, or what is being made for it. Who comes first
// has it made.
func (p *Pool[K, T]) join(key K) (*entry[T], *making[T], error) {
	if key != key {
		return nil, nil, p.noPool(errUnequal)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.closed {
		return nil, nil, p.closedError()
	}
	if e := p.keys.load(key); e != nil { // made meanwhile
		e.touch()
		return e, nil, nil
	}
	m := p.mu.making[key]
	if m == nil {
		m = &making[T]{done: make(chan struct{})}
		p.mu.making[key] = m
		go p.create(key, m)
	}
	return nil, m, nil
}

// await waits for For, as long as the context allows.
func (p *Pool[K, T]) await(ctx context.Context, m *making[T]) (*entry[T], error) {
	var late <-chan time.Time
	if _, ok := ctx.Deadline(); !ok {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-m.done:
		return m.entry, m.err
	case <-p.closing:
		return nil, p.closedError()
	case <-ctx.Done():
		return nil, p.noPool(fmt.Errorf("%w: %w", errPending, ended(ctx)))
	case <-late:
		return nil, p.noPool(fmt.Errorf("%w in %v: %w", errPending, patience, context.DeadlineExceeded))
	}
}

// ended returns the error of a context that has ended, with its cause if that
// says more.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == nil || errors.Is(err, cause) {
		return err
	}
	return fmt.Errorf("%w: %w", err, cause)
}

func (p *Pool[K, T]) noPool(why error) error {
	return fmt.Errorf("keyed %q: %w: %w", p.cfg.Name, ErrNoPool, why)
}

// create runs For, and is done with the key whatever comes of it.
func (p *Pool[K, T]) create(key K, m *making[T]) {
	var pool *connpool.Pool[T]
	err := errGoexit
	defer func() {
		if v := recover(); v != nil {
			err = &connpool.PanicError{Callback: "For", Value: v, Stack: debug.Stack()}
		}
		p.finish(key, m, pool, err)
	}()
	pool, err = p.open(p.cfg.For(key))
}

func (p *Pool[K, T]) open(cfg connpool.Config[T]) (*connpool.Pool[T], error) {
	cfg, err := p.fit(cfg)
	if err != nil {
		return nil, err
	}
	return connpool.New(cfg)
}

// finish puts a new pool into the table, and tells those who wait.
func (p *Pool[K, T]) finish(key K, m *making[T], pool *connpool.Pool[T], err error) {
	defer close(m.done)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.mu.making, key)
	switch {
	case err != nil:
		m.err = p.noPool(err)
	case p.mu.closed: // by now Shutdown waits for what is in leaving
		pool.Close()
		p.mu.leaving = append(p.mu.leaving, pool)
		m.err = p.closedError()
	default:
		if m.retire {
			pool.Retire()
		}
		m.entry = &entry[T]{pool: pool, busyAt: p.now()}
		m.entry.use.Store(touched)
		p.keys.insert(key, m.entry)
		p.mu.made++
		p.armLocked()
	}
}
