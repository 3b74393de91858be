package rival

import (
	"context"
	"sync/atomic"
)

// opener opens the no-op connections of one pool.
type opener struct {
	dial   func(context.Context) error
	opened atomic.Int64
}

func (o *opener) open(ctx context.Context) (*Conn, error) {
	if o.dial != nil {
		if err := o.dial(ctx); err != nil {
			return nil, err
		}
	}
	return &Conn{Serial: o.opened.Add(1)}, nil
}
