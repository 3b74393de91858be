package sqlconn_test

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/sqlconn"
)

// What people call on a handle that they know from elsewhere.
var settings = map[string]func(*sql.DB){
	"none":                    func(*sql.DB) {},
	"SetMaxIdleConns(1)":      func(db *sql.DB) { db.SetMaxIdleConns(1) },
	"SetMaxIdleConns(10)":     func(db *sql.DB) { db.SetMaxIdleConns(10) },
	"SetMaxIdleConns(-1)":     func(db *sql.DB) { db.SetMaxIdleConns(-1) },
	"SetMaxOpenConns(100)":    func(db *sql.DB) { db.SetMaxOpenConns(100); db.SetMaxIdleConns(100) },
	"SetMaxOpenConns(2)":      func(db *sql.DB) { db.SetMaxOpenConns(2) },
	"SetConnMaxLifetime(1)":   func(db *sql.DB) { db.SetConnMaxLifetime(1) },
	"SetConnMaxIdleTime(1 h)": func(db *sql.DB) { db.SetConnMaxIdleTime(time.Hour) },
}

func TestFault63_NoSettingOfDatabaseSQLKeepsAConnectionFromTheOthers(t *testing.T) {
	for name, set := range settings {
		t.Run(name, func(t *testing.T) {
			s := newServer()
			s.shape = connShapes["all"]
			db, pool := open(t, s, config{MaxSize: 4}, sqlconn.Options{})
			set(db)
			var all sync.WaitGroup
			for range 16 {
				all.Go(func() {
					for range 20 {
						query(db, "a ?", 1)
						lease, err := pool.Acquire(patient(t)) // somebody else's, of the same pool
						if err != nil {
							t.Error(err)
							return
						}
						lease.Release()
					}
				})
			}
			all.Wait()
			require.Zero(t, pool.Stats().InUse)
			require.LessOrEqual(t, s.opened, 4, "no connection was closed for it")
		})
	}
}

func TestFault63_AnAcquireThatFailsIsTheOperationsErrorItself(t *testing.T) {
	for shape := range connShapes {
		s := newServer()
		s.shape = connShapes[shape]
		db, pool := open(t, s, config{MaxSize: 1, AcquireTimeout: time.Millisecond}, sqlconn.Options{})
		stmt, err := db.Prepare("a ?")
		require.NoError(t, err)
		lease, err := pool.Acquire(ctx)
		require.NoError(t, err)
		calls := len(s.calls())
		conn, err := db.Conn(ctx)
		require.NoError(t, err, "there is no operation yet")
		for name, use := range map[string]func() error{
			"Ping":        db.Ping,
			"Exec":        func() error { return exec(db, "a ?", 1).(error) },
			"Query":       func() error { return query(db, "a ?", money{1}).(error) },
			"Prepare":     func() error { _, err := db.Prepare("b"); return err },
			"Begin":       func() error { _, err := db.Begin(); return err },
			"Stmt.Exec":   func() error { _, err := stmt.Exec(1); return err },
			"Stmt.Query":  func() error { _, err := stmt.Query(1); return err },
			"Conn.Ping":   func() error { return conn.PingContext(ctx) },
			"Conn.Exec":   func() error { _, err := conn.ExecContext(ctx, "a"); return err },
			"Conn.Begin":  func() error { _, err := conn.BeginTx(ctx, nil); return err },
			"Plain":       func() error { return sqlconn.Plain(ctx, conn, func(*sql.Conn) error { return nil }) },
			"Conn.Query":  func() error { _, err := conn.QueryContext(ctx, "a ?", 1); return err },
			"Conn.Prepar": func() error { _, err := conn.PrepareContext(ctx, "a ?"); return err },
		} {
			_, exactly := use().(*connpool.AcquireError) //nolint:errorlint // itself
			require.True(t, exactly, "%s: %v", name, use())
		}
		require.Len(t, s.calls(), calls, "the driver was not asked anything")
		lease.Release()
		must(t, conn.PingContext(ctx))
		must(t, conn.Close())
		must(t, stmt.Close())
		require.Zero(t, pool.Stats().InUse)
	}
}

