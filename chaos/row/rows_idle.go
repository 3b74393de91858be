package row

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"github.com/connpool/connpool/chaos/row/pool"
)

// Rows about what becomes of sessions that lie idle, or are given up.
func idleRows() []Row {
	return []Row{
		{
			Number: 61, Name: "a silent flow is forgotten", On: withSQL, Scenario: forgottenFlow,
			Injected: "pool of 1 behind a middlebox that forgets flows silent for 1 s; a query " +
				"after 2.5 s; " +
				"ours checks every 200 ms, pgxpool too",
			Required: "served within 1 s",
		}, {
			Number: 64, Name: "cancelled queries on database/sql", On: sqlHandles, Scenario: cancelledOnSQL,
			Injected: "16 callers, pool of 8, every query cancelled after 10 ms, for 2 s; " +
				"pgx's stdlib driver",
			Required: "at most one session more than the pool's size",
		},
	}
}

// flow is a connection through a middlebox that forgets it when it is silent: it
// then stays open, and nothing passes any more.
type flow struct {
	net.Conn
	last      atomic.Int64 // when something passed, in nanoseconds
	forgotten atomic.Bool
}

const forgetsAfter = time.Second

func dialFlow(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	f := &flow{Conn: conn}
	f.pass()
	return f, nil
}

func (f *flow) pass() { f.last.Store(time.Now().UnixNano()) }

// Write sends nothing once the flow is forgotten, of which the kernel would hear
// nothing for minutes.
func (f *flow) Write(b []byte) (int, error) {
	if time.Since(time.Unix(0, f.last.Load())) > forgetsAfter {
		f.forgotten.Store(true)
	}
	if f.forgotten.Load() {
		return len(b), nil
	}
	f.pass()
	return f.Conn.Write(b)
}

func forgottenFlow(t *Trial) {
	db := t.openDB(pool.DBSetup{
		DSN: t.postgres(nil).DSN(), Max: 1, Dial: dialFlow, CheckEvery: 200 * time.Millisecond,
	})
	db.fill(1)
	time.Sleep(2500 * time.Millisecond)
	began := time.Now()
	err := db.Exec(t.For(2*time.Second), "select 1")
	t.Sawf("%s after %v", errText(err), ms(time.Since(began)))
	t.Require(err == nil && time.Since(began) < time.Second, "the last session was not kept alive")
}

func cancelledOnSQL(t *Trial) {
	const size = 8
	dsn := t.postgres(nil).DSN()
	db := t.sqlHandle(dsn, nil, size)
	census := t.watcher(dsn).census()
	until := time.Now().Add(2 * time.Second)
	var queries atomic.Int64
	atOnce(2*size, func() error {
		for time.Now().Before(until) {
			ctx, cancel := context.WithTimeout(t.ctx, 10*time.Millisecond)
			queries.Add(1)
			if _, err := db.ExecContext(ctx, "select pg_sleep(0.5)"); err == nil {
				t.Faultf("a query was not cancelled")
			}
			cancel()
		}
		return nil
	})
	most := census.finish()
	t.Sawf("%d queries, most sessions at once %d of %d", queries.Load(), most, size)
	t.Require(most <= size+1, "more sessions than the pool's size")
}
