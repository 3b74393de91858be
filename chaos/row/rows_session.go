package row

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/connpool/connpool/chaos/row/pool"
)

// Rows about what borrowers leave in a session of a real server.
func sessionRows() []Row {
	return []Row{
		{
			Number: 31, Name: "cancelled queries", On: withSQL, Scenario: cancelledQueries,
			Injected: "20 callers, pool of 10, every query cancelled after 10 ms, for 2 s; PostgreSQL",
			Required: "at most one new session a cancelled query, never more sessions than the pool's size",
		}, {
			Number: 32, Name: "returned in the middle", On: withSQL, Scenario: returnedInTheMiddle,
			Injected: "a session is returned in a transaction, and another with unread rows",
			Required: "destroyed; the next user gets a right answer",
		}, {
			Number: 35, Name: "session state", On: withSQL, Scenario: sessionState,
			Injected: "SET, search_path, a temporary table, an advisory lock, a prepared statement are left behind",
			Required: "with a reset hook (DISCARD ALL) the next user finds none; without, it is documented",
		}, {
			Number: 36, Name: "late cancel", On: withSQL, Scenario: lateCancel,
			Injected: "40 queries that end about when they are cancelled; pool of 1",
			Required: "no cancel hits the next user; one session at a time",
		}, {
			Number: 37, Name: "broken in the middle of work", On: withSQL, Scenario: brokenWork,
			Injected: "work that ends its own session after its first effect",
			Required: "an error; the work is not run again",
		},
	}
}

func cancelledQueries(t *Trial) {
	const size = 10
	dsn := t.postgres(nil).DSN()
	db := t.openDB(pool.DBSetup{DSN: dsn, Max: size})
	db.fill(size)
	census := t.watcher(dsn).census()
	until := time.Now().Add(2 * time.Second)
	var queries atomic.Int64
	atOnce(2*size, func() error {
		for time.Now().Before(until) {
			ctx, cancel := context.WithTimeout(t.ctx, 10*time.Millisecond)
			queries.Add(1)
			if db.Exec(ctx, "select pg_sleep(0.5)") == nil {
				t.Faultf("a query was not cancelled")
			}
			cancel()
		}
		return nil
	})
	time.Sleep(100 * time.Millisecond)
	most, opened := census.finish(), db.Opens.Load()-size
	t.Sawf("%d new sessions for %d calls, most at once %d of %d", opened, queries.Load(), most, size)
	t.Require(opened <= queries.Load(), "more sessions than cancels")
	t.Require(most <= size, "more sessions than the pool's size")
	t.Must(db.Exec(t.For(patience), "select 1"), "afterwards")
}

func returnedInTheMiddle(t *Trial) {
	dsn := t.postgres(nil).DSN()
	for _, test := range []struct {
		name  string
		leave func(pool.Session) error
	}{
		{"open transaction", func(s pool.Session) error { return s.Exec(t.ctx, "begin") }},
		{"unread rows", func(s pool.Session) error { return s.Unread(t.ctx, "select generate_series(1, 100000)") }},
	} {
		db := t.openDB(pool.DBSetup{DSN: dsn, Max: 1})
		first := db.session("borrowing")
		before := t.ask(first, pid)
		t.Must(test.leave(first), test.name)
		if t.Bounded(first.Release) != nil {
			t.Faultf("%s: returning it is stuck for 5 s", test.name)
			continue
		}
		next := db.session(test.name)
		t.Require(t.ask(next, pid) != before, "%s: the same session is lent again", test.name)
		t.Require(t.ask(next, "select '42'") == "42", "%s: a wrong answer", test.name)
		next.Release()
		t.Sawf("%s: destroyed", test.name)
	}
}

// litter is what a borrower may leave in a session, and whether it is there.
var litter = []struct{ what, leave, there string }{
	{"setting", "set work_mem = '7MB'", "select (current_setting('work_mem') = '7MB')::text"},
	{"search_path", "set search_path = elsewhere", "select (current_setting('search_path') = 'elsewhere')::text"},
	{"temporary table", "create temp table left_behind ()", "select (to_regclass('pg_temp.left_behind') is not null)::text"},
	{"advisory lock", "select pg_advisory_lock(pg_backend_pid())",
		"select (exists (select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()))::text"},
	{"prepared statement", "prepare left_behind as select 1",
		"select (exists (select from pg_prepared_statements where name = 'left_behind'))::text"},
}

func sessionState(t *Trial) {
	dsn := t.postgres(nil).DSN()
	t.Sawf("without a hook %d of %d left", len(t.leftBehind(dsn, nil)), len(litter))
	left := t.leftBehind(dsn, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "discard all")
		return err
	})
	t.Sawf("with one %d", len(left))
	t.Require(len(left) == 0, "left: %s", strings.Join(left, ", "))
}

// leftBehind returns what the next user of a littered session finds.
func (t *Trial) leftBehind(dsn string, reset func(context.Context, *pgx.Conn) error) (left []string) {
	db := t.openDB(pool.DBSetup{DSN: dsn, Max: 1, Reset: reset})
	first := db.session("borrowing")
	before := t.ask(first, pid)
	for _, piece := range litter {
		t.tell(first, piece.leave)
		t.Require(t.ask(first, piece.there) == "true", "%s was not left", piece.what)
	}
	first.Release()
	next := db.session("borrowing again")
	defer next.Release()
	t.Require(t.ask(next, pid) == before, "not the same session")
	for _, piece := range litter {
		if t.ask(next, piece.there) == "true" {
			left = append(left, piece.what)
		}
	}
	return left
}

func lateCancel(t *Trial) {
	const rounds = 40
	dsn := t.postgres(nil).DSN()
	db := t.openDB(pool.DBSetup{DSN: dsn, Max: 1})
	db.fill(1)
	census := t.watcher(dsn).census()
	var cancelled, hit int
	for round := range rounds {
		ctx, cancel := context.WithTimeout(t.ctx, time.Duration(round%8+1)*time.Millisecond)
		if s, err := db.Session(ctx); err == nil {
			if s.Exec(ctx, "select pg_sleep(0.004)") != nil {
				cancelled++
			}
			s.Release()
		}
		cancel()
		for range 3 {
			if db.Exec(t.For(patience), "select pg_sleep(0.001)") != nil {
				hit++
			}
		}
	}
	time.Sleep(50 * time.Millisecond)
	most := census.finish()
	t.Sawf("%d cancelled, %d others hit, at most %d sessions", cancelled, hit, most)
	t.Require(cancelled > 0, "none was cancelled")
	t.Require(hit == 0, "a cancel hit another's query")
	t.Require(most <= 1, "a connection was opened before the one before it had ended")
}

func brokenWork(t *Trial) {
	dsn := t.postgres(nil).DSN()
	w := t.watcher(dsn)
	w.tell("create sequence runs") // what is drawn from it stays drawn
	db := t.openDB(pool.DBSetup{DSN: dsn, Max: 4})
	db.fill(4) // others that it could be run again on
	err := db.Exec(t.For(patience), "select nextval('runs'), pg_terminate_backend(pg_backend_pid())")
	var refusal *pgconn.PgError
	t.Require(errors.As(err, &refusal) && refusal.Code == "57P01", "the error is %v", err)
	runs := w.must("select case when is_called then last_value else 0 end from runs")
	t.Sawf("run %d time(s): %v", runs, errText(err))
	t.Require(runs == 1, "run again")
	t.Require(len(atOnce(4, func() error { return db.Exec(t.For(patience), "select 1") })) == 0, "afterwards somebody failed")
}
