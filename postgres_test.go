package connpool_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/internal/pgtest"
)

// The pool in front of a real server, as a service would set it up. A test has a
// server of its own, so that it may do to it whatever it likes.

type (
	pgConfig = connpool.Config[*pgx.Conn]
	pgPool   = connpool.Pool[*pgx.Conn]
	pgLease  = connpool.Lease[*pgx.Conn]
)

const (
	// patience bounds what should take milliseconds; only a hang exceeds it.
	patience = 30 * time.Second
	// lookEvery is the pause between two looks at what a test waits for.
	lookEvery = 5 * time.Millisecond
	// poolSize is the MaxSize of pools that do not say.
	poolSize = 10
)

// patient returns a context for what must not hang.
func patient(t testing.TB) context.Context { return within(t, patience) }

// within returns a context that ends after d.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// await waits until a condition holds.
func await(t testing.TB, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(lookEvery) {
		require.True(t, time.Now().Before(deadline), "it did not come to be in %v", patience)
	}
}

// database is a private server, and the factory of the pools in front of it.
type database struct {
	*pgtest.Server
	login *pgx.ConnConfig

	dials, opens, closes atomic.Int64
}

// startDatabase starts a server with settings as in postgresql.conf.
func startDatabase(t *testing.T, settings map[string]string) *database {
	t.Helper()
	server := pgtest.New(t, pgtest.Options{Settings: settings})
	login, err := pgx.ParseConfig(server.DSN())
	require.NoError(t, err)
	return &database{Server: server, login: login}
}

// newPool returns a pool of connections to the database. When the test ends it
// is shut down, every connection must have been closed, and no session may be
// left at the server.
func (db *database) newPool(t *testing.T, edit func(*pgConfig)) *pgPool {
	t.Helper()
	cfg := pgConfig{
		Connect: db.connect,
		Close:   db.close,
		Clean:   clean,
		Check:   func(ctx context.Context, conn *pgx.Conn) error { return conn.Ping(ctx) },
		MaxSize: poolSize,
		Logger:  slog.New(slog.DiscardHandler),
	}
	if edit != nil {
		edit(&cfg)
	}
	pool, err := connpool.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { db.shutdown(t, pool) })
	return pool
}

func (db *database) shutdown(t *testing.T, pool *pgPool) {
	t.Helper()
	require.NoError(t, pool.Shutdown(patient(t)))
	db.requireClosed(t)
}

// requireClosed checks that nothing is left open at either end. A session ends a
// moment after its connection.
func (db *database) requireClosed(t *testing.T) {
	t.Helper()
	require.Equal(t, db.opens.Load(), db.closes.Load(), "connections opened and closed")
	watcher := db.watcher(t)
	await(t, func() bool { return watcher.sessions() == 0 })
}

// connect is a Config's Connect.
func (db *database) connect(ctx context.Context) (*pgx.Conn, error) {
	db.dials.Add(1)
	conn, err := pgx.ConnectConfig(ctx, db.login)
	if err != nil {
		return nil, err
	}
	if err := configure(ctx, conn); err != nil {
		return nil, errors.Join(err, end(ctx, conn))
	}
	db.opens.Add(1)
	return conn, nil
}

// configure makes the settings of a new session. Other pools have a hook for it;
// here it is part of Connect.
func configure(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `set search_path = orders, public; set application_name = 'orders'; set statement_timeout = '60s'`)
	return err
}

// close is a Config's Close.
func (db *database) close(ctx context.Context, conn *pgx.Conn) error {
	defer db.closes.Add(1)
	return end(ctx, conn)
}

