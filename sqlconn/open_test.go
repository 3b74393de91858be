package sqlconn_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/sqlconn"
)

type (
	config = connpool.Config[driver.Conn]
	pool   = connpool.Pool[driver.Conn]
)

// open returns a handle over a pool that is closed when the test ends. Then no
// connection is open.
func open(t *testing.T, s *server, cfg config, options sqlconn.Options) (*sql.DB, *pool) {
	t.Helper()
	db, pool, err := sqlconn.Open(s, cfg, options)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, db.Close())
		require.Zero(t, s.openNow())
	})
	return db, pool
}

// take borrows n connections at once: a sql.Conn has none before it is used.
func take(t *testing.T, db *sql.DB, n int) (conns []*sql.Conn) {
	t.Helper()
	for range n {
		c, err := db.Conn(ctx)
		require.NoError(t, err)
		require.NoError(t, c.PingContext(ctx))
		conns = append(conns, c)
	}
	return conns
}

func giveBack(t *testing.T, conns []*sql.Conn) {
	t.Helper()
	for _, c := range conns {
		require.NoError(t, c.Close())
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	require.NoError(t, err)
}

func TestABadConfigIsReportedByOpenAndByEveryUseOfAHandle(t *testing.T) {
	connect := func(context.Context) (driver.Conn, error) { return nil, errFake }
	for _, c := range []struct {
		connector driver.Connector
		cfg       config
		options   sqlconn.Options
		want      string
	}{
		{newServer(), config{Connect: connect}, sqlconn.Options{}, "Config.Connect is set"},
		{nil, config{}, sqlconn.Options{}, "connector is nil"},
		{newServer(), config{MaxSize: -1}, sqlconn.Options{}, "MaxSize is -1"},
		{newServer(), config{}, sqlconn.Options{StatementCache: -1}, "StatementCache is -1"},
	} {
		_, _, err := sqlconn.Open(c.connector, c.cfg, c.options)
		require.ErrorContains(t, err, c.want)
		if c.options != (sqlconn.Options{}) {
			continue
		}
		db := sqlconn.OpenDB(c.connector, c.cfg)
		require.ErrorContains(t, db.Ping(), c.want)
		require.NoError(t, db.Close())
	}
}

func TestTheHandleHasTheDriversOwnDriver(t *testing.T) {
	s := newServer()
	db, _ := open(t, s, config{}, sqlconn.Options{})
	require.Equal(t, fakeDriver{s}, db.Driver())
}

func TestDriverConnIsTheDriversOwn(t *testing.T) {
	for name, shape := range connShapes {
		s := newServer()
		var made driver.Conn
		s.shape = func(c *fakeConn) driver.Conn { made = shape(c); return made }
		db, pool := open(t, s, config{}, sqlconn.Options{})
		conn := take(t, db, 1)
		must(t, conn[0].Raw(func(c any) error {
			own, err := sqlconn.DriverConn(ctx, c)
			require.Equal(t, made, own, name)
			return err
		}))
		giveBack(t, conn)
		lease, err := pool.Acquire(ctx)
		require.NoError(t, err)
		own, err := sqlconn.DriverConn(ctx, lease.Conn())
		require.NoError(t, err)
		require.Equal(t, made, own, name)
		lease.Release()
	}
	own, err := sqlconn.DriverConn(ctx, 7)
	require.NoError(t, err)
	require.Equal(t, 7, own, "anything else is itself")
}

func TestThePoolPoolsAndNotDatabaseSQL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		db, pool := open(t, s, config{MaxSize: 3}, sqlconn.Options{})
		conns := take(t, db, 3)
		require.Equal(t, 3, pool.Stats().InUse)
		giveBack(t, conns)
		require.Equal(t, 3, pool.Stats().Idle)
		giveBack(t, take(t, db, 3))
		require.Equal(t, 3, s.opened)
		require.NoError(t, pool.Resize(1))
		conns = take(t, db, 1)
		ended, end := context.WithTimeout(ctx, time.Millisecond)
		defer end()
		_, err := db.ExecContext(ended, "a")
		require.ErrorIs(t, err, connpool.ErrExhausted)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		giveBack(t, conns)
	})
}

