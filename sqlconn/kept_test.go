package sqlconn_test

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/sqlconn"
)

// keeping returns a handle of one connection that keeps statements.
func keeping(t *testing.T, statements int) (*server, *sql.DB, *pool) {
	s := newServer()
	db, pool := open(t, s, oneConn, sqlconn.Options{StatementCache: statements})
	return s, db, pool
}

func run(t *testing.T, db *sql.DB, queries ...string) {
	t.Helper()
	for _, q := range queries {
		_, err := db.Exec(q)
		require.NoError(t, err)
	}
}

func TestAStatementIsPreparedOnceAConnection(t *testing.T) {
	s, db, _ := keeping(t, 4)
	stmt, err := db.Prepare("a")
	require.NoError(t, err)
	for range 5 {
		_, err := stmt.Exec()
		require.NoError(t, err)
		require.Equal(t, "[2 1] <nil> <nil>", read(stmt.Query()))
	}
	must(t, stmt.Close())
	run(t, db, "a", "a")
	require.Equal(t, "[2 1] <nil> <nil>", query(db, "a"))
	require.Equal(t, []string{"1 Prepare[a]"}, s.calls("Prepare"))
	require.Empty(t, s.calls("Stmt.Close"))
}

func TestWithoutACacheNothingIsKept(t *testing.T) {
	s, db, _ := keeping(t, 0)
	run(t, db, "a", "a")
	require.Len(t, s.calls("Prepare"), 2)
	require.Len(t, s.calls("Stmt.Close"), 2)
}

func TestTheLeastRecentlyUsedStatementMakesRoom(t *testing.T) {
	s, db, _ := keeping(t, 2)
	run(t, db, "a", "b", "a", "c", "a")
	require.Equal(t, []string{"1 Stmt.Close[#2 b]"}, s.calls("Stmt.Close"))
	require.Len(t, s.calls("Prepare"), 3)
}

func TestAStatementThatCannotBeClosedIsReportedToWhoeverItMadeRoomFor(t *testing.T) {
	s, db, _ := keeping(t, 1)
	run(t, db, "a")
	s.fail("Stmt.Close", errFake)
	conn := take(t, db, 1)[0]
	stmt, err := conn.PrepareContext(ctx, "b")
	require.NoError(t, err)
	require.ErrorIs(t, stmt.Close(), errFake)
	must(t, conn.Close())
}

func TestKeptStatementsAreClosedWithTheirConnection(t *testing.T) {
	s, db, pool := keeping(t, 4)
	run(t, db, "a", "b", "c")
	pool.Retire()
	run(t, db, "d")
	require.Equal(t, []string{
		"1 Stmt.Close[#1 a]", "1 Stmt.Close[#2 b]", "1 Stmt.Close[#3 c]", "1 Close[]", "2 Prepare[d]",
	}, s.calls("Stmt.Close", "Close", "Prepare")[3:])
}

func TestAConnectionIsClosedEvenIfItsStatementsCannotBe(t *testing.T) {
	for _, failure := range []error{errFake, errPanic} {
		s := newServer()
		cfg := oneConn
		cfg.Logger = slog.New(slog.DiscardHandler)
		db, pool := open(t, s, cfg, sqlconn.Options{StatementCache: 4})
		run(t, db, "a", "b")
		s.fail("Stmt.Close", failure)
		pool.Retire()
		run(t, db, "c")
		require.Equal(t, []string{"1 Stmt.Close[#1 a]", "1 Close[]"}, s.calls("Stmt.Close", "Close"))
	}
}

func TestAStatementInUseTwiceIsASecondOne(t *testing.T) {
	s, db, _ := keeping(t, 4)
	run(t, db, "a")
	before := len(s.calls("Stmt.Exec"))
	conn := take(t, db, 1)[0]
	first, err := conn.PrepareContext(ctx, "a")
	require.NoError(t, err)
	second, err := conn.PrepareContext(ctx, "a")
	require.NoError(t, err)
	_, err = first.Exec()
	require.NoError(t, err)
	_, err = second.Exec()
	require.NoError(t, err)
	require.Equal(t, []string{"1 Stmt.Exec[#1 a []]", "1 Stmt.Exec[#2 a []]"}, s.calls("Stmt.Exec")[before:])
	must(t, first.Close())
	must(t, second.Close())
	must(t, conn.Close())
	require.Equal(t, []string{"1 Stmt.Close[#2 a]"}, s.calls("Stmt.Close"), "one is enough to keep")
}

func TestAStatementWithOpenRowsIsNotLentToAnother(t *testing.T) {
	s, db, _ := keeping(t, 4)
	run(t, db, "a")
	tx, err := db.Begin()
	require.NoError(t, err)
	first, err := tx.Prepare("a")
	require.NoError(t, err)
	r, err := first.Query()
	require.NoError(t, err)
	must(t, first.Close()) // before its rows
	second, err := tx.Prepare("a")
	require.NoError(t, err)
	require.Len(t, s.calls("Prepare"), 2, "the rows of the first are open")
	must(t, second.Close())
	must(t, r.Close())
	_, err = tx.Exec("a")
	require.NoError(t, err)
	require.Len(t, s.calls("Prepare"), 2, "they are not any more")
	must(t, tx.Commit())
}

// The server may have dropped it, or the tables may have changed under it.
func TestAStatementThatFailedIsNotKept(t *testing.T) {
	for _, method := range []string{"Stmt.Exec", "Stmt.Query", "Rows.Next", "Rows.Close"} {
		s, db, _ := keeping(t, 4)
		s.fail(method, errFake)
		if method == "Stmt.Exec" {
			require.ErrorIs(t, exec(db, "a").(error), errFake)
		} else {
			require.Contains(t, fmt.Sprint(query(db, "a")), errFake.Error())
		}
		run(t, db, "a")
		require.Len(t, s.calls("Prepare"), 2, method)
	}
}

func TestStatementsOfALeaseAreKeptWhenItEnds(t *testing.T) {
	s, db, _ := keeping(t, 4)
	conn := take(t, db, 1)[0]
	_, err := conn.PrepareContext(ctx, "a")
	require.NoError(t, err)
	must(t, conn.Close())
	run(t, db, "a")
	require.Equal(t, []string{"1 Prepare[a]"}, s.calls("Prepare"))
}

func TestStatementsOfABadConnectionGoWithIt(t *testing.T) {
	s, db, _ := keeping(t, 4)
	run(t, db, "a")
	s.fail("Stmt.Exec", driver.ErrBadConn)
	run(t, db, "a")
	require.Equal(t, []string{"1 Prepare[a]", "2 Prepare[a]"}, s.calls("Prepare"))
}