// end ends a session. After a cancelled query pgx has closed the connection
// already and is still cancelling the query at the server: the slot is free for
// another connection only when that is over, or MaxSize would not bound the
// sessions.
func end(ctx context.Context, conn *pgx.Conn) error {
	err := conn.Close(ctx)
	select {
	case <-conn.PgConn().CleanupDone():
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

var (
	errInTransaction = errors.New("returned in a transaction")
	errUnreadRows    = errors.New("returned with unread rows")
)

// clean is a Config's Clean.
func clean(conn *pgx.Conn) error {
	switch {
	case conn.IsClosed():
		return connpool.ErrBadConn
	case conn.PgConn().IsBusy():
		return errUnreadRows
	case conn.PgConn().TxStatus() != 'I':
		return errInTransaction
	}
	return nil
}

// alive is a Config's Alive for those who cannot have a query fail on a
// connection that the server has closed within CheckAfterIdle.
func alive(conn *pgx.Conn) error {
	if conn.IsClosed() {
		return connpool.ErrBadConn
	}
	return peek(conn.PgConn().Conn())
}

// watcher is a session that looks at the others.
type watcher struct {
	t    *testing.T
	conn *pgx.Conn
}

const watcherName = "watcher"

func (db *database) watcher(t *testing.T) watcher {
	t.Helper()
	conn, err := db.watch(patient(t))
	require.NoError(t, err, db.Log())
	t.Cleanup(func() { conn.Close(context.Background()) })
	return watcher{t, conn}
}

// watch opens a watcher's connection, as superuser.
func (db *database) watch(ctx context.Context) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(db.DSN())
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["application_name"] = watcherName
	return pgx.ConnectConfig(ctx, config)
}

const countSessions = `select count(*) from pg_stat_activity
	where backend_type = 'client backend' and application_name <> '` + watcherName + `'`

// sessions returns how many sessions of pools the server has.
func (w watcher) sessions() int { return ask[int](w.t, w.conn, countSessions) }

// terminateIdle has the server end all idle sessions of pools, and returns how
// many, once they are gone.
func (w watcher) terminateIdle() int {
	w.t.Helper()
	return ask[int](w.t, w.conn, `select count(*) filter (where pg_terminate_backend(pid, 10000)) from pg_stat_activity
		where backend_type = 'client backend' and state = 'idle' and application_name <> '`+watcherName+`'`)
}

// ask asks for one value.
func ask[V any](t testing.TB, conn *pgx.Conn, query string) (value V) {
	t.Helper()
	require.NoError(t, conn.QueryRow(patient(t), query).Scan(&value))
	return value
}

// tell executes statements.
func tell(t testing.TB, conn *pgx.Conn, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		_, err := conn.Exec(patient(t), statement)
		require.NoError(t, err, statement)
	}
}

// lease acquires a connection.
func lease(t testing.TB, pool *pgPool) pgLease {
	t.Helper()
	l, err := pool.Acquire(patient(t))
	require.NoError(t, err)
	return l
}

// leaseAll acquires n connections, held all at once, each of which answers.
func leaseAll(t testing.TB, pool *pgPool, n int) []pgLease {
	t.Helper()
	leases := make([]pgLease, n)
	for i := range leases {
		leases[i] = lease(t, pool)
		require.Equal(t, 1, ask[int](t, leases[i].Conn(), "select 1"))
	}
	return leases
}

func releaseAll(leases []pgLease) {
	for _, l := range leases {
		l.Release()
	}
}

// fill opens n connections and leaves them idle.
func fill(t testing.TB, pool *pgPool, n int) {
	t.Helper()
	releaseAll(leaseAll(t, pool, n))
	require.Equal(t, n, pool.Stats().Idle)
}

// requireFull checks that the pool lends all that it may have, all at once.
func requireFull(t testing.TB, pool *pgPool) {
	t.Helper()
	releaseAll(leaseAll(t, pool, pool.Stats().MaxSize))
}

// refusal returns the server's error in the chain of err.
func refusal(t testing.TB, err error) *pgconn.PgError {
	t.Helper()
	var refused *pgconn.PgError
	require.ErrorAs(t, err, &refused)
	return refused
}
