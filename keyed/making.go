package keyed

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/internal/redact"
)

// ErrNoPool is matched by the error of an acquire for whose key For has described
// no pool: it returned an error, which is matched too, or a Config that was
// refused, or it panicked, or called runtime.Goexit, or has not returned.
var ErrNoPool = errors.New("no pool for the key")

var (
	errGoexit  = errors.New("For called runtime.Goexit")
	errPending = errors.New("For has not returned")
	errCrowded = fmt.Errorf("For has not been asked: %d other runs of it have not returned", forsAtOnce)
	errUnequal = errors.New("the key does not equal itself, so it could never be found again")
)

// patience is how long callers without a deadline wait for For: as long as they
// would wait for a connection.
const patience = 30 * time.Second

// forsAtOnce is how many runs of For may be under way at once, each on a goroutine
// of its own that a For which hangs keeps: some 8 MB in all. It is far above what a
// For needs that takes its time, since one that asks the Pool for another key needs
// two.
const forsAtOnce = 1000

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
	late, stop := lateness(ctx)
	defer stop()
	e, m, err := p.join(key, false)
	if e == nil && m == nil && err == nil {
		if err := p.await(ctx, late, p.turns, errCrowded); err != nil {
			return nil, err
		}
		e, m, err = p.join(key, true)
	}
	if m == nil {
		return e, err
	}
	if err := p.await(ctx, late, m.done, errPending); err != nil {
		return nil, err
	}
	return m.entry, m.err
}

// join returns the key's pool, or what is being made for it, or neither. A caller
// that has a turn begins to make it then; a turn that it does not need goes back.
func (p *Pool[K, T]) join(key K, turn bool) (e *entry[T], m *making[T], err error) {
	defer func() {
		if turn {
			p.turns <- struct{}{}
		}
	}()
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
	m = p.mu.making[key]
	if m == nil && turn {
		m = &making[T]{done: make(chan struct{})}
		p.mu.making[key] = m
		turn = false // it is create's
		go p.create(key, m)
	}
	return nil, m, nil
}

// lateness tells a caller whose context has no deadline when to give up.
func lateness(ctx context.Context) (late <-chan time.Time, stop func()) {
	if _, ok := ctx.Deadline(); ok {
		return nil, func() {}
	}
	timer := time.NewTimer(patience)
	return timer.C, func() { timer.Stop() }
}

// await waits for a turn or for For, as long as the context allows.
func (p *Pool[K, T]) await(ctx context.Context, late <-chan time.Time, what <-chan struct{}, without error) error {
	select {
	case <-what:
		return nil
	default:
	}
	select {
	case <-what:
		return nil
	case <-p.closing:
		return p.closedError()
	case <-ctx.Done():
		return p.noPool(fmt.Errorf("%w: %w", without, ended(ctx)))
	case <-late:
		return p.noPool(fmt.Errorf("%w in %v: %w", without, patience, context.DeadlineExceeded))
	}
}

// ended returns the error of a context that has ended, with its cause if that
// says more.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == nil || errors.Is(err, cause) {
		return err
	}
	return fmt.Errorf("%w: %w", err, &foreign{cause})
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
		p.turns <- struct{}{}
	}()
	cfg, refused := p.cfg.For(key)
	if refused != nil {
		err = &foreign{refused}
		return
	}
	pool, err = p.open(cfg)
}

func (p *Pool[K, T]) open(cfg connpool.Config[T]) (*connpool.Pool[T], error) {
	cfg, err := p.fit(cfg)
	if err != nil {
		return nil, err
	}
	return connpool.New(cfg)
}

// foreign is an error of the user's, such as what For says to a key, in one line and
// without secrets.
type foreign struct{ error }

func (f *foreign) Error() string { return redact.Line(f.error) }
func (f *foreign) Unwrap() error { return f.error }

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
