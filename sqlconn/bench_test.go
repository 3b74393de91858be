package sqlconn_test

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/internal/duel"
	"github.com/connpool/connpool/internal/pgtest"
	"github.com/connpool/connpool/sqlconn"
)

const benchSize = 8

// configure sets up a plain handle as somebody does who has read its manual. As
// it comes, it keeps two idle connections and opens as many as are asked for.
func configure(db *sql.DB) {
	db.SetMaxOpenConns(benchSize)
	db.SetMaxIdleConns(benchSize)
}

func asItComes(*sql.DB) {}

// compare measures a plain handle and this package's, so many callers each.
func compare(b *testing.B, callers int, setup func(*sql.DB), prepare func(*sql.DB) (work func(), end func())) {
	server := pgtest.New(b, pgtest.Options{})
	plain := sql.OpenDB(pgConnector(b, server))
	setup(plain)
	pooled, _, err := sqlconn.Open(pgConnector(b, server), config{MaxSize: benchSize}, sqlconn.Options{StatementCache: 32})
	require.NoError(b, err)

	one, endOne := prepare(plain)
	other, endOther := prepare(pooled)
	fight(b, callers, one, other)
	endOne()
	endOther()
	require.NoError(b, plain.Close())
	require.NoError(b, pooled.Close())
}

func fight(b *testing.B, callers int, plain, pooled func()) {
	d := duel.New(callers, plain, pooled)
	for b.Loop() {
		d.Round()
	}
	r := d.Result()
	b.ReportMetric(r.One, "plain-ns/query")
	b.ReportMetric(r.Other, "sqlconn-ns/query")
	b.ReportMetric(r.Ratio, "sqlconn/plain")
	b.ReportMetric(0, "ns/op")
}

func query1(b *testing.B) func(*sql.DB) (work, end func()) {
	return func(db *sql.DB) (work, end func()) {
		return func() { selectOne(b, db.QueryRow("select 1")) }, func() {}
	}
}

func prepared(b *testing.B) func(*sql.DB) (work, end func()) {
	return func(db *sql.DB) (work, end func()) {
		stmt, err := db.Prepare("select $1::int")
		require.NoError(b, err)
		return func() { selectOne(b, stmt.QueryRow(1)) }, func() { require.NoError(b, stmt.Close()) }
	}
}

// Medians on two cores (Intel Xeon, go1.26.8, PostgreSQL on the same machine), which
// other programs kept busy, so that they differ by a fifth from run to run: ratios of
// 1.06 to 1.10 with one caller and of 0.86 to 1.35 with 8 and 64. See
// BenchmarkOwnCost for what the handles cost without a server.
func BenchmarkQueryBy8(b *testing.B)     { compare(b, 8, configure, query1(b)) }
func BenchmarkPreparedBy8(b *testing.B)  { compare(b, 8, configure, prepared(b)) }
func BenchmarkQuery(b *testing.B)        { compare(b, 1, configure, query1(b)) }
func BenchmarkQueryBy64(b *testing.B)    { compare(b, 64, configure, query1(b)) }
func BenchmarkPrepared(b *testing.B)     { compare(b, 1, configure, prepared(b)) }
func BenchmarkPreparedBy64(b *testing.B) { compare(b, 64, configure, prepared(b)) }

func BenchmarkQueryBy64AsItComes(b *testing.B)    { compare(b, 64, asItComes, query1(b)) }
func BenchmarkPreparedBy64AsItComes(b *testing.B) { compare(b, 64, asItComes, prepared(b)) }

func selectOne(b *testing.B, row *sql.Row) {
	var n int
	if err := row.Scan(&n); err != nil || n != 1 {
		b.Error(n, err)
	}
}
