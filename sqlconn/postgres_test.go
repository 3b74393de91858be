package sqlconn_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/internal/pgtest"
	"github.com/connpool/connpool/sqlconn"
)

// patience bounds what should take milliseconds; only a hang exceeds it.
const patience = 30 * time.Second

func patient(t testing.TB) context.Context {
	ctx, end := context.WithTimeout(context.Background(), patience)
	t.Cleanup(end)
	return ctx
}

// alwaysPing makes pgx's driver ask the server before each hand-out, not only
// after a second, so that tests need not wait for it.
var alwaysPing = stdlib.OptionShouldPing(func(context.Context, stdlib.ShouldPingParams) bool { return true })

func pgConnector(t testing.TB, server *pgtest.Server, options ...stdlib.OptionOpenDB) driver.Connector {
	login, err := pgx.ParseConfig(server.DSN())
	require.NoError(t, err)
	return stdlib.GetConnector(*login, options...)
}

// openPostgres returns a handle on a server of its own. When the test ends no
// session may be left.
func openPostgres(t *testing.T, cfg config, options sqlconn.Options) (*pgtest.Server, *sql.DB, *pool) {
	t.Helper()
	server := pgtest.New(t, pgtest.Options{})
	db, pool, err := sqlconn.Open(pgConnector(t, server, alwaysPing), cfg, options)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, db.Close())
		require.NoError(t, pool.Shutdown(patient(t)))
	})
	return server, db, pool
}

func ask[T any](t testing.TB, db interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}, query string, args ...any) (answer T) {
	t.Helper()
	require.NoError(t, db.QueryRowContext(patient(t), query, args...).Scan(&answer))
	return answer
}

func TestPostgresServesManyOverFewSessions(t *testing.T) {
	_, db, pool := openPostgres(t, config{MaxSize: 4}, sqlconn.Options{StatementCache: 8})
	_, err := db.Exec("create table seen (who int, n int)")
	require.NoError(t, err)
	stmt, err := db.Prepare("insert into seen values ($1, $2)")
	require.NoError(t, err)
	var all sync.WaitGroup
	errs := make(chan error, 32*10)
	for who := range 32 {
		all.Go(func() {
			for n := range 10 {
				_, err := stmt.Exec(who, n)
				errs <- err
			}
		})
	}
	all.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	must(t, stmt.Close())
	require.Equal(t, 320, ask[int](t, db, "select count(*) from seen"))
	require.LessOrEqual(t, pool.Stats().Connects, uint64(4))
	require.LessOrEqual(t, ask[int](t, db, "select count(*) from pg_stat_activity where backend_type = 'client backend'"), 4)
}

func TestPostgresTransactions(t *testing.T) {
	_, db, _ := openPostgres(t, config{MaxSize: 2}, sqlconn.Options{})
	_, err := db.Exec("create table kept (n int)")
	require.NoError(t, err)
	tx, err := db.BeginTx(patient(t), &sql.TxOptions{Isolation: sql.LevelSerializable})
	require.NoError(t, err)
	_, err = tx.Exec("insert into kept values (1)")
	require.NoError(t, err)
	require.Equal(t, "serializable", ask[string](t, tx, "show transaction_isolation"))
	require.Zero(t, ask[int](t, db, "select count(*) from kept"), "seen from another connection")
	must(t, tx.Commit())
	tx, err = db.Begin()
	require.NoError(t, err)
	_, err = tx.Exec("delete from kept")
	require.NoError(t, err)
	must(t, tx.Rollback())
	require.Equal(t, 1, ask[int](t, db, "select count(*) from kept"))
}

func TestPostgresATransactionLeftOpenIsNotHandedOn(t *testing.T) {
	_, db, pool := openPostgres(t, config{MaxSize: 1}, sqlconn.Options{})
	conn := take(t, db, 1)
	_, err := conn[0].ExecContext(patient(t), "begin")
	require.NoError(t, err)
	_, err = conn[0].ExecContext(patient(t), "create table secret ()")
	require.NoError(t, err)
	giveBack(t, conn)
	require.False(t, ask[bool](t, db, "select to_regclass('secret') is not null"))
	require.Equal(t, uint64(1), pool.Stats().Closes[connpool.ClosedPrepare])
}

func TestPostgresACancelledQueryCostsItsConnectionOnly(t *testing.T) {
	_, db, pool := openPostgres(t, config{MaxSize: 2}, sqlconn.Options{})
	ctx, cancel := context.WithTimeout(patient(t), 50*time.Millisecond)
	defer cancel()
	_, err := db.ExecContext(ctx, "select pg_sleep(3600)")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	for range 5 {
		require.Equal(t, 1, ask[int](t, db, "select 1"))
	}
	require.Zero(t, pool.Stats().InUse)
}

func TestPostgresSessionsKilledIdleCostNoError(t *testing.T) {
	server, db, _ := openPostgres(t, config{MaxSize: 8}, sqlconn.Options{StatementCache: 4})
	giveBack(t, take(t, db, 8))
	admin, err := pgx.Connect(patient(t), server.DSN())
	require.NoError(t, err)
	defer admin.Close(patient(t))
	var killed int
	require.NoError(t, admin.QueryRow(patient(t), `select count(pg_terminate_backend(pid, 10000))
		from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`).Scan(&killed))
	require.Equal(t, 8, killed)
	for range 20 {
		require.Equal(t, 1, ask[int](t, db, "select 1"))
	}
}

