package rival

import (
	"context"
	"errors"
	"sync/atomic"
)

func casRival() Rival {
	return Rival{
		Name: "two CAS",
		Kind: Floor,
		Note: "No pool: two compare-and-swaps on a word that nobody else uses. No pool that lends safely can do with less.",
		New:  func(s Setup) (Pool, error) { return &casPool{opener{dial: s.Dial}}, nil },
	}
}

type casPool struct{ opener }

var errTaken = errors.New("rival: somebody else has changed the word")

func (p *casPool) Cycle(_ context.Context, n int) error {
	var word atomic.Uint64
	for range n {
		if !word.CompareAndSwap(0, 1) || !word.CompareAndSwap(1, 0) {
			return errTaken
		}
	}
	return nil
}

func (p *casPool) Use(ctx context.Context, hold func()) error {
	if _, err := p.open(ctx); err != nil {
		return err
	}
	hold()
	return p.Cycle(ctx, 1)
}

func (p *casPool) Close() {}
