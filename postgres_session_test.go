package connpool_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
)

// What one borrower leaves in a session, and what the next one finds.

func TestPostgres_SettingsMadeInConnectAreThereForEveryBorrower(t *testing.T) {
	requireSettings(t, nil)
}

func TestPostgres_SettingsMadeInConnectAreThereAfterAReset(t *testing.T) {
	requireSettings(t, discardAll)
}

func requireSettings(t *testing.T, reset func(context.Context, *pgx.Conn) error) {
	pool := startDatabase(t, nil).newPool(t, func(c *pgConfig) { c.Reset = reset })
	for range 3 {
		leases := leaseAll(t, pool, poolSize)
		for _, l := range leases {
			require.Equal(t, "orders, public|orders|1min", settings(t, l.Conn()))
		}
		releaseAll(leases)
	}
	require.EqualValues(t, poolSize, pool.Stats().Connects)
}

func settings(t testing.TB, conn *pgx.Conn) string {
	t.Helper()
	return ask[string](t, conn, `select concat_ws('|', current_setting('search_path'),
		current_setting('application_name'), current_setting('statement_timeout'))`)
}

// discardAll is a Config's Reset. Two things do not survive DISCARD ALL: the
// prepared statements that pgx caches, so it has to forget them too, and what
// Connect has set, so it is set again.
func discardAll(ctx context.Context, conn *pgx.Conn) error {
	if err := conn.DeallocateAll(ctx); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "discard all"); err != nil {
		return err
	}
	return configure(ctx, conn)
}

func TestFault32_AConnectionReturnedInTheMiddleOfSomethingIsDestroyed(t *testing.T) {
	db := startDatabase(t, nil)
	for _, test := range []struct {
		in   string
		work func(*testing.T, *pgx.Conn)
	}{
		{"an open transaction", func(t *testing.T, conn *pgx.Conn) { tell(t, conn, "begin") }},
		{"a failed transaction", failTransaction},
		{"rows that nobody has read", leaveRows},
	} {
		t.Run(test.in, func(t *testing.T) {
			pool := db.newPool(t, func(c *pgConfig) { c.MaxSize = 1 })
			first := lease(t, pool)
			pid := first.Conn().PgConn().PID()
			test.work(t, first.Conn())
			first.Release()

			next := lease(t, pool)
			defer next.Release()
			require.NotEqual(t, pid, next.Conn().PgConn().PID())
			require.EqualValues(t, 'I', next.Conn().PgConn().TxStatus())
			require.Equal(t, 42, ask[int](t, next.Conn(), "select 42"))
			require.Equal(t, map[connpool.CloseReason]uint64{connpool.ClosedClean: 1}, pool.Stats().Closes)
		})
	}
}

func failTransaction(t *testing.T, conn *pgx.Conn) {
	tell(t, conn, "begin")
	_, err := conn.Exec(patient(t), "select 1/0")
	require.Equal(t, "22012", refusal(t, err).Code)
	require.EqualValues(t, 'E', conn.PgConn().TxStatus())
}

func leaveRows(t *testing.T, conn *pgx.Conn) {
	rows, err := conn.Query(patient(t), "select generate_series(1, 100000)")
	require.NoError(t, err)
	require.True(t, rows.Next())
}

// litter is what a borrower may leave in a session, and whether it is there.
var litter = []struct{ what, leave, isThere string }{
	{"a setting", "set work_mem = '7MB'", "select current_setting('work_mem') = '7MB'"},
	{"a search path", "set search_path = elsewhere", "select current_setting('search_path') = 'elsewhere'"},
	{"a temporary table", "create temp table left_behind ()", "select to_regclass('pg_temp.left_behind') is not null"},
	{"an advisory lock", "select pg_advisory_lock(35)",
		"select exists (select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid())"},
	{"a prepared statement", "prepare left_behind as select 1",
		"select exists (select from pg_prepared_statements where name = 'left_behind')"},
}

func TestFault35_WithAResetNothingReachesTheNextBorrower(t *testing.T) {
	requireLitter(t, discardAll, false)
}

func TestFault35_WithoutAResetASessionsStateStaysWithIt(t *testing.T) {
	requireLitter(t, nil, true)
}

// requireLitter checks whether the next borrower of a session that is littered
// finds the litter.
func requireLitter(t *testing.T, reset func(context.Context, *pgx.Conn) error, stays bool) {
	pool := startDatabase(t, nil).newPool(t, func(c *pgConfig) { c.MaxSize, c.Reset = 1, reset })
	first := lease(t, pool)
	pid := first.Conn().PgConn().PID()
	for _, piece := range litter {
		tell(t, first.Conn(), piece.leave)
		require.True(t, ask[bool](t, first.Conn(), piece.isThere), piece.what)
	}
	first.Release()

	next := lease(t, pool)
	defer next.Release()
	require.Equal(t, pid, next.Conn().PgConn().PID(), "the same session")
	for _, piece := range litter {
		require.Equal(t, stays, ask[bool](t, next.Conn(), piece.isThere), piece.what)
	}
}

// The connection works, as its refusal shows. Only its state is unknown.
func TestFault34_AConnectionWhoseResetFailsIsNeverLentAgain(t *testing.T) {
	var failed error
	pool := startDatabase(t, nil).newPool(t, func(c *pgConfig) {
		c.MaxSize = 1
		c.Reset = func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "discard everything")
			failed = err
			return err
		}
	})
	pids := make(map[uint32]bool)
	for range 5 {
		l := lease(t, pool)
		pids[l.Conn().PgConn().PID()] = true
		l.Release()
	}
	lease(t, pool).Discard(nil)
	require.Len(t, pids, 5)
	require.Equal(t, "42601", refusal(t, failed).Code, "syntax_error")
	require.EqualValues(t, 5, pool.Stats().Closes[connpool.ClosedClean])
}

var errWork = errors.New("the work failed")

func TestFault37_WorkThatBreaksItsConnectionIsNotRunAgain(t *testing.T) {
	db := startDatabase(t, nil)
	watcher := db.watcher(t)
	tell(t, watcher.conn, "create table done ()")
	pool := db.newPool(t, nil)
	fill(t, pool, poolSize) // others that it could be run again on
	runs := 0
	err := pool.Do(patient(t), func(ctx context.Context, conn *pgx.Conn) error {
		runs++
		tell(t, conn, "insert into done default values")
		_, err := conn.Exec(ctx, "select pg_terminate_backend(pg_backend_pid())")
		return errors.Join(errWork, err)
	})
	require.ErrorIs(t, err, errWork)
	require.Equal(t, "57P01", refusal(t, err).Code, "admin_shutdown")
	require.Equal(t, 1, runs)
	require.Equal(t, 1, ask[int](t, watcher.conn, "select count(*) from done"))
	requireFull(t, pool)
}
