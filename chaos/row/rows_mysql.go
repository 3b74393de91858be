package row

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/connpool/connpool/internal/servertest"
)

// Rows about what a MariaDB, or a proxy in front of it, does to a pool: sqlconn
// over go-sql-driver/mysql, and the plain handle of database/sql.
func mysqlRows() []Row {
	return []Row{
		{
			Number: 109, Name: "wait_timeout", On: sqlHandles, Scenario: waitTimeout,
			Injected: "MariaDB ends 4 idle connections by its wait_timeout; then 8 queries at once",
			Required: "no user's error",
		}, {
			Number: 110, Name: "KILL CONNECTION", On: sqlHandles, Scenario: killedConnections,
			Injected: "4 idle connections are killed; then 8 queries at once",
			Required: "no user's error",
		}, {
			Number: 111, Name: "max_connections", On: sqlHandles, Scenario: fewerThanThePool,
			Injected: "pool of 30, MariaDB with max_connections 10; 30 callers, 10 queries each of 10 ms",
			Required: "all are served by the connections there are",
		}, {
			Number: 112, Name: "read-only after a fail-over", On: sqlHandles, Scenario: demotedMySQL,
			Injected: "MariaDB turns read-only with 4 idle connections, its name leads to a new primary; " +
				"12 writes, with rejectReadOnly and without",
			Required: "no write fails with it, and without it at most one a connection " +
				"(sqlconn has an IsBad that knows error 1290)",
		}, {
			Number: 113, Name: "a crash under load", On: sqlHandles, Scenario: crashedMySQL, Timed: true,
			Injected: "30 callers with 5 s each, pool of 8 (ours with DownAfter 5 s); " +
				"kill -9 of MariaDB, restart after 0.7 s",
			Required: "served again within 2 s; at most 100 failed calls",
		}, {
			Number: 114, Name: "late results", On: sqlHandles, Scenario: lateResults,
			Injected: "100 queries that end about when they are cancelled, each followed by another; " +
				"pool of 2",
			Required: "every answer is its own query's",
		}, {
			Number: 115, Name: "a proxy's idle timeout", On: sqlHandles, Scenario: cutByProxy,
			Injected: "HAProxy in TCP mode cuts 4 connections that were silent for 1 s; " +
				"then 8 queries at once",
			Required: "no user's error",
		},
	}
}

// maria starts a private server for the trial.
func (t *Trial) maria(settings map[string]string) *servertest.MariaDB {
	server, err := servertest.StartMariaDB(context.WithoutCancel(t.ctx), settings)
	if errors.Is(err, servertest.ErrNotInstalled) {
		t.Skip(err.Error())
	}
	t.Must(err, "starting MariaDB")
	t.Cleanup(func() { t.Must(server.Stop(), "stopping MariaDB") })
	return server
}

// mysql opens the handle on trial.
func (t *Trial) mysql(dsn string, size int, edit func(*mysql.Config)) *sql.DB {
	return t.sqlOver(t.mysqlConnector(dsn, edit), size)
}

func (t *Trial) mysqlConnector(dsn string, edit func(*mysql.Config)) driver.Connector {
	login, err := mysql.ParseDSN(dsn)
	t.Must(err, "the server's address")
	login.Logger = &mysql.NopLogger{}
	if edit != nil {
		edit(login)
	}
	connector, err := mysql.NewConnector(login)
	t.Must(err, "the driver")
	return connector
}

// mysqlWatcher is a connection of nobody's pool.
func (t *Trial) mysqlWatcher(server *servertest.MariaDB) *sql.DB {
	db := sql.OpenDB(t.mysqlConnector(server.DSN(), nil))
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() }) // its server may be gone
	return db
}

// runs runs a statement, or ends the scenario.
func (t *Trial) runs(db *sql.DB, statement string) {
	_, err := db.ExecContext(t.For(patience), statement)
	t.Must(err, statement)
}

// queriesAtOnce runs n queries at once that last a little, and returns the errors.
func (t *Trial) queriesAtOnce(db *sql.DB, n int) []error {
	return atOnce(n, func() error {
		_, err := db.ExecContext(t.For(patience), "do sleep(0.05)")
		return err
	})
}

// fillMySQL opens n connections and leaves them idle.
func (t *Trial) fillMySQL(db *sql.DB, n int) {
	for _, err := range t.queriesAtOnce(db, n) {
		t.Must(err, "filling the pool")
	}
}

const theirs = ` from information_schema.processlist
	where id <> connection_id() and user in ('test', 'plain')`

// awaitNone waits until the server has no connection but the watcher's.
func (t *Trial) awaitNone(watcher *sql.DB) {
	none := await(2*patience, func() (none bool) {
		err := watcher.QueryRowContext(t.ctx, "select count(*) = 0"+theirs).Scan(&none)
		return err == nil && none
	})
	t.Require(none, "the connections are still there")
}

// requireUnseen checks that connections which have gone while idle cost nobody
// an error.
func (t *Trial) requireUnseen(db *sql.DB, n int) {
	failed := t.queriesAtOnce(db, n)
	t.Sawf("%d of %d failed", len(failed), n)
	if len(failed) > 0 {
		t.Faultf("%v", short(failed[0]))
	}
}

