package rival

import (
	"context"
	"runtime"
	"sync"
)

func syncPoolRival() Rival {
	return Rival{
		Name:    "sync.Pool",
		Version: runtime.Version(),
		Kind:    Floor,
		Note:    "No connection pool: it bounds nothing, makes nobody wait and drops what it likes. The floor to measure by.",
		New:     newSyncPool,
	}
}

type syncPool struct {
	opener
	pool sync.Pool
}

func newSyncPool(s Setup) (Pool, error) { return &syncPool{opener: opener{dial: s.Dial}}, nil }

func (p *syncPool) borrow(ctx context.Context) (*Conn, error) {
	if conn, ok := p.pool.Get().(*Conn); ok {
		return conn, nil
	}
	return p.open(ctx)
}

func (p *syncPool) Cycle(ctx context.Context, n int) error {
	for range n {
		conn, err := p.borrow(ctx)
		if err != nil {
			return err
		}
		p.pool.Put(conn)
	}
	return nil
}

func (p *syncPool) Use(ctx context.Context, hold func()) error {
	conn, err := p.borrow(ctx)
	if err != nil {
		return err
	}
	defer p.pool.Put(conn)
	hold()
	return nil
}

func (p *syncPool) Close() {}
