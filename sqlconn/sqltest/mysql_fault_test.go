package sqltest

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/internal/servertest"
)

// Codes of MySQL's errors.
const (
	errReadOnlyOption   = 1290
	errQueryInterrupted = 1317
)

func code(err error) uint16 {
	var mysqlErr *mysql.MySQLError
	if errors.As(err, &mysqlErr) {
		return mysqlErr.Number
	}
	return 0
}

// eventually waits for what a server does when it gets to it.
func eventually(t *testing.T, done func() bool, what string) {
	t.Helper()
	require.Eventually(t, done, time.Minute, 10*time.Millisecond, what)
}

// askAll runs a query on every connection at once, so that none is left out.
func askAll(t *testing.T, db *sql.DB, n int) {
	t.Helper()
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			var one int
			if err := db.QueryRowContext(patient(t), `select 1 from (select sleep(0.05)) as nap`).Scan(&one); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestFault109_SessionsThatWaitTimeoutEndsCostNoError(t *testing.T) {
	const size = 4
	server := servertest.NewMariaDB(t, nil)
	watcher := watch(t, server)
	watcher.MustExec(`set global wait_timeout = 1`)
	db, pool := openMySQL(t, server.DSN(), config{MaxSize: size}, nil)
	holdAll(t, db, size)
	eventually(t, func() bool { return len(sessions(t, watcher)) == 0 }, "the server ends them")
	askAll(t, db, size)
	require.LessOrEqual(t, pool.Stats().Size, size)
}

func TestFault110_AKilledSessionIsReplacedUnseen(t *testing.T) {
	const size = 4
	server := servertest.NewMariaDB(t, nil)
	watcher := watch(t, server)
	db, pool := openMySQL(t, server.DSN(), config{MaxSize: size}, nil)
	holdAll(t, db, size)
	for _, id := range sessions(t, watcher) {
		watcher.MustExec(`kill connection ?`, id)
	}
	eventually(t, func() bool { return len(sessions(t, watcher)) == 0 }, "all have ended")
	askAll(t, db, size)
	require.LessOrEqual(t, pool.Stats().Size, size)
}

func TestFault110_AKilledQueryFailsAndItsSessionStays(t *testing.T) {
	server := servertest.NewMariaDB(t, nil)
	watcher := watch(t, server)
	db, pool := openMySQL(t, server.DSN(), config{MaxSize: 1}, nil)
	holdAll(t, db, 1)
	id := sessions(t, watcher)[0]
	failed := slowQuery(t, db, watcher)
	watcher.MustExec(`kill query ?`, id)
	require.EqualValues(t, errQueryInterrupted, code(<-failed))
	askAll(t, db, 1)
	require.Equal(t, []int{id}, sessions(t, watcher))
	require.EqualValues(t, 1, pool.Stats().Connects)
}

func TestFault110_AQueryWhoseSessionIsKilledFailsAloneAndOnce(t *testing.T) {
	server := servertest.NewMariaDB(t, nil)
	watcher := watch(t, server)
	db, pool := openMySQL(t, server.DSN(), config{MaxSize: 1}, nil)
	holdAll(t, db, 1)
	failed := slowQuery(t, db, watcher)
	watcher.MustExec(`kill connection ?`, sessions(t, watcher)[0])
	require.Error(t, <-failed)
	askAll(t, db, 1)
	require.EqualValues(t, 2, pool.Stats().Connects)
	require.Zero(t, pool.Stats().InUse)
}

// slowQuery starts a query that lasts, and returns once the server runs it.
func slowQuery(t *testing.T, db *sql.DB, watcher *sqlx.DB) (failed chan error) {
	t.Helper()
	failed = make(chan error, 1)
	go func() {
		_, err := db.ExecContext(patient(t), `select count(*) from seq_1_to_1000000 as a, seq_1_to_1000000 as b`)
		failed <- err
	}()
	eventually(t, func() bool {
		var n int
		require.NoError(t, watcher.Get(&n, `select count(*) from information_schema.processlist
			where id <> connection_id() and command = 'Query'`))
		return n > 0
	}, "the query runs")
	return failed
}

func TestFault111_AServerThatGivesFewerSessionsServesAllTheSame(t *testing.T) {
	server := servertest.NewMariaDB(t, map[string]string{"max-connections": "10"})
	db, pool := openMySQL(t, server.PlainDSN(), config{MaxSize: 30}, nil)
	var all sync.WaitGroup
	for range 30 {
		all.Go(func() {
			for range 10 {
				if _, err := db.ExecContext(patient(t), `do sleep(0.01)`); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	require.LessOrEqual(t, pool.Stats().Size, 10)
}

func TestFault111_TheRefusalIsInTheErrorOfACallerThatWaitedInVain(t *testing.T) {
	server := servertest.NewMariaDB(t, map[string]string{"max-connections": "10"})
	db, _ := openMySQL(t, server.PlainDSN(), config{MaxSize: 30}, nil)
	given := 0
	for range 30 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		conn, err := db.Conn(ctx)
		if err == nil {
			t.Cleanup(func() { _ = conn.Close() })
			err = conn.PingContext(ctx)
		}
		cancel()
		if err != nil {
			require.ErrorContains(t, err, "Too many connections")
			break
		}
		given++
	}
	require.Equal(t, 10, given)
}

// A fail-over: the name leads to another server, and the connections that are
// open lead to one that is read-only now.
func TestFault112_AServerThatHasBecomeReadOnlyIsLeft(t *testing.T) {
	const size = 4
	old, promoted := servertest.NewMariaDB(t, nil), servertest.NewMariaDB(t, nil)
	for _, server := range []*servertest.MariaDB{old, promoted} {
		watch(t, server).MustExec(`create table test.writes (n int)`)
	}
	var addr atomic.Value
	addr.Store(old.Addr())
	db, pool := openMySQL(t, old.PlainDSN(), config{MaxSize: size}, func(c *mysql.Config) {
		c.RejectReadOnly = true
		through(func() string { return addr.Load().(string) })(c)
	})
	holdAll(t, db, size)
	watch(t, old).MustExec(`set global read_only = 1`)
	addr.Store(promoted.Addr())
	for range 3 * size {
		_, err := db.ExecContext(patient(t), `insert into writes values (1)`)
		require.NoError(t, err)
	}
	require.LessOrEqual(t, pool.Stats().Size, size)
	var n int
	require.NoError(t, watch(t, promoted).Get(&n, `select count(*) from test.writes`))
	require.Equal(t, 3*size, n, "each write once, where writes are taken")
}

// Without rejectReadOnly the driver reports the error as one of the statement.
// An IsBad that knows it does the same.
func TestFault112_IsBadCanKnowAReadOnlyServer(t *testing.T) {
	const size = 4
	old, promoted := servertest.NewMariaDB(t, nil), servertest.NewMariaDB(t, nil)
	for _, server := range []*servertest.MariaDB{old, promoted} {
		watch(t, server).MustExec(`create table test.writes (n int)`)
	}
	var addr atomic.Value
	addr.Store(old.Addr())
	cfg := config{MaxSize: size, IsBad: func(err error) bool {
		return code(err) == errReadOnlyOption || connpool.DefaultIsBad(err)
	}}
	db, _ := openMySQL(t, old.PlainDSN(), cfg, through(func() string { return addr.Load().(string) }))
	holdAll(t, db, size)
	watch(t, old).MustExec(`set global read_only = 1`)
	addr.Store(promoted.Addr())
	failed := 0
	for range 20 {
		if _, err := db.ExecContext(patient(t), `insert into writes values (1)`); err != nil {
			require.EqualValues(t, errReadOnlyOption, code(err))
			failed++
		}
	}
	require.LessOrEqual(t, failed, size, "each connection is given up at its first error")
}

func TestFault113_ACrashUnderLoadIsOver(t *testing.T) {
	const size, callers = 8, 30
	server := servertest.NewMariaDB(t, nil)
	db, pool := openMySQL(t, server.DSN(), config{MaxSize: size}, nil)
	holdAll(t, db, size)
	var stop atomic.Bool
	var served atomic.Int64
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for !stop.Load() {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				if _, err := db.ExecContext(ctx, `do 1`); err == nil {
					served.Add(1)
				}
				cancel()
			}
		})
	}
	servesOn := func() {
		before := served.Load()
		eventually(t, func() bool { return served.Load() > before+callers }, "callers are served")
	}
	servesOn()
	require.NoError(t, server.Kill())
	require.NoError(t, server.Restart(t.Context()))
	servesOn()
	require.LessOrEqual(t, pool.Stats().Size, size)
	stop.Store(true)
	all.Wait()
	askAll(t, db, size)
	require.Zero(t, pool.Stats().InUse)
}

func TestFault114_ALateResultReachesNobodyElse(t *testing.T) {
	server := servertest.NewMariaDB(t, nil)
	db, pool := openMySQL(t, server.DSN(), config{MaxSize: 2}, nil)
	for i := range 100 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%10)*100*time.Microsecond)
		var late string
		err := db.QueryRowContext(ctx, `select 'late' from (select sleep(0.001)) as nap`).Scan(&late)
		cancel()
		require.True(t, err == nil || errors.Is(err, context.DeadlineExceeded), "%v", err)
		var mine int
		require.NoError(t, db.QueryRowContext(patient(t), `select ?`, i).Scan(&mine))
		require.Equal(t, i, mine)
	}
	require.Zero(t, pool.Stats().InUse)
}

func TestFault115_ConnectionsThatAProxyCutsCostNoError(t *testing.T) {
	const size = 4
	server := servertest.NewMariaDB(t, nil)
	proxy := servertest.NewHAProxy(t, server.Addr(), time.Second)
	watcher := watch(t, server)
	db, pool := openMySQL(t, servertest.MariaDSN(proxy.Addr()), config{MaxSize: size}, nil)
	holdAll(t, db, size)
	eventually(t, func() bool { return len(sessions(t, watcher)) == 0 }, "the proxy cuts them")
	askAll(t, db, size)
	require.LessOrEqual(t, pool.Stats().Size, size)
}
