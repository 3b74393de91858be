package sqlconn_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/sqlconn"
)

// A connection that broke, or may have, must not come back. Each test breaks the
// only connection; what is run next must run on a second.

func next(t *testing.T, s *server, db *sql.DB) {
	t.Helper()
	before := len(s.calls())
	_, err := db.Exec("next")
	require.NoError(t, err)
	for _, call := range without(s.calls()[before:], "Close", "Stmt.Close") {
		require.NotRegexp(t, "^1 ", call)
	}
	require.Equal(t, 2, s.opened)
}

func TestAConnectionThatWasBadInATransactionDoesNotReturn(t *testing.T) {
	s := newServer()
	s.shape = connShapes["ExecContext"]
	db, _ := open(t, s, oneConn, sqlconn.Options{})
	tx, err := db.Begin()
	require.NoError(t, err)
	s.fail("ExecContext", driver.ErrBadConn)
	_, err = tx.Exec("a")
	require.ErrorIs(t, err, driver.ErrBadConn)
	must(t, tx.Rollback())
	next(t, s, db)
}

func TestAConnectionWhoseRowsWereBadDoesNotReturn(t *testing.T) {
	for _, method := range []string{"Rows.Next", "Rows.Close", "NextResultSet"} {
		s := newServer()
		s.shape, s.rows = connShapes["QueryContext"], rowsShapes["Sets"]
		db, _ := open(t, s, oneConn, sqlconn.Options{})
		s.fail(method, driver.ErrBadConn)
		read(db.Query("a"))
		next(t, s, db)
	}
}

func TestAConnectionWhoseStatementWasBadDoesNotReturn(t *testing.T) {
	s := newServer()
	db, _ := open(t, s, oneConn, sqlconn.Options{})
	s.fail("Stmt.Close", driver.ErrBadConn)
	_, err := db.Exec("a")
	require.NoError(t, err)
	next(t, s, db)
}

func TestAConnectionWithAnOpenTransactionDoesNotReturn(t *testing.T) {
	s := newServer()
	db, _ := open(t, s, oneConn, sqlconn.Options{})
	tx, err := db.Begin()
	require.NoError(t, err)
	s.fail("Rollback", errFake)
	require.ErrorIs(t, tx.Rollback(), errFake)
	next(t, s, db)
}

// The driver knows no contexts, so the transaction has begun, and stays open.
func TestAConnectionWhoseLateTransactionIsOpenDoesNotReturn(t *testing.T) {
	s := newServer()
	db, _ := open(t, s, oneConn, sqlconn.Options{})
	conn := take(t, db, 1)[0]
	s.fail("Rollback", errFake)
	ended, end := context.WithCancel(ctx)
	end()
	_, err := conn.BeginTx(ended, nil)
	require.ErrorIs(t, err, context.Canceled)
	must(t, conn.Close())
	next(t, s, db)
}

// What a driver may be in the midst of when it panics, with what leads there.
var unreturned = []struct {
	shape, method string
	play          func(*sql.DB)
}{
	{"Ping", "Ping", func(db *sql.DB) { _ = db.Ping() }},
	{"ExecContext", "ExecContext", func(db *sql.DB) { exec(db, "a") }},
	{"QueryContext", "QueryContext", func(db *sql.DB) { query(db, "a") }},
	{"all", "QueryContext", func(db *sql.DB) { query(db, "a") }},
	{"Checker", "CheckNamedValue", func(db *sql.DB) { query(db, "a ?", 1) }},
	{"IsValid", "IsValid", func(db *sql.DB) { exec(db, "a") }},
	{"none", "Prepare", func(db *sql.DB) { query(db, "a") }},
	{"none", "Stmt.Exec", func(db *sql.DB) { exec(db, "a") }},
	{"none", "Stmt.Query", func(db *sql.DB) { query(db, "a") }},
	{"none", "Stmt.Close", func(db *sql.DB) { exec(db, "a"); exec(db, "b") }},
	{"none", "Rows.Next", func(db *sql.DB) { query(db, "a") }},
	{"none", "Rows.Close", func(db *sql.DB) { query(db, "a") }},
	{"none", "NextResultSet", func(db *sql.DB) { query(db, "a") }},
	{"none", "Begin", func(db *sql.DB) { _, _ = db.Begin() }},
	{"none", "Commit", func(db *sql.DB) { transact(db, (*sql.Tx).Commit) }},
	{"none", "Rollback", func(db *sql.DB) { transact(db, (*sql.Tx).Rollback) }},
	{"Reset", "ResetSession", func(db *sql.DB) { exec(db, "a"); exec(db, "b") }},
	{"Reset IsValid", "ResetSession", func(db *sql.DB) { exec(db, "a"); exec(db, "b") }},
}

