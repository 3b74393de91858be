package sqlconn_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/sqlconn"
)

// Each scenario is played on a plain sql.DB and on this package's, over the same
// fake driver: the driver must see the same calls in the same order on the same
// connections, and the user the same results. Two things are left out: IsValid,
// which this pool asks once more, before it lends; and, where statements outlive
// a lease or are kept, when they are prepared and closed.

// scenario is some work with a handle, and what came of it.
type scenario struct {
	name  string
	setup func(*server)
	play  func(*sql.DB) []any
}

var ctx = context.Background()

func fails(method string, errs ...error) func(*server) {
	return func(s *server) { s.fail(method, errs...) }
}

var scenarios = []scenario{
	{"ping", nil, func(db *sql.DB) []any { return list(db.Ping(), db.Ping()) }},
	{"ping fails", fails("Ping", errFake), func(db *sql.DB) []any { return list(db.Ping(), db.Ping()) }},
	{"exec", nil, func(db *sql.DB) []any {
		return list(exec(db, "a ? ?", 1, "x"), exec(db, "b"), exec(db, "c ?", money{5}), exec(db, "d ?", sql.Named("n", 1)))
	}},
	{"exec of too many arguments", nil, func(db *sql.DB) []any { return list(exec(db, "a ?", 1, money{2})) }},
	{"exec removes an argument", nil, func(db *sql.DB) []any { return list(exec(db, "a ?", "none", 7)) }},
	{"exec fails", nil, func(db *sql.DB) []any { return list(exec(db, "a ?", struct{}{}), exec(db, "b")) }},
	{"exec is skipped", allOf(fails("ExecContext", driver.ErrSkip), fails("Exec", driver.ErrSkip)), func(db *sql.DB) []any {
		return list(exec(db, "a ?", 1), exec(db, "b"))
	}},
	{"query is skipped", allOf(fails("QueryContext", driver.ErrSkip), fails("Query", driver.ErrSkip)), func(db *sql.DB) []any {
		return list(query(db, "a ?", 1), query(db, "b"))
	}},
	{"query", nil, func(db *sql.DB) []any {
		return list(query(db, "a ?", 1), query(db, "b ?", money{3}), query(db, "c ?", sql.Named("n", 1)), queryRow(db, "d"))
	}},
	{"rows fail", fails("Rows.Next", nil, errFake), func(db *sql.DB) []any { return list(query(db, "a"), query(db, "b")) }},
	{"rows fail to close", fails("Rows.Close", errFake), func(db *sql.DB) []any { return list(query(db, "a"), query(db, "b")) }},
	{"a statement", nil, func(db *sql.DB) []any {
		s, err := db.Prepare("a ?")
		_, execErr := s.Exec(money{4})
		_, again := s.Exec(5)
		return list(err, execErr, again, s.Close(), exec(db, "b"))
	}},
	{"a statement with rows", nil, func(db *sql.DB) []any {
		s, err := db.Prepare("a ?")
		r, queryErr := s.Query(4)
		return list(err, read(r, queryErr), s.Close())
	}},
	{"a statement cannot be prepared", allOf(fails("Prepare", errFake), fails("PrepareContext", errFake)), func(db *sql.DB) []any {
		_, err := db.Prepare("a")
		return list(err, exec(db, "b"))
	}},
	{"a transaction", nil, func(db *sql.DB) []any {
		t, err := db.Begin()
		_, execErr := t.Exec("a ?", 1)
		r, queryErr := t.Query("b")
		s, prepareErr := t.Prepare("c")
		_, stmtErr := s.Exec()
		return list(err, execErr, read(r, queryErr), prepareErr, stmtErr, t.Commit(), exec(db, "d"))
	}},
	{"a transaction of a kind", nil, func(db *sql.DB) []any {
		t, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
		if err == nil {
			err = t.Rollback()
		}
		return list(err, exec(db, "a"))
	}},
	{"a read-only transaction", nil, func(db *sql.DB) []any {
		t, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
		if err == nil {
			err = t.Rollback()
		}
		return list(err, exec(db, "a"))
	}},
	{"a commit fails", fails("Commit", errFake), func(db *sql.DB) []any {
		t, err := db.Begin()
		return list(err, t.Commit(), t.Rollback(), exec(db, "a"))
	}},
	{"a transaction's context ends", nil, func(db *sql.DB) []any {
		ending, end := context.WithCancel(ctx)
		_, err := db.BeginTx(ending, nil)
		end()
		return list(err, exec(db, "a")) // which waits for the only connection
	}},
	{"a context that has ended", nil, func(db *sql.DB) []any {
		ended, end := context.WithCancel(ctx)
		end()
		_, err := db.ExecContext(ended, "a")
		_, prepareErr := db.PrepareContext(ended, "a")
		return list(err, prepareErr, db.PingContext(ended))
	}},
	{"a context that ends meanwhile", nil, func(db *sql.DB) []any {
		c, err := db.Conn(ctx)
		first := c.PingContext(ctx)
		ended, end := context.WithCancel(ctx)
		end()
		_, execErr := c.ExecContext(ended, "a")
		r, queryErr := c.QueryContext(ended, "a")
		if queryErr == nil {
			queryErr = r.Close()
		}
		s, prepareErr := c.PrepareContext(ended, "a")
		if prepareErr == nil {
			prepareErr = s.Close()
		}
		return list(err, first, execErr, queryErr, prepareErr, c.Close())
	}},
	{"a connection", nil, func(db *sql.DB) []any {
		c, err := db.Conn(ctx)
		_, execErr := c.ExecContext(ctx, "a ?", 1)
		s, prepareErr := c.PrepareContext(ctx, "b")
		_, stmtErr := s.Exec()
		return list(err, execErr, prepareErr, stmtErr, s.Close(), c.Close(), exec(db, "c"))
	}},
	{"a function given to Raw fails", nil, func(db *sql.DB) []any {
		c, err := db.Conn(ctx)
		first := c.PingContext(ctx)
		raw := c.Raw(func(any) error { return errFake })
		bad := c.Raw(func(any) error { return driver.ErrBadConn })
		return list(err, first, raw, bad, c.Close(), exec(db, "a"))
	}},
	{"a session is bad", fails("ResetSession", driver.ErrBadConn), func(db *sql.DB) []any {
		return list(exec(db, "a"), exec(db, "b"), exec(db, "c"))
	}},
	{"a connection is not valid", fails("IsValid", errFake), func(db *sql.DB) []any { return list(exec(db, "a"), exec(db, "b")) }},
	{"bad once", bad(1), func(db *sql.DB) []any { return list(exec(db, "a"), query(db, "b"), exec(db, "c")) }},
	{"bad twice", bad(2), func(db *sql.DB) []any { return list(exec(db, "a"), query(db, "b"), exec(db, "c")) }},
	{"bad three times", bad(3), func(db *sql.DB) []any { return list(exec(db, "a"), query(db, "b"), exec(db, "c")) }},
	{"a bad begin", allOf(fails("Begin", driver.ErrBadConn), fails("BeginTx", driver.ErrBadConn)), func(db *sql.DB) []any {
		t, err := db.Begin()
		return list(err, t.Commit())
	}},
	{"a bad prepare", allOf(fails("Prepare", driver.ErrBadConn), fails("PrepareContext", driver.ErrBadConn)), func(db *sql.DB) []any {
		s, err := db.Prepare("a")
		return list(err, s.Close())
	}},
	{"a bad commit", fails("Commit", driver.ErrBadConn), func(db *sql.DB) []any {
		t, err := db.Begin()
		return list(err, t.Commit(), exec(db, "a"))
	}},
	{"the types of columns", nil, func(db *sql.DB) []any {
		r, err := db.Query("a")
		types, typesErr := r.ColumnTypes()
		length, hasLength := types[0].Length()
		precision, scale, hasScale := types[0].DecimalSize()
		nullable, known := types[0].Nullable()
		return list(err, typesErr, types[0].Name(), types[0].DatabaseTypeName(), types[0].ScanType().String(),
			length, hasLength, precision, scale, hasScale, nullable, known, r.Close())
	}},
	{"the next result", nil, func(db *sql.DB) []any {
		r, err := db.Query("a")
		first := r.NextResultSet()
		return list(err, first, r.Next(), r.NextResultSet(), r.Err(), r.Close())
	}},
	{"database/sql keeps it idle", nil, func(db *sql.DB) []any {
		db.SetMaxIdleConns(1)
		return list(exec(db, "a"), exec(db, "b"), query(db, "c"), db.Ping())
	}},
}

