package row

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/connpool/connpool/chaos/row/pool"
)

// sessions is a pool of PostgreSQL sessions on trial.
type sessions struct {
	*pool.OpenedDB
	t *Trial
}

// openDB opens the pool of sessions on trial, and closes it in the end.
func (t *Trial) openDB(s pool.DBSetup) *sessions {
	opened, err := pool.OpenDB(t.Kind, s)
	t.Must(err, "opening the pool")
	db := &sessions{opened, t}
	t.Cleanup(db.shut)
	return db
}

func (db *sessions) shut() {
	if own := db.Own(); own != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
		defer cancel()
		db.t.Must(own.Shutdown(ctx), "shutting down")
		return
	}
	go db.Close()
}

// session borrows, or ends the scenario.
func (db *sessions) session(what string) pool.Session {
	var got pool.Session
	var refused error
	ctx := db.t.For(patience)
	if err := db.t.Bounded(func() { got, refused = db.Session(ctx) }); err != nil {
		db.t.Abortf("%s: %v", what, short(err))
	}
	if refused != nil {
		db.t.Abortf("%s: %v", what, short(refused))
	}
	return got
}

// fill opens n sessions and leaves them idle.
func (db *sessions) fill(n int) {
	held := make([]pool.Session, n)
	for i := range held {
		held[i] = db.session("filling the pool")
	}
	for _, s := range held {
		s.Release()
	}
}

// ask asks a session for one value, or ends the scenario.
func (t *Trial) ask(s pool.Session, query string) string {
	text, err := s.Text(t.For(patience), query)
	t.Must(err, query)
	return text
}

// tell has a session execute a statement, or ends the scenario.
func (t *Trial) tell(s pool.Session, statement string) {
	t.Must(s.Exec(t.For(patience), statement), statement)
}

const pid = "select pg_backend_pid()::text"

// atOnce calls f n times at once, and returns the errors of those that fail.
func atOnce(n int, f func() error) (failed []error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if err := f(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, err)
			}
		})
	}
	all.Wait()
	return failed
}

// watcher is a session of nobody's pool.
type watcher struct {
	t    *Trial
	conn *pgx.Conn
}

const watcherName = "watcher"

func (t *Trial) watcher(dsn string) *watcher {
	cfg, err := pgx.ParseConfig(dsn)
	t.Must(err, "the watcher's address")
	cfg.RuntimeParams["application_name"] = watcherName
	cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	conn, err := pgx.ConnectConfig(t.For(patience), cfg)
	t.Must(err, "the watcher's session")
	t.Cleanup(func() { _ = conn.Close(context.Background()) }) // its server may be gone
	return &watcher{t, conn}
}

func (w *watcher) number(query string) (n int64, err error) {
	err = w.conn.QueryRow(w.t.ctx, query).Scan(&n)
	return n, err
}

func (w *watcher) must(query string) int64 {
	n, err := w.number(query)
	w.t.Must(err, query)
	return n
}

func (w *watcher) tell(statement string) {
	_, err := w.conn.Exec(w.t.ctx, statement)
	w.t.Must(err, statement)
}

const (
	others       = ` from pg_stat_activity where backend_type = 'client backend' and application_name <> '` + watcherName + `'`
	sessionCount = `select count(*)` + others
	terminate    = `select count(*) filter (where pg_terminate_backend(pid, 10000))` + others + ` and state = 'idle'`
)

// census counts the server's sessions again and again, and remembers the most.
type census struct {
	most atomic.Int64
	done sync.WaitGroup
	stop chan struct{}
}

func (w *watcher) census() *census {
	c := &census{stop: make(chan struct{})}
	c.done.Go(func() {
		for {
			select {
			case <-c.stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
			if n, err := w.number(sessionCount); err == nil {
				c.most.Store(max(c.most.Load(), n)) // one writer
			}
		}
	})
	return c
}

// finish returns the most sessions that there were.
func (c *census) finish() int64 {
	close(c.stop)
	c.done.Wait()
	return c.most.Load()
}
