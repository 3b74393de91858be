package pgxconn_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/pgxconn"
)

func TestABeforeCloseThatDoesNotReturnClosesAllTheSame(t *testing.T) {
	for how, fail := range failures {
		if how == "returns an error" {
			continue
		}
		t.Run(how, func(t *testing.T) {
			var calls atomic.Int64
			pool, server := startPool(t, size(2), keepingSockets(), func(c *config) {
				c.BeforeClose = func(*pgx.Conn) { calls.Add(1); _ = fail() }
			})
			w := watch(t, server)
			fill(t, pool, 2)
			pool.Reset()
			await(t, func() bool { return w.sessions() == 0 })
			require.EqualValues(t, 2, calls.Load())
			requireWhole(t, pool)
		})
	}
}

func TestABeforeCloseThatHangsHoldsItsSlotUntilCloseTimeout(t *testing.T) {
	hang := make(chan struct{})
	var calls atomic.Int64
	pool, server := startPool(t, size(1), tuned(func(s *settings) { s.CloseTimeout = 50 * time.Millisecond }), func(c *config) {
		c.BeforeClose = func(*pgx.Conn) {
			if calls.Add(1) == 1 {
				<-hang
			}
		}
	})
	first := pid(t, pool)
	pool.Reset()
	require.NotEqual(t, first, pid(t, pool))
	close(hang)
	w := watch(t, server)
	await(t, func() bool { return !w.sees(uint32(first)) })
}

func TestCloseWakesThoseWhoWait(t *testing.T) {
	pool, _ := startPool(t, size(1))
	held := acquire(t, pool)
	failed := make(chan error, 3)
	for range 3 {
		go func() { failed <- pool.Ping(patient(t)) }()
	}
	await(t, func() bool { return pool.Connpool().Stats().Waiting == 3 })
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		pool.Close()
	}()
	for range 3 {
		require.ErrorIs(t, <-failed, connpool.ErrClosed)
	}
	require.Equal(t, 1, ask[int](t, held, "select 1"), "who has a connection may go on")
	held.Release()
	<-closed
	require.Zero(t, pool.Stat().TotalConns())
}

func TestCloseLeavesNoSession(t *testing.T) {
	pool, server := startPool(t, size(4))
	w := watch(t, server)
	fill(t, pool, 4)
	require.Equal(t, 4, w.sessions())
	pool.Close()
	pool.Close()
	await(t, func() bool { return w.sessions() == 0 })
}

func TestNobodyReachesAConnectionThatIsReleased(t *testing.T) {
	pool, _ := startPool(t, size(1))
	ctx := patient(t)
	c := acquire(t, pool)
	c.Release()
	other := acquire(t, pool)
	defer other.Release()
	for name, use := range map[string]func(){
		"Conn":      func() { c.Conn() },
		"Exec":      func() { _, _ = c.Exec(ctx, "select 1") },
		"Query":     func() { _, _ = c.Query(ctx, "select 1") },
		"QueryRow":  func() { c.QueryRow(ctx, "select 1") },
		"SendBatch": func() { c.SendBatch(ctx, batch("select 1")) },
		"CopyFrom":  func() { _, _ = c.CopyFrom(ctx, nil, nil, nil) },
		"Begin":     func() { _, _ = c.Begin(ctx) },
		"BeginTx":   func() { _, _ = c.BeginTx(ctx, pgx.TxOptions{}) },
		"Ping":      func() { _ = c.Ping(ctx) },
	} {
		require.PanicsWithValue(t, `connpool "postgres": Lease.Conn after the lease has ended: the connection may be in another's hands`, use, name)
	}
	require.PanicsWithValue(t, "pgxconn: Conn.Hijack after Release or Hijack", func() { c.Hijack() })
	require.False(t, other.Conn().PgConn().IsBusy())
}

func TestNobodyReachesAConnectionThroughWhatIsOver(t *testing.T) {
	pool, _ := startPool(t, size(1))
	tx, err := pool.Begin(patient(t))
	require.NoError(t, err)
	require.IsType(t, &pgxconn.Tx{}, tx)
	require.NotNil(t, tx.Conn())
	require.NoError(t, tx.Rollback(patient(t)))
	require.Panics(t, func() { tx.Conn() })

	rows, err := pool.Query(patient(t), "select 1")
	require.NoError(t, err)
	require.NotNil(t, rows.Conn())
	rows.Close()
	require.Nil(t, rows.Conn())
	other := acquire(t, pool)
	defer other.Release()
	theirs, err := other.Query(patient(t), "select generate_series(1, 3)")
	require.NoError(t, err)
	rows.Close()
	require.False(t, rows.Next())
	require.Error(t, rows.Scan(new(int)))
	list, err := pgx.CollectRows(theirs, pgx.RowTo[int])
	require.NoError(t, err)
	require.Equal(t, []int{1, 2, 3}, list)
}

func TestOfManyReleasesOneCounts(t *testing.T) {
	pool, _ := startPool(t, size(2))
	for range 100 {
		c := acquire(t, pool)
		var all sync.WaitGroup
		for range 4 {
			all.Go(c.Release)
		}
		all.Wait()
		require.Zero(t, pool.Stat().AcquiredConns())
	}
	stats := pool.Connpool().Stats()
	require.EqualValues(t, 100, stats.Acquires)
	require.Zero(t, stats.StaleReleases)
	requireWhole(t, pool)
}

func TestOfAReleaseAndAHijackAtOnceOneCounts(t *testing.T) {
	pool, _ := startPool(t, size(2))
	var hijacked atomic.Int64
	for range 50 {
		c := acquire(t, pool)
		var all sync.WaitGroup
		all.Go(c.Release)
		all.Go(func() {
			defer func() { _ = recover() }()
			own := c.Hijack()
			hijacked.Add(1)
			_ = own.Close(context.Background())
		})
		all.Wait()
	}
	require.EqualValues(t, hijacked.Load(), pool.Connpool().Stats().Hijacks)
	requireWhole(t, pool)
}
