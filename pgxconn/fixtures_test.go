package pgxconn_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/internal/pgtest"
	"github.com/connpool/connpool/pgxconn"
)

type (
	config   = pgxconn.Config
	settings = connpool.Config[*pgx.Conn]
)

const (
	// patience bounds what should take milliseconds; only a hang exceeds it.
	patience = 30 * time.Second
	// lookEvery is the pause between two looks at what a test waits for.
	lookEvery = 2 * time.Millisecond
)

// patient returns a context for what must not hang.
func patient(t testing.TB) context.Context { return within(t, patience) }

// within returns a context that ends after d.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// expired returns a context that has ended.
func expired() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// await waits until a condition holds.
func await(t testing.TB, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(lookEvery) {
		require.True(t, time.Now().Before(deadline), "it did not come to be in %v", patience)
	}
}

// start starts a server of the test's own, with settings as in postgresql.conf.
func start(t testing.TB, set map[string]string) *pgtest.Server {
	t.Helper()
	return pgtest.New(t, pgtest.Options{Settings: set})
}

// open returns a quiet pool of connections to a server. It is shut down when the
// test ends, when all connections must have come back.
func open(t testing.TB, dsn string, edits ...func(*config)) *pgxconn.Pool {
	t.Helper()
	c, err := pgxconn.ParseConfig(dsn)
	require.NoError(t, err)
	tuned(func(s *settings) { s.Logger = slog.New(slog.DiscardHandler) })(c)
	for _, edit := range edits {
		edit(c)
	}
	pool, err := pgxconn.NewWithConfig(context.Background(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pool.Connpool().Shutdown(patient(t))) })
	return pool
}

// startPool is open with a server of the test's own.
func startPool(t testing.TB, edits ...func(*config)) (*pgxconn.Pool, *pgtest.Server) {
	t.Helper()
	server := start(t, nil)
	return open(t, server.DSN(), edits...), server
}

// size sets MaxConns.
func size(n int32) func(*config) { return func(c *config) { c.MaxConns = n } }

// tuned adds to what Tune does.
func tuned(f func(*settings)) func(*config) {
	return func(c *config) {
		before := c.Tune
		c.Tune = func(s *settings) {
			if before != nil {
				before(s)
			}
			f(s)
		}
	}
}

// querier is whatever one can ask.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// ask asks for one value.
func ask[V any](t testing.TB, q querier, sql string, args ...any) (value V) {
	t.Helper()
	require.NoError(t, q.QueryRow(patient(t), sql, args...).Scan(&value), sql)
	return value
}

// pid returns the number of the session that answers.
func pid(t testing.TB, q querier) int {
	t.Helper()
	return ask[int](t, q, "select pg_backend_pid()")
}

// tell executes statements on a connection.
func tell(t testing.TB, conn *pgx.Conn, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		_, err := conn.Exec(patient(t), statement)
		require.NoError(t, err, statement)
	}
}

func acquire(t testing.TB, pool *pgxconn.Pool) *pgxconn.Conn {
	t.Helper()
	c, err := pool.Acquire(patient(t))
	require.NoError(t, err)
	return c
}

// acquireAll acquires n connections, held all at once.
func acquireAll(t testing.TB, pool *pgxconn.Pool, n int) []*pgxconn.Conn {
	t.Helper()
	conns := make([]*pgxconn.Conn, n)
	for i := range conns {
		conns[i] = acquire(t, pool)
	}
	return conns
}

func release(conns ...*pgxconn.Conn) {
	for _, c := range conns {
		c.Release()
	}
}

// fill opens n connections and leaves them idle.
func fill(t testing.TB, pool *pgxconn.Pool, n int) {
	t.Helper()
	release(acquireAll(t, pool, n)...)
	await(t, func() bool { return pool.Stat().IdleConns() == int32(n) })
}

// requireWhole checks that nothing is in use, no slot has been lost and nothing is
// in two hands: the pool lends all that it may have, all at once, and each answers
// for itself.
func requireWhole(t testing.TB, pool *pgxconn.Pool) {
	t.Helper()
	await(t, func() bool { return pool.Stat().AcquiredConns() == 0 })
	conns := acquireAll(t, pool, int(pool.Stat().MaxConns()))
	sessions := map[int]bool{}
	for _, c := range conns {
		sessions[pid(t, c)] = true
	}
	require.Len(t, sessions, len(conns))
	release(conns...)
}

// watcher is a session beside those of pools.
type watcher struct {
	*pgx.Conn
	t testing.TB
}

const watcherName = "watcher"

func watch(t testing.TB, server *pgtest.Server) watcher {
	t.Helper()
	login, err := pgx.ParseConfig(server.DSN())
	require.NoError(t, err)
	login.RuntimeParams["application_name"] = watcherName
	conn, err := pgx.ConnectConfig(patient(t), login)
	require.NoError(t, err, server.Log())
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return watcher{conn, t}
}

const ofPools = `from pg_stat_activity where backend_type = 'client backend' and application_name <> '` + watcherName + `'`

// sessions returns how many sessions of pools the server has.
func (w watcher) sessions() int {
	w.t.Helper()
	return ask[int](w.t, w, "select count(*) "+ofPools)
}

// sees reports whether the server has a session.
func (w watcher) sees(pid uint32) bool {
	w.t.Helper()
	return ask[bool](w.t, w, "select exists (select "+ofPools+" and pid = $1)", pid)
}

// asleep reports whether a session of a pool's is asleep.
func (w watcher) asleep() bool {
	w.t.Helper()
	return ask[bool](w.t, w, "select exists (select "+ofPools+" and wait_event = 'PgSleep')")
}

// terminateIdle has the server end all idle sessions of pools, and returns how
// many, once they are gone.
func (w watcher) terminateIdle() int {
	w.t.Helper()
	ended := ask[[]int](w.t, w, "select coalesce(array_agg(pid) filter (where pg_terminate_backend(pid)), '{}') "+ofPools+" and state = 'idle'")
	await(w.t, func() bool { return !ask[bool](w.t, w, "select exists (select "+ofPools+" and pid = any($1))", ended) })
	return len(ended)
}
