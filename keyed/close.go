package keyed

import (
	"context"
	"fmt"

	"github.com/connpool/connpool"
)

// Retire replaces every connection of a key that is open or being opened now, as
// connpool.Pool.Retire does. For is not asked again: what may change (an address, a
// password) is better read by Connect. For a key without a pool it does nothing. The
// closing goes on in the background: Settled waits for it.
func (p *Pool[K, T]) Retire(key K) {
	p.mu.Lock()
	if m := p.mu.making[key]; m != nil {
		m.retire = true
	}
	p.mu.Unlock()
	if e := p.keys.load(key); e != nil {
		e.pool.Retire()
	}
}

// RetireAll is Retire for every key.
func (p *Pool[K, T]) RetireAll() {
	p.mu.Lock()
	for _, m := range p.mu.making {
		m.retire = true
	}
	p.mu.Unlock()
	for _, e := range p.keys.all() {
		e.pool.Retire()
	}
}

// Settled waits until what was being closed, checked or reset in the pools of all
// keys has ended, as connpool.Pool.Settled does. If ctx ends first it returns an
// error that matches ctx's.
func (p *Pool[K, T]) Settled(ctx context.Context) error {
	for _, pool := range p.pools() {
		if err := pool.Settled(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Close closes the pools of all keys: acquires are refused, those who wait get
// connpool.ErrClosed, dials are cancelled, idle connections are closed, and leased
// ones close as they return. It does not wait for any of that; Shutdown does. It
// returns nil, and closing a closed Pool does nothing.
func (p *Pool[K, T]) Close() error {
	p.mu.Lock()
	if p.mu.closed {
		p.mu.Unlock()
		return nil
	}
	p.mu.closed = true
	close(p.closing)
	if p.mu.sweep != nil {
		p.mu.sweep.Stop()
	}
	p.mu.Unlock()
	for _, e := range p.keys.all() { // no key comes or goes any more
		e.pool.Close()
	}
	return nil
}

// Shutdown closes the Pool and waits until every lease of every key has ended,
// every connection is closed, and For has returned where it is running. If ctx
// ends first it returns an error that matches ctx's and lists the holders of the
// first few keys; the Pool is closed all the same, and Shutdown may be called
// again.
func (p *Pool[K, T]) Shutdown(ctx context.Context) error {
	if ctx == nil {
		panic("keyed: nil context: pass context.Background() if there is none")
	}
	p.Close()
	p.awaitSweep()
	left := p.awaitFor(ctx)
	for _, pool := range p.pools() {
		if err := pool.Shutdown(ctx); err != nil {
			left = append(left, err)
		}
	}
	return p.undrained(left)
}

// awaitSweep waits for a sweep that is under way: it may be about to close a pool.
func (p *Pool[K, T]) awaitSweep() {
	p.sweeping.Lock()
	defer p.sweeping.Unlock()
}

// awaitFor waits for the runs of For.
func (p *Pool[K, T]) awaitFor(ctx context.Context) (left []error) {
	for _, m := range p.makings() {
		select {
		case <-m.done:
		case <-ctx.Done():
			select {
			case <-m.done:
			default:
				left = append(left, fmt.Errorf("%w: %w", errPending, ended(ctx)))
			}
		}
	}
	return left
}

func (p *Pool[K, T]) makings() (all []*making[T]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.mu.making {
		all = append(all, m)
	}
	return all
}

// pools returns the pools of all keys, and those that leave.
func (p *Pool[K, T]) pools() (all []*connpool.Pool[T]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all = append(all, p.mu.leaving...)
	for _, e := range p.keys.all() {
		all = append(all, e.pool)
	}
	return all
}

// told is how many keys an error of Shutdown tells of.
const told = 5

func (p *Pool[K, T]) undrained(left []error) error {
	if len(left) == 0 {
		return nil
	}
	err := fmt.Errorf("keyed %q: %d keys not shut down: %w", p.cfg.Name, len(left), left[0])
	for _, more := range left[1:min(told, len(left))] {
		err = fmt.Errorf("%w; %w", err, more)
	}
	if len(left) > told {
		err = fmt.Errorf("%w; and %d more", err, len(left)-told)
	}
	return err
}
