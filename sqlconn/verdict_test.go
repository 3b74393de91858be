package sqlconn_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/sqlconn"
)

// errDemoted is what a server says that was the writer until a fail-over.
var errDemoted = errors.New("25006: cannot execute in a read-only transaction")

// Every call of a driver that can fail, with what leads there.
var failing = []struct {
	shape, method string
	play          func(*sql.DB)
}{
	{"Ping", "Ping", func(db *sql.DB) { _ = db.Ping() }},
	{"ExecContext", "ExecContext", func(db *sql.DB) { exec(db, "a") }},
	{"Exec", "Exec", func(db *sql.DB) { exec(db, "a") }},
	{"QueryContext", "QueryContext", func(db *sql.DB) { query(db, "a") }},
	{"all", "QueryContext", func(db *sql.DB) { query(db, "a") }},
	{"all", "Rows.Next", func(db *sql.DB) { query(db, "a") }},
	{"all", "Rows.Close", func(db *sql.DB) { query(db, "a") }},
	{"all", "NextResultSet", func(db *sql.DB) { query(db, "a") }},
	{"none", "Prepare", func(db *sql.DB) { query(db, "a") }},
	{"PrepareContext", "PrepareContext", func(db *sql.DB) { _, _ = db.Prepare("a") }},
	{"none", "Stmt.Exec", func(db *sql.DB) { exec(db, "a") }},
	{"none", "Stmt.Query", func(db *sql.DB) { query(db, "a") }},
	{"none", "Rows.Next", func(db *sql.DB) { query(db, "a") }},
	{"none", "Begin", func(db *sql.DB) { _, _ = db.Begin() }},
	{"BeginTx", "BeginTx", func(db *sql.DB) { _, _ = db.Begin() }},
	{"all", "Commit", func(db *sql.DB) { transact(db, (*sql.Tx).Commit) }},
	{"all", "Rollback", func(db *sql.DB) { transact(db, (*sql.Tx).Rollback) }},
	{"all", "ExecContext", func(db *sql.DB) {
		transact(db, func(tx *sql.Tx) error { _, err := tx.Exec("a"); return errors.Join(err, tx.Commit()) })
	}},
}

func TestFault53_EveryErrorOfTheDriversReachesIsBad(t *testing.T) {
	isBad := func(err error) bool { return errors.Is(err, errDemoted) }
	for _, c := range failing {
		for _, statements := range []int{0, 1} {
			t.Run(fmt.Sprint(c.method, " of ", c.shape, ", ", statements, " kept"), func(t *testing.T) {
				s := newServer()
				s.shape, s.rows = connShapes[c.shape], rowsShapes["Sets"]
				cfg := oneConn
				cfg.IsBad = isBad
				db, pool := open(t, s, cfg, sqlconn.Options{StatementCache: statements})
				s.fail(c.method, errDemoted)
				c.play(db)
				require.Zero(t, pool.Stats().InUse)
				next(t, s, db)
			})
		}
	}
}

// A driver that has an IsValid is believed; of another the type of the error has
// to do.
func TestFault53_ByDefaultTheDriverSaysWhetherItsConnectionBroke(t *testing.T) {
	for shape, want := range map[string]int{"ExecContext": 2, "Exec Reset IsValid": 1} {
		s := newServer()
		s.shape = connShapes[shape]
		db, _ := open(t, s, oneConn, sqlconn.Options{})
		s.fail("ExecContext", io.ErrUnexpectedEOF)
		require.ErrorIs(t, exec(db, "a").(error), io.ErrUnexpectedEOF)
		require.Equal(t, "1 <nil>", exec(db, "b"))
		require.Equal(t, want, s.opened, shape)
	}
}

func TestFault53_AConnectionThatComesBackDeadIsClosedThere(t *testing.T) {
	s := newServer()
	s.shape = connShapes["all"]
	db, pool := open(t, s, config{MaxSize: 1}, sqlconn.Options{})
	must(t, db.Ping())
	s.fail("IsValid", nil, errFake) // when it is lent, and when it comes back
	must(t, db.Ping())
	require.Eventually(t, func() bool { return s.openNow() == 0 }, patience, patience/1e4)
	require.Equal(t, uint64(1), pool.Stats().Closes[connpool.ClosedClean])
	lease, err := pool.Acquire(ctx)
	require.NoError(t, err)
	s.fail("IsValid", errFake)
	lease.Release()
	require.Equal(t, uint64(2), pool.Stats().Closes[connpool.ClosedClean])
}

// asking is an argument whose value another system has to be asked for.
type asking struct{ err error }

func (a asking) Value() (driver.Value, error) { return nil, a.err }

// scanning is a destination whose Scan asks another system.
type scanning struct{ err error }

func (s scanning) Scan(any) error { return s.err }

func TestFault55_AnErrorOfAnotherSystemCostsNoConnection(t *testing.T) {
	elsewhere, elsewheresPool := open(t, newServer(), config{MaxSize: 1}, sqlconn.Options{})
	held := take(t, elsewhere, 1)
	defer giveBack(t, held)
	ended, end := context.WithTimeout(ctx, 1)
	defer end()
	_, exhausted := elsewheresPool.Acquire(ended)
	require.Error(t, exhausted)
	for _, err := range []error{syscall.ECONNREFUSED, io.EOF, context.DeadlineExceeded, exhausted} {
		for shape := range connShapes {
			s := newServer()
			s.shape = connShapes[shape]
			db, pool := open(t, s, oneConn, sqlconn.Options{StatementCache: 1})
			for name, use := range map[string]func() error{
				"an argument":       func() error { return exec(db, "a ?", asking{err}).(error) },
				"a query's":         func() error { return query(db, "a ?", asking{err}).(error) },
				"a row's":           func() error { return db.QueryRow("a").Scan(scanning{err}) },
				"a transaction's":   func() error { return inTx(db, func(*sql.Tx) error { return err }) },
				"a function's, Raw": func() error { return onConn(t, db, func(c *sql.Conn) error { return raw(c, err) }) },
			} {
				require.ErrorIs(t, use(), err, name)
			}
			if _, ok := s.shape(&fakeConn{}).(driver.Validator); ok {
				lease, acquireErr := pool.Acquire(ctx)
				require.NoError(t, acquireErr)
				lease.ReleaseErr(err)
			}
			must(t, db.Ping())
			require.Equal(t, 1, s.opened, "%s: %v", shape, err)
		}
	}
}

func inTx(db *sql.DB, work func(*sql.Tx) error) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	return errors.Join(work(tx), tx.Rollback())
}

func onConn(t *testing.T, db *sql.DB, work func(*sql.Conn) error) error {
	conn := take(t, db, 1)
	defer giveBack(t, conn)
	return work(conn[0])
}

func raw(c *sql.Conn, err error) error { return c.Raw(func(any) error { return err }) }
