package connpool_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
)

// Cancelled queries. pgx closes a connection whose query it had to leave.

func TestFault31_EachCancelledQueryCostsOneReconnectAndIsCounted(t *testing.T) {
	db := startDatabase(t, nil)
	pool := db.newPool(t, nil)
	fill(t, pool, poolSize)
	census := startCensus(t, db)
	haste := haste{pool: pool, until: time.Now().Add(1500 * time.Millisecond)}
	for _, err := range atOnce(2*poolSize, haste.call) {
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
	requireFull(t, pool)
	census.finish()

	stats, queries := pool.Stats(), uint64(haste.queries.Load())
	t.Logf("%d calls, %d queries cancelled, %d new sessions in 1.5 s; most sessions %d; closed %v",
		haste.calls.Load(), queries, stats.Connects-poolSize, census.most, stats.Closes)
	require.NotZero(t, queries)
	require.Equal(t, map[connpool.CloseReason]uint64{connpool.ClosedDiscarded: queries}, stats.Closes)
	require.LessOrEqual(t, stats.Connects, poolSize+queries)
	require.Zero(t, stats.ConnectErrors)
	require.LessOrEqual(t, census.most, poolSize)
}

// haste is a service none of whose queries end within their deadlines.
type haste struct {
	pool           *pgPool
	until          time.Time
	calls, queries atomic.Int64
}

// call calls again and again. It returns what the last call ended with, or the
// first one that did not fail.
func (h *haste) call() (err error) {
	for err = errWork; err != nil && time.Now().Before(h.until); {
		h.calls.Add(1)
		err = h.query()
	}
	return err
}

// query leases a connection and has the server sleep for longer than there is
// time. Not much longer, because PostgreSQL ignores a cancel request that
// overtakes its query: the session then lasts for as long as the query does.
func (h *haste) query() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	return h.pool.Do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		h.queries.Add(1)
		_, err := conn.Exec(ctx, "select pg_sleep(0.5)")
		return err
	})
}

// The cancel request travels on a connection of its own, and may arrive when the
// query that it was meant for is over. There must be nobody else's to hit then.
func TestFault36_ALateCancelHitsNobody(t *testing.T) {
	db := startDatabase(t, nil)
	pool := db.newPool(t, func(c *pgConfig) { c.MaxSize = 1 })
	census := startCensus(t, db)
	var closed uint64
	for round := range 40 {
		if leaveQuery(t, pool, time.Duration(round%8+1)*time.Millisecond) {
			closed++
		}
		next := lease(t, pool)
		for range 3 {
			require.NoError(t, query(next.Conn()))
		}
		next.Release()
	}
	census.finish()
	t.Logf("%d of 40 queries cancelled; most sessions %d", closed, census.most)
	require.NotZero(t, closed)
	require.Equal(t, map[connpool.CloseReason]uint64{connpool.ClosedClean: closed}, pool.Stats().Closes)
	require.Equal(t, 1, census.most, "a session ends before the next begins")
}

// leaveQuery runs a query that ends about when its context does, and returns the
// connection as if nothing had happened. It reports whether pgx has closed it.
func leaveQuery(t *testing.T, pool *pgPool, patience time.Duration) (closed bool) {
	l := lease(t, pool)
	defer l.Release()
	_, err := l.Conn().Exec(within(t, patience), "select pg_sleep(0.004)")
	if err != nil {
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
	return l.Conn().IsClosed()
}
