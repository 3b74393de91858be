package pool

import (
	"context"

	"github.com/jackc/puddle/v2"
)

type puddlePool struct{ *puddle.Pool[*Conn] }

func openPuddle(f *Factory) (Pool, error) {
	p, err := puddle.NewPool(&puddle.Config[*Conn]{
		Constructor: f.dial,
		Destructor:  func(c *Conn) { _ = f.close(c) }, // it has no way to say so
		MaxSize:     int32(f.setup.Max),
	})
	return puddlePool{p}, err
}

func (p puddlePool) Acquire(ctx context.Context) (Lease, error) {
	res, err := p.Pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	return puddleLease{res}, nil
}

func (p puddlePool) Size() int { return int(p.Stat().TotalResources()) }
func (p puddlePool) Retire()   { p.Reset() }

type puddleLease struct{ *puddle.Resource[*Conn] }

func (l puddleLease) Conn() (*Conn, error) { return l.Value(), nil }
func (l puddleLease) Discard()             { l.Destroy() }
