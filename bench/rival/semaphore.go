package rival

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

func semaphoreRival() Rival {
	const module = "golang.org/x/sync"
	return Rival{
		Name:    "mutex + semaphore",
		Version: version(module),
		Kind:    Fair,
		Note:    "A slice under a mutex behind x/sync's weighted semaphore. Also often written by hand.",
		Bounded: true,
		New:     newSemaphore,
	}
}

type semaphorePool struct {
	opener
	permits *semaphore.Weighted
	mu      sync.Mutex
	idle    []*Conn
}

func newSemaphore(s Setup) (Pool, error) {
	return &semaphorePool{opener: opener{dial: s.Dial}, permits: semaphore.NewWeighted(int64(s.Max))}, nil
}

func (p *semaphorePool) borrow(ctx context.Context) (*Conn, error) {
	if err := p.permits.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	if conn := p.pop(); conn != nil {
		return conn, nil
	}
	conn, err := p.open(ctx)
	if err != nil {
		p.permits.Release(1)
	}
	return conn, err
}

func (p *semaphorePool) pop() *Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.idle) - 1
	if last < 0 {
		return nil
	}
	conn := p.idle[last]
	p.idle = p.idle[:last]
	return conn
}

func (p *semaphorePool) giveBack(conn *Conn) {
	p.mu.Lock()
	p.idle = append(p.idle, conn)
	p.mu.Unlock()
	p.permits.Release(1)
}

func (p *semaphorePool) Cycle(ctx context.Context, n int) error {
	for range n {
		conn, err := p.borrow(ctx)
		if err != nil {
			return err
		}
		p.giveBack(conn)
	}
	return nil
}

func (p *semaphorePool) Use(ctx context.Context, hold func()) error {
	conn, err := p.borrow(ctx)
	if err != nil {
		return err
	}
	defer p.giveBack(conn)
	hold()
	return nil
}

func (p *semaphorePool) Close() {}
