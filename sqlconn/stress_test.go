package sqlconn_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/sqlconn"
)

// Whatever everybody does at once, and however the driver fails: the fake panics
// if a connection is used by two, after it has been closed, or closed twice.
func TestNoConnectionIsEverInTwoHands(t *testing.T) {
	const workers, rounds, size = 16, 100, 4
	for _, name := range []string{"none", "all", "Exec Query Reset", "Reset IsValid"} {
		t.Run(name, func(t *testing.T) {
			s := newServer()
			s.shape, s.rows = connShapes[name], rowsShapes["all"]
			db, pool := open(t, s, config{MaxSize: size}, sqlconn.Options{StatementCache: 2})
			stmt, err := db.Prepare("shared ?")
			require.NoError(t, err)
			var all sync.WaitGroup
			for worker := range workers {
				all.Go(func() {
					random := rand.New(rand.NewPCG(1, uint64(worker)))
					for range rounds {
						w := work{db, s, stmt, random}
						w.doSomething()
					}
				})
			}
			all.Wait()
			must(t, stmt.Close())
			// A transaction whose context ends is rolled back by a goroutine of database/sql's.
			require.Eventually(t, func() bool { return pool.Stats().InUse == 0 }, patience, time.Millisecond, "all are back")
			stats := pool.Stats()
			require.LessOrEqual(t, stats.Size, size)
			require.Zero(t, stats.StaleReleases)
		})
	}
}

// work is what one of many does. Errors are as they come: the fake injects them.
type work struct {
	db     *sql.DB
	server *server
	stmt   *sql.Stmt
	random *rand.Rand
}

func (w work) doSomething() {
	ctx, end := context.WithTimeout(context.Background(), time.Duration(w.random.IntN(2000))*time.Microsecond)
	defer end()
	switch w.random.IntN(8) {
	case 0:
		_, _ = w.db.ExecContext(ctx, "exec")
	case 1:
		read(w.db.QueryContext(ctx, "query"))
	case 2:
		_, _ = w.stmt.ExecContext(ctx, 1)
	case 3:
		read(w.stmt.QueryContext(ctx, 2))
	case 4:
		w.transact(ctx)
	case 5:
		w.hold(ctx)
	case 6:
		w.server.fail([]string{"Exec", "ExecContext", "Stmt.Exec", "Rows.Next", "ResetSession", "IsValid", "Commit", "Rollback", "Ping", "Stmt.Close"}[w.random.IntN(10)],
			[]error{errFake, driver.ErrBadConn}[w.random.IntN(2)])
	case 7:
		_ = w.db.PingContext(ctx)
	}
}

func (w work) transact(ctx context.Context) {
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return
	}
	_, _ = tx.Stmt(w.stmt).Exec(3)
	read(tx.Query("in a transaction"))
	if w.random.IntN(2) == 0 {
		_ = tx.Commit()
	} else {
		_ = tx.Rollback()
	}
}

// hold closes a statement after its connection, when others may have it.
func (w work) hold(ctx context.Context) {
	c, err := w.db.Conn(ctx)
	if err != nil {
		return
	}
	stmt, err := c.PrepareContext(ctx, "held")
	_ = c.Raw(func(c any) error {
		if w.random.IntN(4) == 0 {
			return driver.ErrBadConn
		}
		own, err := sqlconn.DriverConn(ctx, c)
		if err != nil {
			return err
		}
		return own.(interface{ ask(string, ...any) error }).ask("Raw")
	})
	_ = c.Close()
	if err == nil {
		_ = stmt.Close()
	}
}