func bad(times int) func(*server) {
	errs := slices.Repeat([]error{driver.ErrBadConn}, times)
	return allOf(fails("ExecContext", errs...), fails("Exec", errs...), fails("Stmt.Exec", errs...), fails("Stmt.ExecContext", errs...),
		fails("QueryContext", errs...), fails("Query", errs...), fails("Stmt.Query", errs...), fails("Stmt.QueryContext", errs...))
}

func allOf(setups ...func(*server)) func(*server) {
	return func(s *server) {
		for _, setup := range setups {
			setup(s)
		}
	}
}

func TestTheDriverSeesWhatItSeesOfAPlainHandle(t *testing.T) {
	for name, shape := range connShapes {
		t.Run(name, func(t *testing.T) { playAll(t, func(s *server) { s.shape = shape }) })
	}
}

func TestStatementsAreConvertedAndRunAsOfAPlainHandle(t *testing.T) {
	for name, shape := range stmtShapes {
		for conn, connShape := range map[string]connShape{"none": plainConn, "all": fullConn, "Checker": connShapes["Checker"]} {
			t.Run(name+" on "+conn, func(t *testing.T) { playAll(t, func(s *server) { s.stmts, s.shape = shape, connShape }) })
		}
	}
}

func TestRowsAreReadAsOfAPlainHandle(t *testing.T) {
	for name, shape := range rowsShapes {
		for conn, connShape := range map[string]connShape{"none": plainConn, "all": fullConn} {
			t.Run(name+" on "+conn, func(t *testing.T) { playAll(t, func(s *server) { s.rows, s.shape = shape, connShape }) })
		}
	}
}

