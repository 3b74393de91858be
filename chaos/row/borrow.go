package row

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/connpool/connpool/chaos/row/pool"
)

// tried is a pool on trial, and what every scenario does with one.
type tried struct {
	*pool.Opened
	t *Trial
}

// open opens the pool on trial, and closes it in the end.
func (t *Trial) open(s pool.Setup) *tried {
	if t.Kind == pool.Pgxpool {
		s.DSN = t.postgres(map[string]string{"max_connections": "150"}).DSN()
	}
	opened, err := pool.Open(t.Kind, s)
	t.Must(err, "opening the pool")
	p := &tried{opened, t}
	t.Cleanup(p.shut)
	return p
}

// shut closes the pool. How is the business of the scenarios about closing; here
// only ours has to be clean about it.
func (p *tried) shut() {
	if own := p.Own(); own != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
		defer cancel()
		p.t.Must(own.Shutdown(ctx), "shutting down")
		p.requireBalanced(own.Stats().Hijacks)
		return
	}
	go p.Close() // it may hang, and ends with the process
}

// requireBalanced checks that what was opened has been closed. What abandoned
// callbacks come back with is closed a moment later.
func (p *tried) requireBalanced(hijacked uint64) {
	balanced := await(patience, func() bool { return p.Opens.Load() == p.Closes.Load()+int64(hijacked) })
	p.t.Require(balanced, "%d opened, %d closed, %d hijacked", p.Opens.Load(), p.Closes.Load(), hijacked)
}

// take borrows with a deadline. What does not return by then, and a while, is
// stuck; a panic or an end of the goroutine is an error as well.
func (p *tried) take(patience time.Duration) (pool.Lease, error) {
	ctx, cancel := context.WithTimeout(p.t.ctx, patience)
	defer cancel()
	return p.takeWith(ctx)
}

func (p *tried) takeWith(ctx context.Context) (lease pool.Lease, err error) {
	var got pool.Lease
	var refused error
	if err := p.t.Bounded(func() { got, refused = p.Acquire(ctx) }); err != nil {
		return nil, err
	}
	return got, refused
}

// must borrows, or ends the scenario.
func (p *tried) must(what string) pool.Lease {
	lease, err := p.take(patience)
	if err != nil {
		p.t.Abortf("%s: %v", what, short(err))
	}
	return lease
}

// conn returns a lease's connection, and as an error what the pool had to say
// against it.
func conn(lease pool.Lease) (c *pool.Conn, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicError{p}
		}
	}()
	return lease.Conn()
}

// quietly calls f and returns its panic as an error.
func quietly(f func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicError{p}
		}
	}()
	f()
	return nil
}

// requireCapacity checks that n connections can be borrowed at once, no two of
// them the same, and returns them all.
func (p *tried) requireCapacity(n int) {
	held := make(map[*pool.Conn]bool)
	var leases []pool.Lease
	var err error
	for range n {
		var lease pool.Lease
		if lease, err = p.take(patience / 2); err != nil {
			break
		}
		leases = append(leases, lease)
		c, connErr := conn(lease)
		p.t.Require(connErr == nil && !held[c], "one connection lent to two")
		held[c] = true
	}
	for _, lease := range leases {
		lease.Release()
	}
	p.t.Sawf("capacity %d/%d", len(leases), n)
	if err != nil {
		p.t.Faultf("slot lost: %v", short(err))
	}
}

// fill opens n connections and leaves them idle.
func (p *tried) fill(n int) {
	leases := make([]pool.Lease, n)
	for i := range leases {
		leases[i] = p.must("filling the pool")
	}
	for _, lease := range leases {
		lease.Release()
	}
}

// calls are what several callers at once got.
type calls struct {
	ok, failed, stuck int
	longest           time.Duration
	last              error
}

// crowd has n callers at once borrow with a deadline and return what they got
// after a while.
func (p *tried) crowd(n int, deadline, hold time.Duration) (c calls) {
	var mu sync.Mutex
	var callers sync.WaitGroup
	for range n {
		callers.Go(func() {
			began := time.Now()
			lease, err := p.take(deadline)
			waited := time.Since(began)
			if err == nil {
				time.Sleep(hold)
				lease.Release()
			}
			mu.Lock()
			defer mu.Unlock()
			c.note(waited, err)
		})
	}
	callers.Wait()
	return c
}

func (c *calls) note(waited time.Duration, err error) {
	c.longest = max(c.longest, waited)
	switch {
	case err == nil:
		c.ok++
		return
	case errors.Is(err, errStuck):
		c.stuck++
	default:
		c.failed++
	}
	c.last = err
}

// await waits until a condition holds, and reports whether it came to be.
func await(patience time.Duration, condition func() bool) bool {
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}
