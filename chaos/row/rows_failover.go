package row

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/connpool/connpool/chaos/row/pool"
)

// Rows about what a fail-over, a dead address, a wrong password or another
// system's outage do to a pool of PostgreSQL sessions.
func failoverRows() []Row {
	return []Row{
		{
			Number: 53, Name: "a demoted server, written to", On: withSQL, Scenario: demotedWriters,
			Injected: "4 sessions of a PostgreSQL that turns read-only while its name leads to a " +
				"new primary; " +
				"40 writes one after the other, by each way to write",
			Required: "each session fails at most once (sqlconn has an IsBad that knows SQLSTATE 25006)",
		}, {
			Number: 54, Name: "a demoted server, read from", On: withSQL, Scenario: demotedReaders,
			Injected: "the same with target_session_attrs=read-write, and 4 callers who only read; " +
				"ours checks every 200 ms, pgxpool too",
			Required: "2.5 s later nobody reads from the old primary",
		}, {
			Number: 55, Name: "another system's outage", On: withSQL, Scenario: otherSystem,
			Injected: "20 times work on a session that returns the ECONNREFUSED of a cache",
			Required: "no session is replaced",
		}, {
			Number: 56, Name: "a name with dead addresses", On: withSQL, Scenario: deadAddresses,
			Injected: "a name of three addresses: two that swallow packets and a good one; " +
				"connect_timeout=1",
			Required: "the first caller is served within 4 s",
		}, {
			Number: 58, Name: "gone while one is held", On: withSQL, Scenario: goneWhileHeld,
			Injected: "a session is held, PostgreSQL is killed for good; " +
				"a call with 4 s, and another 2 s after it",
			Required: "the other fails within 1 s",
		}, {
			Number: 59, Name: "a wrong password", On: withSQL, Scenario: wrongPassword,
			Injected: "20 callers at once with a password that is refused, pool of 20; then 3 s with none",
			Required: "all fail within 2 s; at most 5 logins, and 1 more in the silence",
		},
	}
}

// failover is a name that leads to one server, which is then made read-only, and
// to another.
type failover struct {
	detour
	dsn string
	old *watcher
	new string
}

func (t *Trial) failover() *failover {
	old, promoted := t.postgres(nil), t.postgres(nil)
	f := &failover{dsn: old.DSN(), old: t.watcher(old.DSN()), new: promoted.Addr()}
	f.lead(old.Addr())
	for _, w := range []*watcher{f.old, t.watcher(sameLogin(old.DSN(), old.Addr(), promoted.Addr()))} {
		w.tell("create table notes (n int)")
	}
	return f
}

// happen demotes the one and leads to the other.
func (f *failover) happen() {
	f.old.tell("alter system set default_transaction_read_only = on")
	f.old.tell("select pg_reload_conf()")
	time.Sleep(200 * time.Millisecond) // its sessions hear of it
	f.lead(f.new)
}

func demotedWriters(t *Trial) {
	const size, writes = 4, 40
	f := t.failover()
	ways := t.waysToWrite(f.dsn, f.dial, size)
	for _, way := range ways {
		failed := atOnce(size, func() error {
			return way.run(t.For(patience), "select pg_sleep(0.2)::text")
		})
		t.Require(len(failed) == 0, "%s: filling the pool: %v", way.name, failed)
	}
	f.happen()
	for _, way := range ways {
		failed := 0
		for range writes {
			if way.run(t.For(patience), "insert into notes values (1) returning n::text") != nil {
				failed++
			}
		}
		t.Sawf("%s: %d of %d failed", way.name, failed, writes)
		t.Require(failed <= size, "%s: a session that failed was lent again", way.name)
	}
}

