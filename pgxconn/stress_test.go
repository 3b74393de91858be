package pgxconn_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/pgxconn"
)

// Everybody does everything at once, is cut short and has sessions ended under
// him. Each connection says whether it is in two hands.
func TestNoConnectionIsEverInTwoHandsAndNoSlotIsLost(t *testing.T) {
	const workers, n = 64, 8
	for name, edit := range map[string]func(*config){
		"plain":       func(*config) {},
		"with a hook": func(c *config) { c.Reset = pgxconn.DiscardAll },
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t, nil)
			users := &users{}
			pool := open(t, server.DSN(), size(n), edit, users.watch)
			w := watch(t, server)
			tell(t, w.Conn, "create table kept (n int)")
			until := time.Now().Add(1500 * time.Millisecond)
			var all sync.WaitGroup
			for number := range workers {
				all.Go(func() {
					worker := worker{Pool: pool, users: users, random: rand.New(rand.NewPCG(1, uint64(number)))}
					for time.Now().Before(until) {
						worker.doSomething()
					}
				})
			}
			most := census(t, w, until)
			all.Wait()

			require.Zero(t, users.clashes.Load())
			require.LessOrEqual(t, most, n)
			requireWhole(t, pool)
			stats := pool.Connpool().Stats()
			t.Logf("%d acquires, %d connections, %d sessions at most; closed %v", stats.Acquires, stats.Connects, most, stats.Closes)
			require.Greater(t, stats.Acquires, uint64(workers))
			require.LessOrEqual(t, stats.Size, n)
			require.Zero(t, stats.StaleReleases)
			require.Zero(t, stats.Panics)
			await(t, func() bool { return w.sessions() == n })
		})
	}
}

// census returns the most sessions that the server has had at any time.
func census(t *testing.T, w watcher, until time.Time) (most int) {
	for time.Now().Before(until) {
		most = max(most, w.sessions())
		if rand.IntN(40) == 0 {
			tell(t, w.Conn, "select pg_terminate_backend(pid) "+ofPools+" order by random() limit 1")
		}
	}
	return most
}

// users watches over who has which connection: between two tracer's calls it is
// somebody's.
type users struct {
	queryOnly
	held    sync.Map // *pgx.Conn to struct{}
	clashes atomic.Int64
}

func (u *users) watch(c *config) { c.ConnConfig.Tracer = u }

func (u *users) TraceAcquireStart(ctx context.Context, _ *pgxconn.Pool, _ pgxconn.TraceAcquireStartData) context.Context {
	return ctx
}

func (u *users) TraceAcquireEnd(_ context.Context, _ *pgxconn.Pool, data pgxconn.TraceAcquireEndData) {
	if data.Err != nil {
		return
	}
	if _, taken := u.held.LoadOrStore(data.Conn, true); taken {
		u.clashes.Add(1)
	}
}

func (u *users) TraceRelease(_ *pgxconn.Pool, data pgxconn.TraceReleaseData) {
	if _, mine := u.held.LoadAndDelete(data.Conn); !mine {
		u.clashes.Add(1)
	}
}

// worker is one of many. Errors are as they come: sessions end and time is short.
type worker struct {
	*pgxconn.Pool
	users  *users
	random *rand.Rand
}

func (w worker) doSomething() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(w.random.IntN(300_000))*time.Microsecond)
	defer cancel()
	things := []func(context.Context){
		w.exec, w.row, w.rows, w.leaveRows, w.tx, w.leaveTx, w.nested, w.batch, w.batchesTx, w.copy, w.hold, w.panic, w.hijack, w.idle,
	}
	things[w.random.IntN(len(things))](ctx)
}

func (w worker) exec(ctx context.Context) { _, _ = w.Exec(ctx, "select pg_sleep(0.001)") }

func (w worker) row(ctx context.Context) {
	want := w.random.IntN(1000)
	var got int
	if err := w.QueryRow(ctx, "select $1::int", want).Scan(&got); err == nil && got != want {
		w.users.clashes.Add(1)
	}
}

func (w worker) rows(ctx context.Context) {
	rows, _ := w.Query(ctx, "select generate_series(1, 100)")
	if list, err := pgx.CollectRows(rows, pgx.RowTo[int]); err == nil && (len(list) != 100 || list[99] != 100) {
		w.users.clashes.Add(1)
	}
}

func (w worker) leaveRows(ctx context.Context) {
	rows, _ := w.Query(ctx, "select generate_series(1, 10000)")
	rows.Next()
	rows.Close()
	rows.Close()
}

func (w worker) tx(ctx context.Context) {
	_ = pgx.BeginFunc(ctx, w, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "insert into kept values ($1)", w.random.IntN(1000))
		return err
	})
}

func (w worker) leaveTx(ctx context.Context) {
	tx, err := w.Begin(ctx)
	if err != nil {
		return
	}
	_, _ = tx.Exec(ctx, "select 1 / $1::int", w.random.IntN(2))
	_ = tx.Commit(ctx)
	_ = tx.Rollback(ctx)
}

func (w worker) nested(ctx context.Context) {
	_ = pgx.BeginFunc(ctx, w, func(tx pgx.Tx) error {
		_ = pgx.BeginFunc(ctx, tx, func(pgx.Tx) error { return errWork })
		rows, err := tx.Query(ctx, "select generate_series(1, 10)")
		if err == nil && w.random.IntN(2) == 0 {
			rows.Close()
		}
		return err
	})
}

func (w worker) batch(ctx context.Context) {
	results := w.SendBatch(ctx, batch("select 1", "select pg_sleep(0.001)", "select 1 / 0"))
	_, _ = results.Exec()
	_ = results.Close()
	_ = results.Close()
}

func (w worker) batchesTx(ctx context.Context) {
	results := w.SendBatch(ctx, transaction("select 1"))
	tx := results.Tx()
	_ = results.Close()
	if tx != nil {
		_ = tx.Rollback(ctx)
	}
}

func (w worker) copy(ctx context.Context) {
	_, _ = w.CopyFrom(ctx, pgx.Identifier{"kept"}, []string{"n"}, &source{rows: w.random.IntN(1000), err: []error{nil, errWork}[w.random.IntN(2)]})
}

func (w worker) hold(ctx context.Context) {
	_ = w.AcquireFunc(ctx, func(c *pgxconn.Conn) error {
		_, _ = c.Exec(ctx, []string{"select 1", "begin", "nonsense", "listen news"}[w.random.IntN(4)])
		if w.random.IntN(8) == 0 {
			_ = c.Conn().Close(ctx)
		}
		if w.random.IntN(4) == 0 {
			c.Release()
		}
		return nil
	})
}

func (w worker) panic(ctx context.Context) {
	defer func() { _ = recover() }()
	_ = w.QueryRow(ctx, "select 1").Scan(&column{})
}

func (w worker) hijack(ctx context.Context) {
	c, err := w.Acquire(ctx)
	if err != nil || w.random.IntN(10) > 0 {
		if err == nil {
			c.Release()
		}
		return
	}
	w.users.held.Delete(c.Conn())
	// It is closed before its slot is free, so that the server has no session more.
	own := c.Conn()
	_ = own.Close(context.Background())
	<-own.PgConn().CleanupDone()
	c.Hijack()
}

func (w worker) idle(ctx context.Context) {
	for _, c := range w.AcquireAllIdle(ctx) {
		w.users.held.Store(c.Conn(), true)
		c.Release()
	}
}