func waitTimeout(t *Trial) {
	const size = 4
	server := t.maria(nil)
	watcher := t.mysqlWatcher(server)
	t.runs(watcher, "set global wait_timeout = 1")
	db := t.mysql(server.DSN(), size, nil)
	t.fillMySQL(db, size)
	t.awaitNone(watcher)
	t.requireUnseen(db, 2*size)
}

func killedConnections(t *Trial) {
	const size = 4
	server := t.maria(nil)
	watcher := t.mysqlWatcher(server)
	db := t.mysql(server.DSN(), size, nil)
	t.fillMySQL(db, size)
	for _, id := range t.mysqlIDs(watcher) {
		t.runs(watcher, fmt.Sprint("kill connection ", id))
	}
	t.awaitNone(watcher)
	t.requireUnseen(db, 2*size)
}

func (t *Trial) mysqlIDs(watcher *sql.DB) (ids []int64) {
	rows, err := watcher.QueryContext(t.For(patience), "select id"+theirs)
	t.Must(err, "asking for the connections")
	defer rows.Close()
	for rows.Next() {
		var id int64
		t.Must(rows.Scan(&id), "a connection")
		ids = append(ids, id)
	}
	t.Must(rows.Err(), "the connections")
	return ids
}

func fewerThanThePool(t *Trial) {
	const callers, queries = 30, 10
	server := t.maria(map[string]string{"max-connections": "10"})
	db := t.mysql(server.PlainDSN(), callers, nil)
	var lost atomic.Int64
	failed := atOnce(callers, func() (err error) {
		for range queries {
			if _, e := db.ExecContext(t.For(patience), "do sleep(0.01)"); e != nil {
				lost.Add(1)
				err = e
			}
		}
		return err
	})
	t.Sawf("%d of %d queries failed", lost.Load(), callers*queries)
	if len(failed) > 0 {
		t.Faultf("%v", short(failed[0]))
	}
}

func demotedMySQL(t *Trial) {
	const size, writes = 4, 12
	for _, reject := range []bool{true, false} {
		old, promoted := t.maria(nil), t.maria(nil)
		watcher := t.mysqlWatcher(old)
		for _, w := range []*sql.DB{watcher, t.mysqlWatcher(promoted)} {
			t.runs(w, "create table test.writes (n int)")
		}
		var way detour
		way.lead(old.Addr())
		db := t.mysql(old.PlainDSN(), size, func(c *mysql.Config) {
			c.RejectReadOnly = reject
			c.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
				return way.dial(ctx, network, addr)
			}
		})
		t.fillMySQL(db, size)
		t.runs(watcher, "set global read_only = 1")
		way.lead(promoted.Addr())
		failed := 0
		for range writes {
			if _, err := db.ExecContext(t.For(patience), "insert into writes values (1)"); err != nil {
				failed++
			}
		}
		t.Sawf("rejectReadOnly=%t: %d of %d failed", reject, failed, writes)
		t.Require(failed == 0 || !reject && failed <= size, "the old primary is not left")
	}
}

func crashedMySQL(t *Trial) {
	const size, callers = 8, 30
	server := t.maria(nil)
	db := t.sqlOver(t.mysqlConnector(server.DSN(), nil), size, func(c *sqlConfig) {
		c.DownAfter = patience
	})
	c := &crowd{t: t, stop: make(chan struct{}), query: func(ctx context.Context) error {
		_, err := db.ExecContext(ctx, "do 1")
		return err
	}}
	c.start(callers)
	t.Require(c.awaitServed(callers), "the crowd is not served")
	t.Must(server.Kill(), "killing MariaDB")
	time.Sleep(700 * time.Millisecond)
	t.Must(server.Restart(t.For(2*patience)), "restarting MariaDB")
	began := time.Now()
	served := c.awaitServed(callers)
	back := time.Since(began)
	failed := c.finish()
	t.Sawf("served again after %v, %s calls failed", ms(back), thousands(failed))
	t.Require(served && back < 2*time.Second, "too late")
	t.Require(failed <= 100, "too many failures")
}

func lateResults(t *Trial) {
	const rounds = 100
	db := t.mysql(t.maria(nil).DSN(), 2, nil)
	cancelled, wrong := 0, 0
	for i := range rounds {
		ctx, cancel := context.WithTimeout(t.ctx, time.Duration(i%10)*300*time.Microsecond)
		if _, err := db.ExecContext(ctx, "select 'late' from (select sleep(0.001)) as nap"); err != nil {
			cancelled++
		}
		cancel()
		var mine int
		err := db.QueryRowContext(t.For(patience), "select ?", i).Scan(&mine)
		if err != nil || mine != i {
			wrong++
		}
	}
	t.Sawf("%d cancelled, %d wrong answers", cancelled, wrong)
	t.Require(cancelled > 0, "none was cancelled")
	t.Require(wrong == 0, "a wrong answer")
}

func cutByProxy(t *Trial) {
	const size = 4
	server := t.maria(nil)
	between, err := servertest.StartHAProxy(context.WithoutCancel(t.ctx), server.Addr(), time.Second)
	if errors.Is(err, servertest.ErrNotInstalled) {
		t.Skip(err.Error())
	}
	t.Must(err, "starting HAProxy")
	t.Cleanup(func() { t.Must(between.Stop(), "stopping HAProxy") })
	db := t.mysql(servertest.MariaDSN(between.Addr()), size, nil)
	t.fillMySQL(db, size)
	t.awaitNone(t.mysqlWatcher(server))
	t.requireUnseen(db, 2*size)
}