func demotedReaders(t *Trial) {
	const size = 4
	f := t.failover()
	often := 200 * time.Millisecond
	db := t.openDB(pool.DBSetup{
		DSN: f.dsn + "&target_session_attrs=read-write", Max: size, Dial: f.dial, CheckEvery: often,
	})
	db.fill(size)
	f.happen()
	var old, young atomic.Int64
	until := time.Now().Add(3 * time.Second)
	atOnce(size, func() error {
		for time.Now().Before(until) {
			s := db.session("reading")
			demoted := t.ask(s, "select current_setting('default_transaction_read_only')") == "on"
			s.Release()
			switch {
			case time.Until(until) > 500*time.Millisecond: // it may still be on its way
			case demoted:
				old.Add(1)
			default:
				young.Add(1)
			}
			time.Sleep(5 * time.Millisecond)
		}
		return nil
	})
	t.Sawf("in the last 0.5 s %d reads from the old primary, %d from the new",
		old.Load(), young.Load())
	t.Require(old.Load() == 0, "a busy pool stays with the old primary")
}

func otherSystem(t *Trial) {
	const size, calls = 4, 20
	dsn := t.postgres(nil).DSN()
	db := t.openDB(pool.DBSetup{DSN: dsn, Max: size})
	db.fill(size)
	opened := db.Opens.Load()
	for range calls {
		err := db.Work(t.For(patience), func() error { return t.refused() })
		t.Require(err != nil, "the work's error is gone")
		t.Must(db.Exec(t.For(patience), "select 1"), "the next call")
	}
	t.Sawf("%d of %d calls cost a session", db.Opens.Load()-opened, calls)
	t.Require(db.Opens.Load() == opened, "sound sessions were replaced")
}

// refused returns what a dial to a port gets on which nothing listens any more.
func (t *Trial) refused() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	t.Must(err, "listening")
	t.Must(listener.Close(), "closing the listener")
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err == nil {
		_ = conn.Close()
	}
	return err
}

func deadAddresses(t *Trial) {
	server := t.postgres(nil)
	host, _, err := net.SplitHostPort(server.Addr())
	t.Must(err, "the server's address")
	db := t.openDB(pool.DBSetup{
		DSN: sameLogin(server.DSN(), host, "db.example") + "&connect_timeout=1", Max: 2,
		Lookup: func(context.Context, string) ([]string, error) {
			return []string{"192.0.2.1", "192.0.2.2", host}, nil
		},
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if strings.HasPrefix(addr, "192.0.2.") { // kept for documentation: nothing is there
				<-ctx.Done()
				return nil, fmt.Errorf("dial %s: %w", addr, ctx.Err())
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	})
	began := time.Now()
	err = db.Exec(t.For(2*patience), "select 1")
	t.Sawf("%s after %v", errText(err), ms(time.Since(began)))
	t.Require(err == nil && time.Since(began) < 4*time.Second, "not served in time")
}

func goneWhileHeld(t *Trial) {
	server := t.postgres(nil)
	db := t.openDB(pool.DBSetup{DSN: server.DSN(), Max: 4})
	held := db.session("the long one")
	defer held.Release()
	t.Must(server.Kill(), "killing PostgreSQL")
	_ = db.Exec(t.For(4*time.Second), "select 1") // it may wait for the server's return
	time.Sleep(2 * time.Second)
	began := time.Now()
	err := db.Exec(t.For(4*time.Second), "select 1")
	took := time.Since(began)
	t.Sawf("%s after %v", errText(err), ms(took))
	t.Require(err != nil && took < time.Second, "the caller waits for a server that is gone")
}

func wrongPassword(t *Trial) {
	const callers = 20
	server := t.postgres(nil)
	var logins atomic.Int64
	db := t.openDB(pool.DBSetup{
		DSN: server.DSN() + "&password=wrong&sslmode=disable", Max: callers,
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			logins.Add(1)
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	})
	began := time.Now()
	failed := atOnce(callers, func() error { return db.Exec(t.For(patience), "select 1") })
	took := time.Since(began)
	crowd := logins.Load()
	time.Sleep(3 * time.Second)
	alone := logins.Load() - crowd
	t.Sawf("%d of %d failed within %v, %d logins, then %d with nobody there",
		len(failed), callers, ms(took), crowd, alone)
	t.Require(len(failed) == callers && took < time.Second, "not all failed at once")
	t.Require(crowd <= 5 && alone <= 1, "too many logins: accounts are locked for that")
}

// sameLogin returns a server's DSN with another address.
func sameLogin(dsn, addr, other string) string { return strings.Replace(dsn, addr, other, 1) }
