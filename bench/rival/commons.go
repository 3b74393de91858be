package rival

import (
	"context"

	commons "github.com/jolestar/go-commons-pool/v2"
)

func commonsRival() Rival {
	const module = "github.com/jolestar/go-commons-pool/v2"
	return Rival{
		Name:    "go-commons-pool",
		Version: version(module),
		Kind:    Unfair,
		Note: "Those who wait stand in a queue, but who comes by when a connection has just been returned takes it: under load " +
			"whoever has had one has the next, too, and the others starve.",
		Bounded: true,
		New:     newCommons,
	}
}

type commonsPool struct{ pool *commons.ObjectPool }

func newCommons(s Setup) (Pool, error) {
	o := opener{dial: s.Dial}
	cfg := commons.NewDefaultPoolConfig()
	cfg.MaxTotal, cfg.MaxIdle, cfg.MinIdle = s.Max, s.Max, s.Min
	create := func(ctx context.Context) (any, error) { return o.open(ctx) }
	return commonsPool{commons.NewObjectPool(context.Background(), commons.NewPooledObjectFactorySimple(create), cfg)}, nil
}

func (p commonsPool) Cycle(ctx context.Context, n int) error {
	for range n {
		conn, err := p.pool.BorrowObject(ctx)
		if err != nil {
			return err
		}
		if err := p.pool.ReturnObject(ctx, conn); err != nil {
			return err
		}
	}
	return nil
}

func (p commonsPool) Use(ctx context.Context, hold func()) error {
	conn, err := p.pool.BorrowObject(ctx)
	if err != nil {
		return err
	}
	defer p.pool.ReturnObject(ctx, conn)
	hold()
	return nil
}

func (p commonsPool) Fill(ctx context.Context) error {
	p.pool.PreparePool(ctx)
	return nil
}

func (p commonsPool) Close() { p.pool.Close(context.Background()) }