func playAll(t *testing.T, edit func(*server)) {
	for _, sc := range scenarios {
		want := play(t, sc, edit, openPlain)
		got := play(t, sc, edit, func(s *server) *sql.DB { return sqlconn.OpenDB(s, oneConn) })
		if strings.HasPrefix(sc.name, "a statement") {
			want, got = withoutPreparing(want), withoutPreparing(got)
		}
		require.Equal(t, want, got, sc.name)

		kept := play(t, sc, edit, func(s *server) *sql.DB { return openKeeping(t, s, 4) })
		require.Equal(t, withoutPreparing(want), withoutPreparing(kept), "%s, with statements kept", sc.name)
	}
}

func openPlain(s *server) *sql.DB {
	db := sql.OpenDB(s)
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	return db
}

func openKeeping(t *testing.T, s *server, statements int) *sql.DB {
	db, _, err := sqlconn.Open(s, oneConn, sqlconn.Options{StatementCache: statements})
	require.NoError(t, err)
	return db
}

// oneConn makes what connection does what predictable, and checks nothing unasked.
var oneConn = connpool.Config[driver.Conn]{MaxSize: 1, CheckAfterIdle: -1, CheckInterval: -1}

// play returns the results and the driver's log.
func play(t *testing.T, sc scenario, edit func(*server), open func(*server) *sql.DB) []string {
	s := newServer()
	edit(s)
	if sc.setup != nil {
		sc.setup(s)
	}
	db := open(s)
	lines := []string{fmt.Sprint(sc.play(db)...)}
	require.NoError(t, db.Close())
	require.Zero(t, s.openNow(), sc.name)
	return append(lines, without(s.calls(), "IsValid")...)
}

func without(calls []string, methods ...string) []string {
	return slices.DeleteFunc(calls, func(call string) bool { return isOneOf(call, methods) })
}

var number = regexp.MustCompile("#[0-9]+ ")

func withoutPreparing(log []string) []string {
	log = without(slices.Clone(log), "Prepare", "PrepareContext", "Stmt.Close")
	for i, call := range log {
		log[i] = number.ReplaceAllString(call, "")
	}
	return log
}

func exec(db *sql.DB, query string, args ...any) any {
	result, err := db.Exec(query, args...)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	return fmt.Sprint(n, err)
}

func query(db *sql.DB, query string, args ...any) any {
	r, err := db.Query(query, args...)
	return read(r, err)
}

func queryRow(db *sql.DB, query string) any {
	var n int
	err := db.QueryRow(query).Scan(&n)
	return fmt.Sprint(n, err)
}

// read reads all rows of all results.
func read(r *sql.Rows, err error) any {
	if err != nil {
		return err
	}
	var all []int
	for more := true; more; more = r.NextResultSet() {
		for r.Next() {
			var n int
			if err := r.Scan(&n); err != nil {
				return err
			}
			all = append(all, n)
		}
	}
	return fmt.Sprint(all, r.Err(), r.Close())
}

func list(results ...any) []any {
	for i, r := range results {
		results[i] = fmt.Sprintf("%v; ", r)
	}
	return results
}

// Of drivers that have BeginTx, it would be theirs to say.
func TestABeginThatIsTooLateIsUndone(t *testing.T) {
	for name, shape := range connShapes {
		if _, ok := shape(&fakeConn{}).(driver.ConnBeginTx); ok {
			continue
		}
		late := scenario{name, nil, func(db *sql.DB) []any {
			c, err := db.Conn(ctx)
			first := c.PingContext(ctx)
			ended, end := context.WithCancel(ctx)
			end()
			_, beginErr := c.BeginTx(ended, nil)
			return list(err, first, beginErr, c.Close(), exec(db, "a"))
		}}
		edit := func(s *server) { s.shape = shape }
		want := play(t, late, edit, openPlain)
		require.Subset(t, want, []string{"1 Begin[]", "1 Rollback[]"})
		require.Equal(t, want, play(t, late, edit, func(s *server) *sql.DB { return sqlconn.OpenDB(s, oneConn) }), name)
	}
}

func TestTheMatrixHasEveryShape(t *testing.T) {
	require.Len(t, slices.Collect(maps.Keys(connShapes)), 18)
	seen := map[[3]bool]bool{}
	for _, shape := range connShapes {
		c := shape(&fakeConn{})
		_, execs := c.(driver.ExecerContext)
		_, execsToo := c.(driver.Execer)
		_, queries := c.(driver.QueryerContext)
		_, queriesToo := c.(driver.Queryer)
		_, resets := c.(driver.SessionResetter)
		_, validates := c.(driver.Validator)
		seen[[3]bool{execs || execsToo, queries || queriesToo, resets && validates}] = true
	}
	require.Len(t, seen, 8, "what changes database/sql's doing, in every combination")
}
