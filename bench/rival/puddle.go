package rival

import (
	"context"

	"github.com/jackc/puddle/v2"
)

func puddleRival() Rival {
	const module = "github.com/jackc/puddle/v2"
	return Rival{Name: "puddle", Version: version(module), Kind: Fair, Bounded: true, New: newPuddle}
}

type puddlePool struct {
	*puddle.Pool[*Conn]
	min int
}

func newPuddle(s Setup) (Pool, error) {
	o := opener{dial: s.Dial}
	pool, err := puddle.NewPool(&puddle.Config[*Conn]{
		Constructor: o.open,
		Destructor:  func(*Conn) {},
		MaxSize:     int32(s.Max),
	})
	return puddlePool{pool, s.Min}, err
}

func (p puddlePool) Cycle(ctx context.Context, n int) error {
	for range n {
		res, err := p.Acquire(ctx)
		if err != nil {
			return err
		}
		res.Release()
	}
	return nil
}

func (p puddlePool) Use(ctx context.Context, hold func()) error {
	res, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	defer res.Release()
	hold()
	return nil
}

func (p puddlePool) Waits() uint64 { return uint64(p.Stat().EmptyAcquireCount()) }

func (p puddlePool) Fill(ctx context.Context) error {
	for range p.min {
		if err := p.CreateResource(ctx); err != nil {
			return err
		}
	}
	return nil
}