func TestTheHoldersAreThoseWhoAskedTheHandle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		db, pool := open(t, s, config{MaxSize: 1, LeakStacks: connpool.StacksAlways}, sqlconn.Options{})
		giveBack(t, take(t, db, 1)) // who waits for a dial has another stack
		conns := take(t, db, 1)
		require.Contains(t, pool.Holders()[0].Caller, "sqlconn_test.take (open_test.go:")
		ended, end := context.WithTimeout(ctx, time.Millisecond)
		defer end()
		require.ErrorContains(t, db.PingContext(ended), "by sqlconn_test.take (open_test.go:")
		giveBack(t, conns)
	})
}

func TestCloseClosesWhatIsIdleAndThenTheConnector(t *testing.T) {
	s := &closer{server: newServer()}
	db, pool, err := sqlconn.Open(s, config{}, sqlconn.Options{})
	require.NoError(t, err)
	giveBack(t, take(t, db, 3))
	require.ErrorIs(t, db.Close(), errFake, "the connector's")
	require.Equal(t, []int{0}, s.openThen)
	_, err = pool.Acquire(ctx)
	require.ErrorIs(t, err, connpool.ErrClosed)
	require.NoError(t, db.Close(), "a second time")
	require.Len(t, s.openThen, 1)
}

func TestCloseDoesNotWaitForWhatIsInUse(t *testing.T) {
	s := newServer()
	db, pool, err := sqlconn.Open(s, config{}, sqlconn.Options{})
	require.NoError(t, err)
	conns := take(t, db, 1)
	require.NoError(t, db.Close())
	require.Equal(t, 1, s.openNow())
	giveBack(t, conns)
	require.NoError(t, pool.Shutdown(ctx))
	require.Zero(t, s.openNow())
}

func TestWhatIsInUseWhenTheHandleIsClosedGoesOn(t *testing.T) {
	for name, statements := range map[string]int{"none": 0, "all": 2} {
		s := newServer()
		s.shape = connShapes[name]
		db, pool, err := sqlconn.Open(s, config{}, sqlconn.Options{StatementCache: statements})
		require.NoError(t, err)
		rows, err := db.Query("a")
		require.NoError(t, err)
		tx, err := db.Begin()
		require.NoError(t, err)
		must(t, db.Close())
		require.Equal(t, "[2 1] <nil> <nil>", read(rows, nil))
		_, err = tx.Exec("b")
		require.NoError(t, err)
		must(t, tx.Commit())
		require.NoError(t, pool.Shutdown(ctx))
		require.Zero(t, s.openNow())
	}
}

// closer is a connector that has to be closed.
type closer struct {
	*server
	openThen []int
}

func (c *closer) Close() error {
	c.openThen = append(c.openThen, c.openNow())
	return errFake
}

func TestCallbacksGetTheDriversConnection(t *testing.T) {
	var mu sync.Mutex
	got := map[string]int{}
	seen := func(name string, c driver.Conn) {
		mu.Lock()
		defer mu.Unlock()
		if _, ok := c.(*fakeConn); ok {
			got[name]++
		}
	}
	inline := func(name string) func(driver.Conn) error {
		return func(c driver.Conn) error { seen(name, c); return nil }
	}
	waiting := func(name string) func(context.Context, driver.Conn) error {
		return func(_ context.Context, c driver.Conn) error { seen(name, c); return nil }
	}
	synctest.Test(t, func(t *testing.T) {
		db := sqlconn.OpenDB(newServer(), config{
			Alive: inline("Alive"), Clean: inline("Clean"),
			Check: waiting("Check"), Prepare: waiting("Prepare"), Reset: waiting("Reset"),
			Close: func(ctx context.Context, c driver.Conn) error { seen("Close", c); return c.Close() },
		})
		must(t, db.Ping())
		time.Sleep(10 * time.Second) // it is due for a check now
		must(t, db.Ping())
		must(t, db.Close())
	})
	require.Equal(t, map[string]int{"Alive": 2, "Clean": 2, "Check": 1, "Prepare": 2, "Reset": 2, "Close": 1}, got)
}

