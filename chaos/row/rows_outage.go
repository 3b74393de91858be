package row

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/connpool/connpool/chaos/row/pool"
	"github.com/connpool/connpool/internal/pgtest"
	"github.com/connpool/connpool/internal/servertest"
)

// Rows about servers that refuse, die or freeze.
func outageRows() []Row {
	return []Row{
		{
			Number: 24, Name: "too many connections", On: withSQL, Scenario: tooMany,
			Injected: "pool of 200, PostgreSQL with max_connections 60; 200 callers, 3 borrows each of 100 ms",
			Required: "all are served by the sessions there are; the refusal is in the error at a deadline",
		}, {
			Number: 26, Name: "terminated sessions", On: withSQL, Scenario: terminated,
			Injected: "pg_terminate_backend of 10 idle sessions, then 20 queries: at once, and after 1.5 s",
			Required: "no user's error while nothing was sent",
		}, {
			Number: 27, Name: "kill -9 and restart", On: withSQL, Scenario: crash, Timed: true,
			Injected: "60 callers with 5 s each, pool of 10 (ours with DownAfter 3 s); kill -9, restart after 0.7 s: PostgreSQL, and then PgBouncer",
			Required: "served again within 1 s; never more than 10 sessions; at most 100 failed calls",
		}, {
			Number: 28, Name: "frozen server", On: withSQL, Scenario: frozen, Timed: true,
			Injected: "SIGSTOP to PostgreSQL with 4 idle sessions",
			Required: "borrowing returns at its deadline of 300 ms; closing within 5 s",
		},
	}
}

// serverSessions is how many the server of the row has, fewer than the pool.
const serverSessions = 60

func tooMany(t *Trial) {
	const callers = 200
	server := t.postgres(map[string]string{"max_connections": strconv.Itoa(serverSessions)})
	db := t.openDB(pool.DBSetup{DSN: server.DSN(), Max: callers})
	failed := atOnce(callers, func() error {
		for range 3 {
			s, err := db.Session(t.For(patience))
			if err != nil {
				return err
			}
			time.Sleep(100 * time.Millisecond)
			s.Release()
		}
		return nil
	})
	t.Sawf("%d of %d callers served, %d sessions opened", callers-len(failed), callers, db.Opens.Load())
	if len(failed) > 0 {
		t.Faultf("%d failed: %v", len(failed), short(failed[0]))
		return
	}
	t.requireRefusalInChain(db)
}

// requireRefusalInChain checks what who finds every session taken is told.
func (t *Trial) requireRefusalInChain(db *sessions) {
	for range serverSessions + 1 {
		s, err := db.Session(t.For(2 * time.Second))
		if err == nil {
			defer s.Release()
			continue
		}
		var refusal *pgconn.PgError
		t.Require(errors.Is(err, context.DeadlineExceeded) && errors.As(err, &refusal) && refusal.Code == "53300",
			"at the deadline: %v", err)
		return
	}
	t.Faultf("more sessions than the server has")
}

func terminated(t *Trial) {
	const size = 10
	dsn := t.postgres(nil).DSN()
	w := t.watcher(dsn)
	db := t.openDB(pool.DBSetup{DSN: dsn, Max: size})
	for _, idle := range []time.Duration{0, 1500 * time.Millisecond} {
		db.fill(size)
		ended := w.must(terminate)
		t.Require(ended == size, "%d of %d terminated", ended, size)
		time.Sleep(idle)
		failed := atOnce(2*size, func() error { return db.Exec(t.For(patience), "select 1") })
		t.Sawf("after %v %d of %d failed", idle, len(failed), 2*size)
		if len(failed) > 0 {
			t.Faultf("%v", short(failed[0]))
		}
	}
}

func crash(t *Trial) {
	postgres := t.postgres(nil)
	t.crashOf("PostgreSQL", postgres.DSN(), postgres, postgres)
	bouncer := t.bouncer(postgres)
	if bouncer != nil {
		t.crashOf("PgBouncer", bouncer.DSN(), bouncer, postgres)
	}
}

// mortal is a server that can be killed.
type mortal interface {
	Kill() error
	Restart(context.Context) error
}

