package sqlconn_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/sqlconn"
)

// asPgx tells in pgx's way when it is truly closed, and whether it is closed.
type asPgx struct {
	*fakeConn
	own *pgxOwn
}

func (c asPgx) Conn() *pgxOwn { return c.own }

func (c asPgx) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	c.own.closed = true // as a query that its context cut short does
	return nil, errFake
}

type pgxOwn struct {
	closed bool
	done   chan struct{}
}

func (c *pgxOwn) IsClosed() bool             { return c.closed }
func (c *pgxOwn) PgConn() *pgxOwn            { return c }
func (c *pgxOwn) CleanupDone() chan struct{} { return c.done }

func TestFault64_ASlotIsFreeWhenTheServersSessionIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		done := make(chan struct{})
		s.shape = func(c *fakeConn) driver.Conn { return asPgx{c, &pgxOwn{done: done}} }
		db, pool := open(t, s, config{MaxSize: 1}, sqlconn.Options{})
		_, err := db.Exec("a")
		require.ErrorIs(t, err, errFake)
		synctest.Wait()
		require.Equal(t, 1, pool.Stats().Closing, "closed where it came back")
		pinged := make(chan error, 1)
		go func() { pinged <- db.Ping() }()
		synctest.Wait()
		require.Equal(t, 1, s.opened, "the server still has the session of the first")
		close(done)
		must(t, <-pinged)
		require.Equal(t, 2, s.opened)
		require.Equal(t, uint64(1), pool.Stats().Closes[connpool.ClosedClean])
	})
}

func TestFault64_ACloseThatIsNeverOverIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.shape = func(c *fakeConn) driver.Conn { return asPgx{c, &pgxOwn{done: make(chan struct{})}} }
		db, _ := open(t, s, config{MaxSize: 1, CloseTimeout: time.Second}, sqlconn.Options{})
		_, err := db.Exec("a")
		require.ErrorIs(t, err, errFake)
		began := time.Now()
		must(t, db.Ping())
		require.Equal(t, time.Second, time.Since(began))
	})
}

func TestFault64_PostgresHasNoMoreSessionsThanThePool(t *testing.T) {
	const size = 8
	server, db, pool := openPostgres(t, config{MaxSize: size}, sqlconn.Options{})
	watcher, err := pgx.Connect(patient(t), server.DSN())
	require.NoError(t, err)
	defer watcher.Close(patient(t))
	var all sync.WaitGroup
	for range 2 * size {
		all.Go(func() {
			for range 15 {
				ctx, end := context.WithTimeout(patient(t), 5*time.Millisecond)
				_, err := db.ExecContext(ctx, "select pg_sleep(60)")
				end()
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	most := 0
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		var n int
		require.NoError(t, watcher.QueryRow(patient(t), `select count(*) from pg_stat_activity
			where backend_type = 'client backend' and pid <> pg_backend_pid()`).Scan(&n))
		most = max(most, n)
	}
	t.Log(most, "sessions at most,", pool.Stats().Connects, "connects")
	require.LessOrEqual(t, most, size+1, "one may be going while its successor comes")
}