func TestAConnectionThatDiesIdleIsNotLent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.shape = connShapes["Ping"]
		db, pool := open(t, s, config{}, sqlconn.Options{})
		must(t, db.Ping())
		s.fail("Ping", errFake)
		time.Sleep(10 * time.Second)
		_, err := db.Exec("a")
		require.NoError(t, err)
		require.Equal(t, 2, s.opened)
		require.Equal(t, uint64(1), pool.Stats().Closes[connpool.ClosedCheck])
	})
}

func TestAConnectionThatIsNoLongerValidIsNotLent(t *testing.T) {
	s := newServer()
	s.shape = connShapes["IsValid"]
	db, _ := open(t, s, config{}, sqlconn.Options{})
	must(t, db.Ping())
	s.fail("IsValid", errFake)
	must(t, db.Ping())
	require.Equal(t, 2, s.opened)
}

// database/sql ignores it, unless it is ErrBadConn.
func TestASessionThatCannotBeResetIsNotLent(t *testing.T) {
	for _, failure := range []error{errFake, driver.ErrBadConn, errPanic} {
		s := newServer()
		s.shape = connShapes["Reset"]
		db, _ := open(t, s, config{MaxSize: 1}, sqlconn.Options{})
		must(t, db.Ping())
		s.fail("ResetSession", failure)
		if failure == errPanic {
			require.PanicsWithError(t, errPanic.Error(), func() { _ = db.Ping() })
		}
		_, err := db.Exec("a")
		require.NoError(t, err)
		require.Equal(t, []string{"2 Prepare[a]"}, s.calls("Prepare"))
	}
}

func TestAResetCutShortFailsWithItsContext(t *testing.T) {
	s := newServer()
	s.shape = connShapes["Reset"]
	ending, end := context.WithCancel(ctx)
	defer end()
	lent := 0
	alive := func(driver.Conn) error { // it runs before the reset
		if lent++; lent == 2 {
			end()
		}
		return nil
	}
	db, _ := open(t, s, config{Alive: alive, Logger: slog.New(slog.DiscardHandler)}, sqlconn.Options{})
	must(t, db.Ping())
	s.fail("ResetSession", driver.ErrBadConn)
	for range 1000 {
		s.fail("Connect", errFake) // lest there be another just in time
	}
	require.ErrorIs(t, db.PingContext(ending), context.Canceled)
}

func TestAPrepareOfTheUsersMayRefuseAConnection(t *testing.T) {
	s := newServer()
	refuse := driver.ErrBadConn
	db, _ := open(t, s, config{Prepare: func(context.Context, driver.Conn) error {
		err := refuse
		refuse = nil
		return err
	}}, sqlconn.Options{})
	must(t, db.Ping())
	require.Equal(t, 2, s.opened)
}

// The pool has retried, so database/sql must not: each of its attempts would wait
// as long again.
func TestADialThatIsBadIsRetriedByThePoolAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		db, _ := open(t, s, config{DownAfter: time.Second, Logger: slog.New(slog.DiscardHandler)}, sqlconn.Options{})
		for range 1000 {
			s.fail("Connect", driver.ErrBadConn)
		}
		began := time.Now()
		err := db.Ping()
		require.NotErrorIs(t, err, driver.ErrBadConn)
		var failure *connpool.AcquireError
		require.True(t, errors.As(err, &failure))
		require.Equal(t, connpool.StageConnect, failure.Stage)
		require.Less(t, time.Since(began), 3*time.Second)
	})
}