// bouncer starts a PgBouncer in front of a server, or notes why it cannot.
func (t *Trial) bouncer(postgres *pgtest.Server) *servertest.PgBouncer {
	bouncer, err := servertest.StartPgBouncer(context.WithoutCancel(t.ctx), postgres.DSN(), servertest.PgBouncerOptions{})
	if errors.Is(err, servertest.ErrNotInstalled) {
		t.lackPart("PgBouncer", err.Error())
		return nil
	}
	t.Must(err, "starting PgBouncer")
	t.Cleanup(func() { t.Must(bouncer.Stop(), "stopping PgBouncer") })
	return bouncer
}

// crashOf kills one server of the chain that leads to PostgreSQL, has a crowd
// wait for its return, and counts.
func (t *Trial) crashOf(name, dsn string, victim mortal, postgres *pgtest.Server) {
	const size, callers = 10, 60
	db := t.openDB(pool.DBSetup{DSN: dsn, Max: size, Edit: func(c *pgConfig) { c.DownAfter = 3 * time.Second }})
	c := &crowd{t: t, stop: make(chan struct{}), query: func(ctx context.Context) error {
		return db.Exec(ctx, "select 1")
	}}
	c.start(callers)
	t.Require(c.awaitServed(callers), "%s: the crowd is not served", name)
	t.Must(victim.Kill(), "killing "+name)
	time.Sleep(700 * time.Millisecond)
	t.Must(victim.Restart(t.For(patience)), "restarting "+name)
	began := time.Now()
	served := c.awaitServed(callers)
	back := time.Since(began)
	w := t.watcher(postgres.DSN())
	census := w.census()
	time.Sleep(300 * time.Millisecond)
	failed := c.finish()
	most := census.finish()
	t.Sawf("%s: served again after %v, %s calls failed, at most %d sessions", name, ms(back), thousands(failed), most)
	t.Require(served && back < time.Second, "%s: too late", name)
	t.Require(failed <= 100, "%s: too many failures", name)
	t.Require(most <= size, "%s: too many sessions", name)
	db.Close()
}

// crowd is callers who query again and again.
type crowd struct {
	t      *Trial
	query  func(context.Context) error
	stop   chan struct{}
	all    sync.WaitGroup
	served atomic.Int64
	failed atomic.Int64
}

func (c *crowd) start(callers int) {
	for range callers {
		c.all.Go(func() {
			for c.goesOn() {
				ctx, cancel := context.WithTimeout(c.t.ctx, patience)
				err := c.query(ctx)
				cancel()
				if err != nil {
					c.failed.Add(1)
				} else {
					c.served.Add(1)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
}

func (c *crowd) goesOn() bool {
	select {
	case <-c.stop:
		return false
	default:
		return true
	}
}

// awaitServed waits until as many more calls have been served.
func (c *crowd) awaitServed(n int) bool {
	before := c.served.Load()
	return await(patience, func() bool { return c.served.Load() >= before+int64(n) })
}

// finish returns how many calls have failed.
func (c *crowd) finish() int64 {
	close(c.stop)
	c.all.Wait()
	return c.failed.Load()
}

func frozen(t *Trial) {
	const size = 4
	postgres := t.postgres(nil)
	db := t.openDB(pool.DBSetup{DSN: postgres.DSN(), Max: size})
	db.fill(size)
	time.Sleep(1200 * time.Millisecond) // the next hand-out is checked
	if err := postgres.Pause(); err != nil {
		t.Skip(err.Error())
	}
	t.Cleanup(func() { t.Must(postgres.Continue(), "letting PostgreSQL go on") })
	began := time.Now()
	failed := atOnce(2*size, func() error { return db.Exec(t.For(300*time.Millisecond), "select 1") })
	t.Sawf("%d of %d back after %v", len(failed), 2*size, ms(time.Since(began)))
	t.Require(time.Since(began) < time.Second, "not at the deadline")
	began = time.Now()
	if t.Bounded(db.Close) != nil {
		t.Abortf("Close is stuck for 5 s")
	}
	if own := db.Own(); own != nil {
		_ = own.Shutdown(t.For(time.Second)) // returns by then, which is the point
	}
	t.Sawf("closed after %v", ms(time.Since(began)))
	t.Require(time.Since(began) < patience, "not closed")
}
