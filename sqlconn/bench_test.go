package sqlconn_test

import (
	"database/sql"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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

// duel measures a plain handle and this package's. They take turns, some
// milliseconds each, so that whatever else the machine does happens to both; what
// is reported are medians.
func duel(b *testing.B, setup func(*sql.DB), prepare func(*sql.DB) (work func(), end func())) {
	server := pgtest.New(b, pgtest.Options{})
	plain := sql.OpenDB(pgConnector(b, server))
	setup(plain)
	pooled, _, err := sqlconn.Open(pgConnector(b, server), config{MaxSize: benchSize}, sqlconn.Options{StatementCache: 32})
	require.NoError(b, err)

	one, endOne := prepare(plain)
	other, endOther := prepare(pooled)
	one()
	other()
	var times, otherTimes, ratios []float64
	for b.Loop() {
		t, u := timed(one), timed(other)
		times, otherTimes, ratios = append(times, t), append(otherTimes, u), append(ratios, u/t)
	}
	b.ReportMetric(median(times), "plain-ns/query")
	b.ReportMetric(median(otherTimes), "sqlconn-ns/query")
	b.ReportMetric(median(ratios), "sqlconn/plain")
	b.ReportMetric(0, "ns/op")
	endOne()
	endOther()
	require.NoError(b, plain.Close())
	require.NoError(b, pooled.Close())
}

const slice = 512 // queries a turn

func timed(work func()) float64 {
	began := time.Now()
	work()
	return float64(time.Since(began)) / slice
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// by has a slice of work done by so many callers.
func by(callers int, work func()) func() {
	return func() {
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				for range slice / callers {
					work()
				}
			})
		}
		all.Wait()
	}
}

func query1(b *testing.B, callers int) func(*sql.DB) (work, end func()) {
	return func(db *sql.DB) (work, end func()) {
		return by(callers, func() { selectOne(b, db.QueryRow("select 1")) }), func() {}
	}
}

func prepared(b *testing.B, callers int) func(*sql.DB) (work, end func()) {
	return func(db *sql.DB) (work, end func()) {
		stmt, err := db.Prepare("select $1::int")
		require.NoError(b, err)
		return by(callers, func() { selectOne(b, stmt.QueryRow(1)) }), func() { require.NoError(b, stmt.Close()) }
	}
}

// Medians on two cores (AMD EPYC, go1.26.8, PostgreSQL on the same machine, which
// had other work to do), in microseconds a query:
//
//	                          plain   sqlconn   ratio
//	Query                        39        41    1.04 to 1.08
//	QueryBy64                 20-39     25-50    1.2 to 1.5
//	Prepared                     38        41    1.07 to 1.12
//	PreparedBy64              25-47     31-50    1.2 to 1.35
//	QueryBy64AsItComes          600        45    0.08
//	PreparedBy64AsItComes       800        56    0.08
//
// With LeakStacks: connpool.StacksNever and AcquireTimeout: -1 the ratios of
// QueryBy64 and PreparedBy64 are 1.09 and 1.16: a caller that waits has its stack
// captured. Without a server, a query costs 0.4 us of a plain handle and 1.6 us of
// this one, most of the difference in database/sql, which makes and unmakes a
// connection of its own each time.
func BenchmarkQuery(b *testing.B)        { duel(b, configure, query1(b, 1)) }
func BenchmarkQueryBy64(b *testing.B)    { duel(b, configure, query1(b, 64)) }
func BenchmarkPrepared(b *testing.B)     { duel(b, configure, prepared(b, 1)) }
func BenchmarkPreparedBy64(b *testing.B) { duel(b, configure, prepared(b, 64)) }

func BenchmarkQueryBy64AsItComes(b *testing.B)    { duel(b, asItComes, query1(b, 64)) }
func BenchmarkPreparedBy64AsItComes(b *testing.B) { duel(b, asItComes, prepared(b, 64)) }

func selectOne(b *testing.B, row *sql.Row) {
	var n int
	if err := row.Scan(&n); err != nil || n != 1 {
		b.Error(n, err)
	}
}
