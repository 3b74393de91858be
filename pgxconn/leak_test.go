package pgxconn_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/pgxconn"
)

// leaky is somebody who forgets to give connections back. Each method takes one
// in its first line, and returns what gives it back after all.
type leaky struct {
	*pgxconn.Pool
	t    *testing.T
	line int // where a connection was taken
}

func (l *leaky) here() {
	_, _, line, _ := runtime.Caller(1)
	l.line = line
}

func (l *leaky) row() func() {
	row := l.QueryRow(patient(l.t), "select 1")
	l.here()
	return func() { require.NoError(l.t, row.Scan(new(int))) }
}

func (l *leaky) rows() func() {
	rows, err := l.Query(patient(l.t), "select 1")
	l.here()
	require.NoError(l.t, err)
	return rows.Close
}

func (l *leaky) tx() func() {
	tx, err := l.Begin(patient(l.t))
	l.here()
	require.NoError(l.t, err)
	return func() { require.NoError(l.t, tx.Rollback(patient(l.t))) }
}

func (l *leaky) txWithOptions() func() {
	tx, err := l.BeginTx(patient(l.t), pgx.TxOptions{AccessMode: pgx.ReadOnly})
	l.here()
	require.NoError(l.t, err)
	return func() { require.NoError(l.t, tx.Rollback(patient(l.t))) }
}

func (l *leaky) results() func() {
	results := l.SendBatch(patient(l.t), batch("select 1"))
	l.here()
	return func() { require.NoError(l.t, results.Close()) }
}

func (l *leaky) batchesTx() func() {
	results := l.SendBatch(patient(l.t), transaction("select 1"))
	l.here()
	require.NoError(l.t, results.Close())
	return func() { require.NoError(l.t, results.Tx().Commit(patient(l.t))) }
}

func (l *leaky) conn() func() {
	c, err := l.Acquire(patient(l.t))
	l.here()
	require.NoError(l.t, err)
	return c.Release
}

func (l *leaky) idleConn() func() {
	all := l.AcquireAllIdle(patient(l.t))
	l.here()
	require.Len(l.t, all, 1)
	return all[0].Release
}

// Each takes its connection in the line before it says where it is.
var leaks = map[string]func(*leaky) func(){
	"row":           (*leaky).row,
	"rows":          (*leaky).rows,
	"tx":            (*leaky).tx,
	"txWithOptions": (*leaky).txWithOptions,
	"results":       (*leaky).results,
	"batchesTx":     (*leaky).batchesTx,
	"conn":          (*leaky).conn,
	"idleConn":      (*leaky).idleConn,
}

func (l *leaky) where(method string) string {
	return fmt.Sprintf("pgxconn_test.(*leaky).%s (leak_test.go:%d)", method, l.line-1)
}

func TestALeakIsReportedWithTheLineOfWhoTookTheConnection(t *testing.T) {
	for _, traced := range []bool{false, true} {
		found := make(chan connpool.Leak, 1)
		pool, _ := startPool(t, size(1), tuned(func(s *settings) {
			s.LeakThreshold = 20 * time.Millisecond
			s.OnLeak = func(l connpool.Leak) { found <- l }
		}), func(c *config) {
			if traced {
				c.ConnConfig.Tracer = &tracer{}
			}
		})
		require.NoError(t, pool.Ping(patient(t)))
		for name, leak := range leaks {
			l := &leaky{Pool: pool, t: t}
			giveBack := leak(l)
			report := <-found
			require.Equal(t, l.where(name), report.Caller)
			require.Contains(t, report.Stack, "leak_test.go")
			giveBack()
			require.Zero(t, pool.Stat().AcquiredConns())
		}
		require.EqualValues(t, len(leaks), pool.Connpool().Stats().Leaks)
	}
}

func TestWhoFindsNoneIsToldWhoHoldsThem(t *testing.T) {
	pool, _ := startPool(t, size(1))
	require.NoError(t, pool.Ping(patient(t)))
	for name, leak := range leaks {
		l := &leaky{Pool: pool, t: t}
		giveBack := leak(l)
		err := pool.Ping(within(t, 20*time.Millisecond))
		var failed *connpool.AcquireError
		require.ErrorAs(t, err, &failed)
		require.ErrorIs(t, err, connpool.ErrExhausted)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, `connpool "postgres": no connection in `)
		require.ErrorContains(t, err, "1 of 1 in use")
		require.ErrorContains(t, err, "by "+l.where(name))
		giveBack()
		time.Sleep(120 * time.Millisecond) // failures of one moment share what they tell
	}
}

func TestWhoFindsNoneDoesNotWaitForEver(t *testing.T) {
	pool, _ := startPool(t, size(1), tuned(func(s *settings) { s.AcquireTimeout = 20 * time.Millisecond }))
	require.NoError(t, pool.Connpool().Warm(patient(t)))
	held := acquire(t, pool)
	defer held.Release()
	for name, err := range map[string]error{
		"Exec":     func() error { _, err := pool.Exec(context.Background(), "select 1"); return err }(),
		"QueryRow": pool.QueryRow(context.Background(), "select 1").Scan(new(int)),
		"Batch":    pool.SendBatch(context.Background(), batch("select 1")).Close(),
	} {
		require.True(t, errors.Is(err, connpool.ErrExhausted) && errors.Is(err, context.DeadlineExceeded), "%s: %v", name, err)
	}
}

func TestALeaseThatIsLostIsFoundIfTheTuneAsksForIt(t *testing.T) {
	found := make(chan connpool.Leak, 1)
	pool, _ := startPool(t, size(1), tuned(func(s *settings) {
		s.ReclaimLost = true
		s.OnLeak = func(l connpool.Leak) { found <- l }
	}))
	func() { pool.QueryRow(patient(t), "select 1") }()
	await(t, func() bool {
		runtime.GC()
		return pool.Connpool().Stats().InUse == 0
	})
	require.True(t, (<-found).Lost)
	requireWhole(t, pool)
}