// transact does what careful code does, which rolls back after a panic, too.
func transact(db *sql.DB, end func(*sql.Tx) error) {
	tx, err := db.Begin()
	if err != nil {
		return
	}
	defer tx.Rollback()
	_ = end(tx)
}

func TestADriverThatDoesNotReturnCostsItsConnectionAndNoSlot(t *testing.T) {
	for _, c := range unreturned {
		for _, failure := range []error{errPanic, errExit} {
			for _, statements := range []int{0, 1} {
				t.Run(fmt.Sprint(c.method, " of ", c.shape, ", ", failure, ", ", statements, " kept"), func(t *testing.T) {
					s := newServer()
					s.shape, s.rows = connShapes[c.shape], rowsShapes["Sets"]
					db, pool := open(t, s, oneConn, sqlconn.Options{StatementCache: statements})
					s.fail(c.method, failure)
					returned := false
					var all sync.WaitGroup
					all.Go(func() {
						defer func() { _ = recover() }()
						c.play(db)
						returned = true
					})
					all.Wait()
					require.False(t, returned, "nothing was tested")
					require.Zero(t, pool.Stats().InUse)
					next(t, s, db)
				})
			}
		}
	}
}

// The rows must not be read from a connection that is closed.
func TestADriverThatPanicsWhileRowsAreOpenEndsThoseToo(t *testing.T) {
	s := newServer()
	s.shape = connShapes["all"]
	db, pool := open(t, s, oneConn, sqlconn.Options{})
	tx, err := db.Begin()
	require.NoError(t, err)
	r, err := tx.Query("a")
	require.NoError(t, err)
	s.fail("ExecContext", errPanic)
	require.Panics(t, func() { _, _ = tx.Exec("b") })
	require.Zero(t, pool.Stats().InUse)
	require.Equal(t, "[] driver: bad connection <nil>", read(r, nil))
	require.ErrorIs(t, tx.Rollback(), driver.ErrBadConn)
	next(t, s, db)
}

func TestAConnectionThatRawPanickedWithDoesNotReturn(t *testing.T) {
	s := newServer()
	db, _ := open(t, s, oneConn, sqlconn.Options{})
	c := take(t, db, 1)[0]
	require.Panics(t, func() { _ = c.Raw(func(c any) error { panic(c) }) })
	next(t, s, db)
}

func TestAConnectionThatPingsBadDoesNotReturn(t *testing.T) {
	s := newServer()
	s.shape = connShapes["Ping"]
	db, _ := open(t, s, oneConn, sqlconn.Options{})
	s.fail("Ping", driver.ErrBadConn)
	require.ErrorIs(t, db.Ping(), driver.ErrBadConn)
	next(t, s, db)
}

// Every idle connection is dead, as after a restart of the server. database/sql
// gives up after three bad ones in a row; with its own pool the third is new.
func TestARestartOfTheServerCostsNoError(t *testing.T) {
	for _, name := range []string{"Exec Query", "all"} {
		t.Run(name, func(t *testing.T) {
			s := newServer()
			s.shape = connShapes[name]
			db, pool := open(t, s, config{MaxSize: 10, CheckAfterIdle: -1}, sqlconn.Options{})
			giveBack(t, take(t, db, 10))
			require.Equal(t, 10, pool.Stats().Idle)
			s.die()
			for range 30 {
				_, err := db.Exec("a")
				require.NoError(t, err)
			}
			require.LessOrEqual(t, len(s.calls("Dead")), 10, "each at most once")
		})
	}
}

