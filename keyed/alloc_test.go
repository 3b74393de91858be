//go:build !race

package keyed

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnAcquireOnAKnownKeyAllocatesNothing(t *testing.T) {
	p, _ := newPool(t, nil)
	ctx := context.Background()
	keys := []string{"a", "b", "c"}
	work := func(context.Context, *fakeConn) error { return nil }
	for _, key := range keys {
		acquire(t, p, key).Release()
	}
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		for _, key := range keys {
			lease, err := p.Acquire(ctx, key)
			if err != nil {
				t.Error(err)
			}
			lease.Release()
			if err := p.Do(ctx, key, work); err != nil {
				t.Error(err)
			}
		}
	}))
}
