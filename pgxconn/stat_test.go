package pgxconn_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStatCountsWhatPgxpoolsCounts(t *testing.T) {
	tellBoth(t, []story{
		{"acquires, waits, cancels and connections", func(p *twin) {
			count := func() {
				s := p.stat()
				p.note(s.AcquireCount(), s.CanceledAcquireCount(), s.NewConnsCount(),
					s.AcquiredConns(), s.IdleConns(), s.TotalConns(), s.MaxConns())
			}
			count()
			a := p.one()
			count()
			b := p.one()
			count()
			_, err := p.acquire(within(p, 20*time.Millisecond))
			p.cut(err)
			_, err = p.acquire(expired())
			p.cut(err)
			count()
			a.Release()
			b.Release()
			count()
			for range 3 {
				p.must(p.Ping(p.ctx))
			}
			count()
		}},
	})
}

// pgxpool's are of acquires that succeeded.
func TestEmptyAcquiresIncludeThoseThatFailed(t *testing.T) {
	pool, _ := startPool(t, size(1))
	held := acquireAll(t, pool, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := pool.Acquire(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.EqualValues(t, 2, pool.Stat().EmptyAcquireCount())
	require.GreaterOrEqual(t, pool.Stat().EmptyAcquireWaitTime(), 20*time.Millisecond)
	release(held...)
}

func TestStatAddsUp(t *testing.T) {
	pool, _ := startPool(t, size(4))
	held := acquireAll(t, pool, 3)
	held[0].Release()
	s := pool.Stat()
	require.EqualValues(t, 4, s.MaxConns())
	require.EqualValues(t, 2, s.AcquiredConns())
	require.Equal(t, s.TotalConns(), s.AcquiredConns()+s.IdleConns()+s.ConstructingConns())
	require.Positive(t, s.EmptyAcquireCount())
	require.Positive(t, s.EmptyAcquireWaitTime())
	require.Equal(t, s.EmptyAcquireWaitTime(), s.AcquireDuration(), "the others are not timed")
	release(held[1:]...)
	require.EqualValues(t, 2, s.AcquiredConns(), "a snapshot stays as it is")
}

func TestStatTellsWhyConnectionsWereClosed(t *testing.T) {
	aged, _ := startPool(t, size(1), func(c *config) { c.MaxConnLifetime, c.MaxConnIdleTime = 50*time.Millisecond, 0 })
	require.NoError(t, aged.Ping(patient(t)))
	await(t, func() bool { return aged.Stat().MaxLifetimeDestroyCount() == 1 })
	require.Zero(t, aged.Stat().MaxIdleDestroyCount())

	idle, _ := startPool(t, size(1), func(c *config) { c.MaxConnIdleTime = 50 * time.Millisecond })
	require.NoError(t, idle.Ping(patient(t)))
	await(t, func() bool { return idle.Stat().MaxIdleDestroyCount() == 1 })
	require.Zero(t, idle.Stat().MaxLifetimeDestroyCount())
}

func TestMinConnsAreOpenedAndKept(t *testing.T) {
	pool, server := startPool(t, size(4), func(c *config) { c.MinConns, c.MaxConnIdleTime = 2, 20*time.Millisecond })
	await(t, func() bool { return pool.Stat().IdleConns() == 2 })
	fill(t, pool, 4)
	await(t, func() bool { return pool.Stat().TotalConns() == 2 })
	watch(t, server).terminateIdle()
	requireWhole(t, pool)
	idle := open(t, server.DSN(), size(4), func(c *config) { c.MinIdleConns = 2 })
	a := acquire(t, idle)
	defer a.Release()
	await(t, func() bool { return idle.Stat().IdleConns() == 2 })
	require.EqualValues(t, 3, idle.Stat().TotalConns())
}