// readOnly answers pings; connections that were opened before the fail-over take no
// writes.
type readOnly struct {
	*fakeConn
	hasPing
	before int
}

func (c readOnly) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	if c.id <= c.before {
		return nil, driver.ErrBadConn
	}
	return driver.RowsAffected(1), nil
}

func TestConnectionsThatPingAndAreBadAllTheSameCostNoError(t *testing.T) {
	const size = 8
	s := newServer()
	s.shape = func(c *fakeConn) driver.Conn { return readOnly{c, hasPing{c}, size} }
	db, _ := open(t, s, config{MaxSize: size, CheckAfterIdle: -1}, sqlconn.Options{})
	giveBack(t, take(t, db, size))
	for range 3 * size {
		_, err := db.Exec("a")
		require.NoError(t, err)
	}
}

// Only the first of a generation says anything about it.
func TestOneBadConnectionRetiresItsOwnGenerationOnly(t *testing.T) {
	s := newServer()
	s.shape = connShapes["Exec Query"]
	db, pool := open(t, s, config{MaxSize: 2}, sqlconn.Options{})
	old := take(t, db, 2)
	breakIt := func(c *sql.Conn) {
		s.fail("Exec", driver.ErrBadConn)
		_, err := c.ExecContext(ctx, "a")
		require.ErrorIs(t, err, driver.ErrBadConn)
	}
	breakIt(old[0])
	fresh := take(t, db, 1)
	breakIt(old[1])
	giveBack(t, fresh)
	giveBack(t, take(t, db, 1))
	require.Equal(t, 3, s.opened, "the fresh one is still there")
	require.Equal(t, uint64(2), pool.Stats().Closes[connpool.ClosedDiscarded])
}

func TestATransactionThatIsCutShortSaysNothingAboutOtherConnections(t *testing.T) {
	s := newServer()
	db, pool := open(t, s, config{MaxSize: 2}, sqlconn.Options{})
	giveBack(t, take(t, db, 2))
	ending, end := context.WithCancel(ctx)
	tx, err := db.BeginTx(ending, nil)
	require.NoError(t, err)
	end()
	for tx.Commit() != sql.ErrTxDone { // it fails until then with the context's error
	}
	conns := take(t, db, 2)
	require.Equal(t, 3, s.opened)
	giveBack(t, conns)
	require.Equal(t, uint64(1), pool.Stats().Closes[connpool.ClosedDiscarded])
	require.Zero(t, pool.Stats().Closes[connpool.ClosedRetired])
}

func TestAStatementClosedLateTouchesNothing(t *testing.T) {
	s := newServer()
	db, _ := open(t, s, oneConn, sqlconn.Options{})
	conn := take(t, db, 1)[0]
	stmt, err := conn.PrepareContext(ctx, "a")
	require.NoError(t, err)
	must(t, conn.Close())
	require.Equal(t, []string{"1 Stmt.Close[#1 a]"}, s.calls("Stmt.Close"), "with the lease")
	other := take(t, db, 1)
	before := fmt.Sprint(s.calls())
	must(t, stmt.Close())
	_, err = stmt.Exec()
	require.Error(t, err)
	require.Equal(t, before, fmt.Sprint(s.calls()))
	giveBack(t, other)
}

func TestErrBadConnIsBadWhateverIsBadSays(t *testing.T) {
	never := func(error) bool { return false }
	for _, c := range []struct {
		isBad func(error) bool
		err   error
		want  uint64
	}{
		{never, driver.ErrBadConn, 1},
		{never, io.EOF, 0},
		{nil, driver.ErrBadConn, 1},
		{nil, io.EOF, 1},
		{nil, context.Canceled, 1},
		{nil, errFake, 0},
	} {
		s := newServer()
		_, pool := open(t, s, config{IsBad: c.isBad}, sqlconn.Options{})
		lease, err := pool.Acquire(ctx)
		require.NoError(t, err)
		lease.ReleaseErr(fmt.Errorf("wrapped: %w", c.err))
		require.Equal(t, c.want, pool.Stats().Closes[connpool.ClosedDiscarded], c.err)
	}
}
