package pgxconn_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/pgxconn"
)

// litter is what a user may leave in a session, and whether it is there.
var litter = []struct{ what, leave, isThere string }{
	{"a setting", "set work_mem = '7MB'", "select current_setting('work_mem') = '7MB'"},
	{"a search path", "set search_path = elsewhere", "select current_setting('search_path') = 'elsewhere'"},
	{"a role", "set role litterer", "select current_user = 'litterer'"},
	{"a temporary table", "create temp table left_behind ()", "select to_regclass('pg_temp.left_behind') is not null"},
	{"an advisory lock", "select pg_advisory_lock(35)",
		"select exists (select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid())"},
	{"a prepared statement", "prepare left_behind as select 1",
		"select exists (select from pg_prepared_statements where name = 'left_behind')"},
	{"a cursor", "declare left_behind cursor with hold for select 1",
		"select exists (select from pg_cursors where name = 'left_behind')"},
	{"a LISTEN", "listen left_behind", "select exists (select from pg_listening_channels())"},
	{"a sequence's last value", "create temp sequence if not exists counter; select nextval('counter')",
		"select coalesce((select last_value from pg_sequences where sequencename = 'counter'), 0) > 0"},
}

func TestWithDiscardAllNothingReachesTheNextUser(t *testing.T) {
	requireLitter(t, func(c *config) { c.Reset = pgxconn.DiscardAll }, false)
}

func TestWithoutAResetASessionsStateStaysWithIt(t *testing.T) {
	requireLitter(t, func(*config) {}, true)
}

// requireLitter checks whether the next user of a session that is littered finds
// the litter.
func requireLitter(t *testing.T, edit func(*config), stays bool) {
	pool, server := startPool(t, size(1), edit)
	tell(t, watch(t, server).Conn, "create role litterer superuser")
	first := acquire(t, pool)
	number := pid(t, first)
	for _, piece := range litter {
		tell(t, first.Conn(), piece.leave)
		require.True(t, ask[bool](t, first, piece.isThere), piece.what)
	}
	first.Release()
	next := acquire(t, pool)
	defer next.Release()
	require.Equal(t, number, pid(t, next), "the session is kept")
	for _, piece := range litter {
		require.Equal(t, stays, ask[bool](t, next, piece.isThere), piece.what)
	}
}

func TestPgxsStatementsWorkAfterDiscardAllInEachMode(t *testing.T) {
	server := start(t, nil)
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			pool := open(t, server.DSN(), size(1), func(c *config) {
				c.Reset = pgxconn.DiscardAll
				c.ConnConfig.DefaultQueryExecMode = mode
			})
			first := pid(t, pool)
			for n := range 3 {
				require.Equal(t, n+1, ask[int](t, pool, "select $1::int + 1", n))
				b := &pgx.Batch{}
				b.Queue("select $1::int + 2", n)
				require.NoError(t, pool.SendBatch(patient(t), b).Close())
				require.NoError(t, pool.AcquireFunc(patient(t), func(c *pgxconn.Conn) error {
					_, err := c.Conn().Prepare(patient(t), "by name", "select $1::int + 3")
					require.NoError(t, err)
					require.Equal(t, n+3, ask[int](t, c, "by name", n))
					return nil
				}))
			}
			require.Equal(t, first, pid(t, pool))
		})
	}
}

func TestDiscardAllUndoesWhatAfterConnectHasSetButNotWhatTheLoginHas(t *testing.T) {
	pool, _ := startPool(t, size(1), func(c *config) {
		c.Reset = pgxconn.DiscardAll
		c.ConnConfig.RuntimeParams["application_name"] = "from the login"
		c.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "set work_mem = '7MB'")
			return err
		}
	})
	require.Equal(t, "7MB", ask[string](t, pool, "show work_mem"))
	require.NotEqual(t, "7MB", ask[string](t, pool, "show work_mem"))
	require.Equal(t, "from the login", ask[string](t, pool, "show application_name"))
	require.EqualValues(t, 1, pool.Stat().NewConnsCount())
}

func TestDiscardAllOfAConnectionThatIsDeadIsAnError(t *testing.T) {
	server := start(t, nil)
	conn, err := pgx.Connect(patient(t), server.DSN())
	require.NoError(t, err)
	require.NoError(t, conn.Close(patient(t)))
	require.Error(t, pgxconn.DiscardAll(patient(t), conn))

	conn, err = pgx.Connect(patient(t), server.DSN())
	require.NoError(t, err)
	defer conn.Close(patient(t))
	tell(t, conn, "begin")
	require.Error(t, pgxconn.DiscardAll(patient(t), conn), "it cannot run in a transaction")
}
