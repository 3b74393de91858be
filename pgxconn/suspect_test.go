package pgxconn_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/pgxconn"
)

// One connection that is found dead makes the others suspect. That shows where
// their sockets cannot be seen.
func TestAfterAKillOneUserFailsAndTheOthersConnectionsAreChecked(t *testing.T) {
	server := start(t, nil)
	for name, work := range map[string]func(*testing.T, *pgxconn.Pool) error{
		"Exec": func(t *testing.T, p *pgxconn.Pool) error { _, err := p.Exec(patient(t), "select 1"); return err },
		"Query": func(t *testing.T, p *pgxconn.Pool) error {
			rows, _ := p.Query(patient(t), "select 1")
			_, err := pgx.CollectRows(rows, pgx.RowTo[int])
			return err
		},
		"QueryRow":  func(t *testing.T, p *pgxconn.Pool) error { return p.QueryRow(patient(t), "select 1").Scan(new(int)) },
		"SendBatch": func(t *testing.T, p *pgxconn.Pool) error { return p.SendBatch(patient(t), batch("select 1")).Close() },
		"Begin":     func(t *testing.T, p *pgxconn.Pool) error { _, err := p.Begin(patient(t)); return err },
		"Ping":      func(t *testing.T, p *pgxconn.Pool) error { return p.Ping(patient(t)) },
		"CopyFrom": func(t *testing.T, p *pgxconn.Pool) error {
			_, err := p.CopyFrom(patient(t), pgx.Identifier{"pg_class"}, []string{"relname"}, pgx.CopyFromRows(nil))
			return err
		},
		"AcquireFunc": func(t *testing.T, p *pgxconn.Pool) error {
			return p.AcquireFunc(patient(t), func(c *pgxconn.Conn) error { return c.Ping(patient(t)) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			const n = 4
			var pings atomic.Int64
			pool := open(t, server.DSN(), size(n), dialing(hide), withoutPings, countingPings(&pings))
			fill(t, pool, n)
			require.NoError(t, server.Kill())
			require.NoError(t, server.Restart(patient(t)))
			require.Error(t, work(t, pool))
			for range 2 * n {
				require.Equal(t, 42, ask[int](t, pool, "select 42"))
			}
			require.NotZero(t, pings.Load())
			requireWhole(t, pool)
		})
	}
}

func TestWhatTheServerRefusesCastsNoSuspicion(t *testing.T) {
	var pings atomic.Int64
	pool, _ := startPool(t, size(2), withoutPings, countingPings(&pings))
	fill(t, pool, 2)
	ctx := patient(t)
	_, err := pool.Exec(ctx, "create table one (n int primary key)")
	require.NoError(t, err)
	for range 2 {
		_, err = pool.Exec(ctx, "insert into one values (1)")
	}
	require.ErrorContains(t, err, "23505")
	require.ErrorIs(t, pool.QueryRow(ctx, "select 1 where false").Scan(new(int)), pgx.ErrNoRows)
	require.Error(t, pool.QueryRow(ctx, "select 'x'").Scan(new(int)))
	requireWhole(t, pool)
	require.Zero(t, pings.Load())
	require.EqualValues(t, 2, pool.Stat().NewConnsCount())
}

func TestACancelledQueryCostsItsConnectionAndCastsNoSuspicion(t *testing.T) {
	const sleep = "select pg_sleep(3600)"
	for name, work := range map[string]func(context.Context, *pgxconn.Pool) error{
		"alone": func(ctx context.Context, pool *pgxconn.Pool) error {
			_, err := pool.Exec(ctx, sleep)
			return err
		},
		"in a transaction": func(ctx context.Context, pool *pgxconn.Pool) error {
			tx, err := pool.Begin(ctx)
			if err != nil {
				return err
			}
			defer tx.Rollback(context.Background())
			_, err = tx.Exec(ctx, sleep)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) { requireOneReconnectEach(t, work) })
	}
}

func requireOneReconnectEach(t *testing.T, work func(context.Context, *pgxconn.Pool) error) {
	const n, rounds = 3, 5
	var pings atomic.Int64
	pool, server := startPool(t, size(n), withoutPings, countingPings(&pings))
	w := watch(t, server)
	fill(t, pool, n)
	for range rounds {
		ctx, cancel := context.WithCancel(patient(t))
		failed := make(chan error, 1)
		go func() { failed <- work(ctx, pool) }()
		await(t, w.asleep)
		cancel()
		require.ErrorIs(t, <-failed, context.Canceled)
		await(t, func() bool { return pool.Stat().AcquiredConns() == 0 })
		require.False(t, w.asleep(), "the query is over when the slot is free")
	}
	requireWhole(t, pool)
	require.Zero(t, pings.Load())
	require.LessOrEqual(t, pool.Stat().NewConnsCount(), int64(n+rounds))
	closes := pool.Connpool().Stats().Closes
	require.EqualValues(t, rounds, closes[connpool.ClosedDiscarded]+closes[connpool.ClosedClean])
	require.Len(t, closes, 1)
}

// Nobody has seen the server's farewell when the query is sent.
func TestASessionThatEndsInTheMiddleOfItsWorkIsDiscarded(t *testing.T) {
	pool, _ := startPool(t, size(2), withoutPings)
	fill(t, pool, 2)
	_, err := pool.Exec(patient(t), "select pg_terminate_backend(pg_backend_pid())")
	var farewell *pgconn.PgError
	require.ErrorAs(t, err, &farewell)
	require.Equal(t, "57P01", farewell.Code)
	requireWhole(t, pool)
	require.EqualValues(t, 1, pool.Connpool().Stats().Closes[connpool.ClosedDiscarded])
}

func TestAServerThatIsDownIsSaidToBeSo(t *testing.T) {
	pool, server := startPool(t, size(2), hasty)
	fill(t, pool, 2)
	require.NoError(t, server.Shutdown())
	await(t, func() bool {
		var failed *connpool.AcquireError
		err := pool.Ping(within(t, time.Second))
		return errors.As(err, &failed) && failed.Stage == connpool.StageConnect
	})
	require.NoError(t, server.Restart(patient(t)))
	await(t, func() bool { return pool.Ping(patient(t)) == nil })
	requireWhole(t, pool)
}
