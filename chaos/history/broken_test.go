package history

import (
	"context"
	"slices"
	"sync"

	"github.com/connpool/connpool"
)

// broken is a pool under one lock, broken on purpose. It shows that the checks
// of this package can fail.
type broken struct {
	size     int
	twice    int  // every so many hand-outs of a returned connection, it stays on offer
	oversize bool // a discard frees its place twice
	lastIn   bool // the queue is a stack

	mu struct {
		sync.Mutex
		opened   int64
		open     int
		handouts int
		idle     []*conn
		queue    []chan *conn
	}
}

func (p *broken) waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.mu.queue)
}

func (p *broken) try(context.Context) (lease, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.takeLocked(); c != nil {
		return &brokenLease{p, c}, nil
	}
	return nil, connpool.ErrNoneIdle
}

func (p *broken) acquire(ctx context.Context) (lease, error) {
	p.mu.Lock()
	if c := p.takeLocked(); c != nil {
		p.mu.Unlock()
		return &brokenLease{p, c}, nil
	}
	mine := make(chan *conn, 1)
	p.mu.queue = append(p.mu.queue, mine)
	p.mu.Unlock()
	select {
	case c := <-mine:
		return &brokenLease{p, c}, nil
	case <-ctx.Done():
	}
	p.leave(mine)
	return nil, ctx.Err()
}

// leave takes a waiter out of the queue, and passes on what it has just got.
func (p *broken) leave(mine chan *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.queue = slices.DeleteFunc(p.mu.queue, func(c chan *conn) bool { return c == mine })
	select {
	case c := <-mine:
		p.offerLocked(c)
	default:
	}
}

// takeLocked returns an idle or a new connection, or nil.
func (p *broken) takeLocked() *conn {
	if n := len(p.mu.idle); n > 0 {
		c := p.mu.idle[n-1]
		if p.mu.handouts++; p.twice == 0 || p.mu.handouts%p.twice != 0 {
			p.mu.idle = p.mu.idle[:n-1]
		}
		return c
	}
	if p.mu.open == p.size {
		return nil
	}
	p.mu.open++
	p.mu.opened++
	return &conn{id: p.mu.opened}
}

// offerLocked gives a connection to whoever is next, or keeps it.
func (p *broken) offerLocked(c *conn) {
	n := len(p.mu.queue)
	if n == 0 {
		p.mu.idle = append(p.mu.idle, c)
		return
	}
	next := 0
	if p.lastIn {
		next = n - 1
	}
	p.mu.queue[next] <- c
	p.mu.queue = slices.Delete(p.mu.queue, next, next+1)
}

type brokenLease struct {
	pool *broken
	conn *conn
}

func (l *brokenLease) Conn() *conn { return l.conn }

func (l *brokenLease) Release() {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	l.pool.offerLocked(l.conn)
}

func (l *brokenLease) Discard(error) {
	p := l.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.open--
	if p.oversize {
		p.mu.open = max(0, p.mu.open-1)
	}
	if c := p.takeLocked(); c != nil {
		p.offerLocked(c)
	}
}