func TestFault63_TheWaitIsBoundedByTheOperationsOwnContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, pool := open(t, newServer(), config{MaxSize: 1}, sqlconn.Options{})
		lease, err := pool.Acquire(ctx)
		require.NoError(t, err)
		began := time.Now()
		soon, end := context.WithTimeout(ctx, 10*time.Millisecond)
		defer end()
		_, err = db.ExecContext(soon, "a")
		require.ErrorIs(t, err, connpool.ErrExhausted)
		require.Equal(t, 10*time.Millisecond, time.Since(began))
		lease.Release()
	})
}

func TestFault63_CallersAreServedInTheOrderTheyCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, pool := open(t, newServer(), config{MaxSize: 1}, sqlconn.Options{})
		lease, err := pool.Acquire(ctx)
		require.NoError(t, err)
		var served []int
		var mu sync.Mutex
		for i := range 20 {
			go func() {
				tx, err := db.Begin()
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				served = append(served, i)
				mu.Unlock()
				_ = tx.Rollback()
			}()
			synctest.Wait()
		}
		lease.Release()
		synctest.Wait()
		for i, caller := range served {
			require.Equal(t, i, caller)
		}
		require.Len(t, served, 20)
	})
}

// A connection that breaks in a transaction must not be replaced under it.
func TestFault63_NothingRunsOutsideOfTheTransactionItWasMeantFor(t *testing.T) {
	for _, failure := range []error{errPanic, errExit} {
		s := newServer()
		s.shape = connShapes["all"]
		db, _ := open(t, s, config{MaxSize: 2}, sqlconn.Options{})
		tx, err := db.Begin()
		require.NoError(t, err)
		s.fail("ExecContext", failure)
		var all sync.WaitGroup
		all.Go(func() {
			defer func() { _ = recover() }()
			_, _ = tx.Exec("a")
		})
		all.Wait()
		_, err = tx.Exec("b")
		require.Error(t, err)
		_, err = tx.Query("b")
		require.Error(t, err)
		_, err = tx.Prepare("b")
		require.Error(t, err)
		require.Error(t, tx.Commit())
		require.Equal(t, []string{"1 ExecContext[a []]"}, s.calls("ExecContext", "QueryContext", "PrepareContext", "Commit"))
	}
}

func TestFault63_ASQLConnKeepsItsConnectionFromItsFirstUseUntilItIsClosed(t *testing.T) {
	s := newServer()
	db, pool := open(t, s, config{MaxSize: 2}, sqlconn.Options{})
	conn, err := db.Conn(ctx)
	require.NoError(t, err)
	require.Zero(t, pool.Stats().InUse)
	for range 3 {
		_, err = conn.ExecContext(ctx, "a")
		require.NoError(t, err)
		require.Equal(t, 1, pool.Stats().InUse)
		must(t, db.Ping())
	}
	must(t, conn.Close())
	require.Zero(t, pool.Stats().InUse)
}

func TestFault65_StatsOfTheHandleCloseNothing(t *testing.T) {
	s := newServer()
	db, pool := open(t, s, config{MaxSize: 2}, sqlconn.Options{})
	var most atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				exec(db, "a")
				most.Store(max(most.Load(), int64(db.Stats().OpenConnections)))
			}
		})
	}
	all.Wait()
	stats := db.Stats()
	require.Zero(t, stats.MaxIdleClosed+stats.MaxLifetimeClosed+stats.MaxIdleTimeClosed)
	require.Zero(t, stats.InUse, "calls under way")
	require.LessOrEqual(t, most.Load(), int64(8), "as many as have been under way at once")
	require.Equal(t, uint64(400), pool.Stats().Acquires)
}
