package pgxconn

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/internal/duel"
	"github.com/connpool/connpool/internal/pgtest"
)

const benchSize = 8

// both opens a pool of pgxpool's and one of ours, with the same connection
// string.
func both(b *testing.B, dsn string) (*pgxpool.Pool, *Pool) {
	theirConfig, err := pgxpool.ParseConfig(dsn)
	require.NoError(b, err)
	theirConfig.MaxConns = benchSize
	theirs, err := pgxpool.NewWithConfig(b.Context(), theirConfig)
	require.NoError(b, err)
	b.Cleanup(theirs.Close)

	ourConfig, err := ParseConfig(dsn)
	require.NoError(b, err)
	ourConfig.MaxConns = benchSize
	ours, err := NewWithConfig(b.Context(), ourConfig)
	require.NoError(b, err)
	b.Cleanup(ours.Close)
	return theirs, ours
}

type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func benchQueries(b *testing.B, dsn string, callers int) {
	theirs, ours := both(b, dsn)
	run(b, callers, selectOne(b, theirs), selectOne(b, ours))
}

func selectOne(b *testing.B, pool querier) func() {
	return func() {
		var n int
		if err := pool.QueryRow(b.Context(), "select 1").Scan(&n); err != nil || n != 1 {
			b.Error(n, err)
		}
	}
}

func run(b *testing.B, callers int, theirs, ours func()) {
	d := duel.New(callers, theirs, ours)
	for b.Loop() {
		d.Round()
	}
	r := d.Result()
	b.ReportMetric(r.One, "pgxpool-ns/op")
	b.ReportMetric(r.Other, "pgxconn-ns/op")
	b.ReportMetric(r.Ratio, "pgxconn/pgxpool")
	b.ReportMetric(r.OtherP99/r.OneP99, "p99/p99")
	b.ReportMetric(0, "ns/op")
}

// Medians on two cores (Intel Xeon, go1.26.8, PostgreSQL on the same machine, which
// had other work to do); ratios are of the time a query takes, ours to pgxpool's:
//
//	QueryRowBy1    17 µs     0.99 to 1.06
//	QueryRowBy8    19 µs     0.99 to 1.08
//	QueryRowBy64   18 µs     0.93 to 1.03
//	Borrow         0.46 µs   0.94
//
// Two pools of pgxpool's differ by as much. Half of Borrow is the duel's own two looks
// at the clock.
func BenchmarkQueryRowBy1(b *testing.B)  { benchPlain(b, 1) }
func BenchmarkQueryRowBy8(b *testing.B)  { benchPlain(b, 8) }
func BenchmarkQueryRowBy64(b *testing.B) { benchPlain(b, 64) }

func benchPlain(b *testing.B, callers int) {
	benchQueries(b, pgtest.New(b, pgtest.Options{}).DSN(), callers)
}

func BenchmarkQueryRowTLSBy8(b *testing.B) {
	benchQueries(b, pgtest.New(b, pgtest.Options{TLS: true}).TLSDSN(), 8)
}

// A borrow alone, without a query.
func BenchmarkBorrow(b *testing.B) {
	theirs, ours := both(b, pgtest.New(b, pgtest.Options{}).DSN())
	run(b, 1, func() {
		c, err := theirs.Acquire(b.Context())
		require.NoError(b, err)
		c.Release()
	}, func() {
		c, err := ours.Acquire(b.Context())
		require.NoError(b, err)
		c.Release()
	})
}
