package pgxconn_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/pgxconn"
)

func TestFault76_AConnectionThatIsKeptLongIsNoLeak(t *testing.T) {
	leaks := make(chan connpool.Leak, 10)
	pool, _ := startPool(t, size(3), tuned(func(s *settings) {
		s.LeakThreshold, s.OnLeak = lookEvery, func(leak connpool.Leak) { leaks <- leak }
	}))
	c := acquire(t, pool)
	c.KeepLong()
	tx, err := pool.Begin(patient(t))
	require.NoError(t, err)
	tx.(*pgxconn.Tx).KeepLong()
	leaked := acquire(t, pool)
	require.Equal(t, 1, (<-leaks).Count, "the one that is not kept")
	leaked.Release()
	c.Release()
	require.NoError(t, tx.Rollback(patient(t)))
	require.Empty(t, leaks)
}

// requireOver checks that rows do not touch the connection, which is another's.
func requireOver(t *testing.T, name string, rows pgx.Rows) {
	t.Helper()
	require.Nil(t, rows.FieldDescriptions(), name)
	require.Nil(t, rows.Conn(), name)
	require.Nil(t, rows.RawValues(), name)
	require.False(t, rows.Next(), name)
	rows.Close()
}

func TestFault94_NothingReachesTheNextUserAfterTheRelease(t *testing.T) {
	pool, _ := startPool(t, size(1))
	ctx := patient(t)
	over := map[string]pgx.Rows{}
	query := func(name string, q interface {
		Query(context.Context, string, ...any) (pgx.Rows, error)
	}) {
		rows, err := q.Query(ctx, "select 1 as mine")
		require.NoError(t, err)
		for rows.Next() {
			require.Equal(t, "mine", rows.FieldDescriptions()[0].Name)
		}
		over[name] = rows
	}
	query("Pool", pool)
	c := acquire(t, pool)
	query("Conn", c)
	tx, err := c.Begin(ctx)
	require.NoError(t, err)
	query("Tx of a Conn", tx)
	require.NoError(t, tx.Commit(ctx))
	c.Release()

	outer, err := pool.Begin(ctx)
	require.NoError(t, err)
	query("Tx", outer)
	nested, err := outer.Begin(ctx)
	require.NoError(t, err)
	query("nested Tx", nested)
	results := nested.SendBatch(ctx, batch("select 2 as mine"))
	rows, err := results.Query()
	require.NoError(t, err)
	rows.Close()
	over["batch of a nested Tx"] = rows
	require.NoError(t, results.Close())
	require.NoError(t, outer.Commit(ctx))

	next := acquire(t, pool)
	defer next.Release()
	theirs, err := next.Query(ctx, "select 1 as theirs")
	require.NoError(t, err)
	for name, rows := range over {
		requireOver(t, name, rows)
	}
	for _, ended := range []pgx.Tx{tx, nested} {
		_, err := ended.Exec(ctx, "select 1")
		require.ErrorIs(t, err, pgx.ErrTxClosed)
		_, err = ended.Query(ctx, "select 1")
		require.ErrorIs(t, err, pgx.ErrTxClosed)
		require.ErrorIs(t, ended.QueryRow(ctx, "select 1").Scan(new(int)), pgx.ErrTxClosed)
		_, err = ended.Begin(ctx)
		require.ErrorIs(t, err, pgx.ErrTxClosed)
		_, err = ended.Prepare(ctx, "x", "select 1")
		require.ErrorIs(t, err, pgx.ErrTxClosed)
		require.ErrorIs(t, ended.SendBatch(ctx, batch("select 1")).Close(), pgx.ErrTxClosed)
		_, err = ended.CopyFrom(ctx, pgx.Identifier{"x"}, nil, pgx.CopyFromRows(nil))
		require.ErrorIs(t, err, pgx.ErrTxClosed)
		require.ErrorIs(t, ended.Rollback(ctx), pgx.ErrTxClosed)
		require.Panics(t, func() { ended.Conn() })
	}
	require.True(t, theirs.Next())
	require.Equal(t, "theirs", theirs.FieldDescriptions()[0].Name)
	theirs.Close()
}

func TestFault95_DiscardAllForgetsWhatPgxKeepsForAUser(t *testing.T) {
	pool, _ := startPool(t, size(1), func(c *config) { c.Reset = pgxconn.DiscardAll })
	const oid = 123456
	first := acquire(t, pool)
	conn := first.Conn()
	tell(t, conn, "listen news", "notify news, 'private'", "select 1")
	conn.PgConn().CustomData()["mine"] = "private"
	conn.TypeMap().RegisterType(&pgtype.Type{Name: "mine", OID: oid, Codec: pgtype.TextCodec{}})
	first.Release()
	next := acquire(t, pool)
	defer next.Release()
	require.Same(t, conn, next.Conn())
	_, known := conn.TypeMap().TypeForOID(oid)
	require.False(t, known)
	require.NotContains(t, conn.PgConn().CustomData(), "mine")
	_, err := conn.WaitForNotification(expired())
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 7, ask[int](t, next, "select 7"))
}

func TestFault95_DiscardAllKeepsWhatAfterConnectHasLeft(t *testing.T) {
	const oid = 123456
	pool, _ := startPool(t, size(1), func(c *config) {
		c.Reset = pgxconn.DiscardAll
		c.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
			conn.PgConn().CustomData()["ours"] = true
			conn.TypeMap().RegisterType(&pgtype.Type{Name: "ours", OID: oid, Codec: pgtype.TextCodec{}})
			return nil
		}
	})
	for range 3 {
		require.NoError(t, pool.AcquireFunc(patient(t), func(c *pgxconn.Conn) error {
			_, known := c.Conn().TypeMap().TypeForOID(oid)
			require.True(t, known)
			require.Equal(t, true, c.Conn().PgConn().CustomData()["ours"])
			return nil
		}))
	}
}

func TestFault104_BeforeAcquireIsAPrepareConnWithoutAnError(t *testing.T) {
	var refuse atomic.Bool
	pool, _ := startPool(t, size(2), func(c *config) {
		c.BeforeAcquire = func(context.Context, *pgx.Conn) bool { return !refuse.Swap(false) }
	})
	first := pid(t, pool)
	require.Equal(t, first, pid(t, pool))
	refuse.Store(true)
	require.NotEqual(t, first, pid(t, pool))
}

func TestFault104_ShouldPingDecidesWhatIsPinged(t *testing.T) {
	var asked []pgxconn.ShouldPingParams
	yes := false
	pool, server := startPool(t, size(1), dialing(hide), func(c *config) {
		c.ShouldPing = func(_ context.Context, params pgxconn.ShouldPingParams) bool {
			asked = append(asked, params)
			return yes
		}
	})
	c := acquire(t, pool)
	conn := c.Conn()
	c.Release()
	require.NoError(t, pool.Ping(patient(t)))
	require.Same(t, conn, asked[len(asked)-1].Conn)
	require.Equal(t, 1, watch(t, server).terminateIdle()) // its socket cannot be seen
	yes = true
	require.NoError(t, pool.Ping(patient(t)), "the ping finds out")
	await(t, func() bool { return pool.Connpool().Stats().Closes[connpool.ClosedPrepare] == 1 })
}
