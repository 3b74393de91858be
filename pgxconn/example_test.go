package pgxconn_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/tracelog"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/pgxconn"
)

func ExampleNew() {
	ctx := context.Background()
	pool, err := pgxconn.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	var greeting string
	if err := pool.QueryRow(ctx, "select 'hello ' || $1::text", "world").Scan(&greeting); err != nil {
		log.Fatal(err)
	}
	fmt.Println(greeting)
}

// A Config has the names of pgxpool's. What pgxpool has no name for is set in the
// pool's own words, by Tune.
func ExampleParseConfig() {
	config, err := pgxconn.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	config.MaxConns = 16
	config.MaxConnIdleTime = 5 * time.Minute
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "set statement_timeout = '30s'")
		return err
	}
	config.Tune = func(c *connpool.Config[*pgx.Conn]) {
		c.Name = "orders"                  // in errors and logs
		c.MaxWaiting = 100                 // one more gets ErrQueueFull
		c.LeakThreshold = 10 * time.Second // who holds one for longer is named in the log
	}
	pool, err := pgxconn.NewWithConfig(context.Background(), config)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	fmt.Println(pool.Stat().MaxConns(), pool.Connpool().Name())
}

// For new code there is the pool without the wrapper.
func ExamplePoolConfig() {
	cfg, err := pgxconn.PoolConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	cfg.Name, cfg.MaxSize = "orders", 16
	pool, err := connpool.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	var n int
	err = pool.Do(context.Background(), func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "select count(*) from generate_series(1, 3)").Scan(&n)
	})
	fmt.Println(n, err)
}

// What one user sets for a session does not reach the next.
func ExampleDiscardAll() {
	config, err := pgxconn.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	config.MaxConns = 1
	config.Reset = pgxconn.DiscardAll
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec // statements are not kept
	config.ConnConfig.RuntimeParams["application_name"] = "orders" // what the login sets is
	pool, err := pgxconn.NewWithConfig(context.Background(), config)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	ctx := context.Background()
	if _, err := pool.Exec(ctx, "set application_name = 'somebody'"); err != nil {
		log.Fatal(err)
	}
	var name string
	if err := pool.QueryRow(ctx, "show application_name").Scan(&name); err != nil {
		log.Fatal(err)
	}
	fmt.Println(name)
}

func ExamplePool_AcquireFunc() {
	ctx := context.Background()
	pool, err := pgxconn.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	// Both statements are for the same session.
	var locked bool
	err = pool.AcquireFunc(ctx, func(conn *pgxconn.Conn) error {
		if err := conn.QueryRow(ctx, "select pg_try_advisory_lock(1)").Scan(&locked); err != nil {
			return err
		}
		_, err := conn.Exec(ctx, "select pg_advisory_unlock(1)")
		return err
	})
	fmt.Println(locked, err)
}

// What pgx has for pools is for this one too.
func ExamplePool_Begin() {
	ctx := context.Background()
	pool, err := pgxconn.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	var numbers []int
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, "select generate_series(1, 3)") // the rows say what was wrong
		var err error
		numbers, err = pgx.CollectRows(rows, pgx.RowTo[int])
		return err
	})
	fmt.Println(numbers, err)
}

// Stat has pgxpool's numbers; the statistics of the pool below say more.
func ExamplePool_Stat() {
	ctx := context.Background()
	pool, err := pgxconn.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	tx, err := pool.Begin(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer tx.Rollback(ctx)
	fmt.Println(pool.Stat().AcquiredConns(), "in use")
	stats := pool.Connpool().Stats()
	fmt.Println(stats.Connects, "opened,", stats.Leaks, "leaks")
}

// poolTracer is a tracer that was written for pgxpool. It is lent the methods
// that this package looks for. The pool that it is told of is nil.
type poolTracer struct{ *tracelog.TraceLog }

func (t poolTracer) TraceAcquireStart(ctx context.Context, _ *pgxconn.Pool, data pgxconn.TraceAcquireStartData) context.Context {
	return t.TraceLog.TraceAcquireStart(ctx, nil, pgxpool.TraceAcquireStartData(data))
}

func (t poolTracer) TraceAcquireEnd(ctx context.Context, _ *pgxconn.Pool, data pgxconn.TraceAcquireEndData) {
	t.TraceLog.TraceAcquireEnd(ctx, nil, pgxpool.TraceAcquireEndData(data))
}

func (t poolTracer) TraceRelease(_ *pgxconn.Pool, data pgxconn.TraceReleaseData) {
	t.TraceLog.TraceRelease(nil, pgxpool.TraceReleaseData(data))
}

func ExampleAcquireTracer() {
	config, err := pgxconn.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	config.ConnConfig.Tracer = poolTracer{&tracelog.TraceLog{
		LogLevel: tracelog.LogLevelDebug,
		Logger: tracelog.LoggerFunc(func(_ context.Context, _ tracelog.LogLevel, message string, _ map[string]any) {
			fmt.Println(message)
		}),
	}}
	pool, err := pgxconn.NewWithConfig(context.Background(), config)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.Exec(context.Background(), "select 1"); err != nil {
		log.Fatal(err)
	}
}