func TestPostgresARestartIsSurvived(t *testing.T) {
	server, db, _ := openPostgres(t, config{MaxSize: 4}, sqlconn.Options{StatementCache: 4})
	stmt, err := db.Prepare("select $1::int")
	require.NoError(t, err)
	giveBack(t, take(t, db, 4))
	require.NoError(t, server.Kill())
	require.NoError(t, server.Restart(patient(t)))
	for n := range 20 {
		var got int
		require.NoError(t, stmt.QueryRow(n).Scan(&got))
		require.Equal(t, n, got)
	}
	must(t, stmt.Close())
}

func TestPostgresRowsLeftOpenHoldTheirLease(t *testing.T) {
	_, db, pool := openPostgres(t, config{MaxSize: 2}, sqlconn.Options{})
	rows, err := db.Query("select generate_series(1, 1000)")
	require.NoError(t, err)
	require.True(t, rows.Next())
	require.Equal(t, 1, pool.Stats().InUse)
	require.Equal(t, 1, ask[int](t, db, "select 1"), "on another connection")
	must(t, rows.Close())
	require.Zero(t, pool.Stats().InUse)
	require.Equal(t, 2, pool.Stats().Idle)
}

func TestPostgresKeepsStatementsPrepared(t *testing.T) {
	const query = "select 40 + $1::int"
	for size, want := range map[int]int{0: 0, 4: 1} {
		_, db, pool := openPostgres(t, config{MaxSize: 1}, sqlconn.Options{StatementCache: size})
		stmt, err := db.Prepare(query)
		require.NoError(t, err)
		for range 3 {
			var sum int
			require.NoError(t, stmt.QueryRow(2).Scan(&sum))
			require.Equal(t, 42, sum)
		}
		must(t, stmt.Close())
		require.Equal(t, want, ask[int](t, db, "select count(*) from pg_prepared_statements where statement = $1", query))
		require.Equal(t, uint64(1), pool.Stats().Connects)
	}
}

// A plain handle's statement fails for ever then.
func TestPostgresAStatementWhoseTableChangesFailsOnceAConnection(t *testing.T) {
	_, db, pool := openPostgres(t, config{MaxSize: 1}, sqlconn.Options{StatementCache: 4})
	run(t, db, "create table wide (n int)", "insert into wide values (1)")
	stmt, err := db.Prepare("select * from wide")
	require.NoError(t, err)
	columns := func() (names []string, err error) {
		r, err := stmt.Query()
		if err != nil {
			return nil, err
		}
		names, err = r.Columns()
		return names, errors.Join(err, r.Close())
	}
	names, err := columns()
	require.NoError(t, err)
	require.Equal(t, []string{"n"}, names)
	run(t, db, "alter table wide add column m int")
	_, err = columns()
	require.ErrorContains(t, err, "0A000")
	for range 3 {
		names, err = columns()
		require.NoError(t, err)
		require.Equal(t, []string{"n", "m"}, names)
	}
	must(t, stmt.Close())
	require.Equal(t, uint64(1), pool.Stats().Connects)
}

func TestPostgresATransactionWhoseContextEndsLeavesNothingBehind(t *testing.T) {
	_, db, pool := openPostgres(t, config{MaxSize: 1}, sqlconn.Options{StatementCache: 4})
	run(t, db, "create table kept (n int)")
	for name, end := range map[string]func(context.Context, context.CancelFunc, *sql.Tx){
		"in a statement": func(ctx context.Context, cancel context.CancelFunc, tx *sql.Tx) {
			time.AfterFunc(10*time.Millisecond, cancel)
			_, err := tx.ExecContext(ctx, "select pg_sleep(3600)")
			require.Error(t, err)
		},
		"in rows": func(ctx context.Context, cancel context.CancelFunc, tx *sql.Tx) {
			rows, err := tx.QueryContext(ctx, "select generate_series(1, 100000)")
			require.NoError(t, err)
			require.True(t, rows.Next())
			cancel()
			for rows.Next() {
			}
			require.Error(t, rows.Err())
		},
		"between statements": func(_ context.Context, cancel context.CancelFunc, _ *sql.Tx) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(patient(t))
			defer cancel()
			tx, err := db.BeginTx(ctx, nil)
			require.NoError(t, err)
			_, err = tx.Exec("insert into kept values (1)")
			require.NoError(t, err)
			end(ctx, cancel, tx)
			require.Zero(t, ask[int](t, db, "select count(*) from kept"), "on the only connection")
			require.Zero(t, pool.Stats().InUse)
		})
	}
}

func TestPostgresRawReachesPgx(t *testing.T) {
	_, db, _ := openPostgres(t, config{}, sqlconn.Options{})
	conn := take(t, db, 1)
	must(t, conn[0].Raw(func(c any) error {
		own, err := sqlconn.DriverConn(patient(t), c)
		require.NoError(t, err)
		var sum int
		err = own.(*stdlib.Conn).Conn().QueryRow(patient(t), "select 40 + 2").Scan(&sum)
		require.Equal(t, 42, sum)
		return err
	}))
	giveBack(t, conn)
}

func TestPostgresAWrongPasswordIsReported(t *testing.T) {
	server := pgtest.New(t, pgtest.Options{})
	login, err := pgx.ParseConfig(server.DSN())
	require.NoError(t, err)
	login.Password = "wrong"
	db := sqlconn.OpenDB(stdlib.GetConnector(*login), config{DownAfter: time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	err = db.PingContext(patient(t))
	require.ErrorContains(t, err, "28P01")
	var failure *connpool.AcquireError
	require.True(t, errors.As(err, &failure))
	must(t, db.Close())
}
