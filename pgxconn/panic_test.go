package pgxconn_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/pgxconn"
)

// What pgx calls of the user's may panic, wherever that is. Nobody here defers
// a Close.

var errPanic = errors.New("the user's code has panicked")

// panicking is the user's code.
type panicking struct{ pgtype.Int4Codec }

func (panicking) Scan(any) error                                              { panic(errPanic) }
func (panicking) ScanRow(pgx.Rows) error                                      { panic(errPanic) }
func (panicking) Value() (driver.Value, error)                                { panic(errPanic) }
func (panicking) DecodeValue(*pgtype.Map, uint32, int16, []byte) (any, error) { panic(errPanic) }
func (panicking) RewriteQuery(context.Context, *pgx.Conn, string, []any) (string, []any, error) {
	panic(errPanic)
}

// column scans one column, where panicking scans a row.
type column struct{}

func (*column) Scan(any) error { panic(errPanic) }

func TestAPanicOfTheUsersCodeCostsNoSlot(t *testing.T) {
	server := start(t, nil)
	const many = "select generate_series(1, 1000)"
	for name, do := range map[string]func(context.Context, *pgxconn.Pool){
		"a destination of a row": func(ctx context.Context, p *pgxconn.Pool) {
			_ = p.QueryRow(ctx, "select 1").Scan(&column{})
		},
		"a destination that scans a row": func(ctx context.Context, p *pgxconn.Pool) {
			_ = p.QueryRow(ctx, "select 1").Scan(panicking{})
		},
		"a destination of rows": func(ctx context.Context, p *pgxconn.Pool) {
			rows, _ := p.Query(ctx, many)
			rows.Next()
			_ = rows.Scan(&column{})
		},
		"a codec": func(ctx context.Context, p *pgxconn.Pool) {
			rows, _ := p.Query(ctx, many)
			rows.TypeMap().RegisterType(&pgtype.Type{Name: "int4", OID: pgtype.Int4OID, Codec: panicking{}})
			rows.Next()
			_, _ = rows.Values()
		},
		"a function that collects rows": func(ctx context.Context, p *pgxconn.Pool) {
			rows, _ := p.Query(ctx, many)
			_, _ = pgx.CollectRows(rows, func(pgx.CollectableRow) (int, error) { panic(errPanic) })
		},
		"an argument of Exec": func(ctx context.Context, p *pgxconn.Pool) {
			_, _ = p.Exec(ctx, "select $1::int", panicking{})
		},
		"an argument of Query":         func(ctx context.Context, p *pgxconn.Pool) { _, _ = p.Query(ctx, "select $1::text", &value{}) },
		"an argument of QueryRow":      func(ctx context.Context, p *pgxconn.Pool) { p.QueryRow(ctx, "select $1::text", &value{}) },
		"a rewriter of Exec":           func(ctx context.Context, p *pgxconn.Pool) { _, _ = p.Exec(ctx, "select 1", panicking{}) },
		"a rewriter of Query":          func(ctx context.Context, p *pgxconn.Pool) { _, _ = p.Query(ctx, "select 1", panicking{}) },
		"a rewriter of QueryRow":       func(ctx context.Context, p *pgxconn.Pool) { p.QueryRow(ctx, "select 1", panicking{}) },
		"an argument of a batch":       func(ctx context.Context, p *pgxconn.Pool) { p.SendBatch(ctx, queued("select $1::text", &value{})) },
		"a rewriter of a batch":        func(ctx context.Context, p *pgxconn.Pool) { p.SendBatch(ctx, queued("select 1", panicking{})) },
		"a callback of a queued query": func(ctx context.Context, p *pgxconn.Pool) { _ = p.SendBatch(ctx, calling(many, false)).Close() },
		"a source of CopyFrom, asked for the next row": func(ctx context.Context, p *pgxconn.Pool) {
			_, _ = p.CopyFrom(ctx, pgx.Identifier{"kept"}, []string{"n"}, &source{rows: 10000, on: func(row int) {
				if row == 5000 {
					panic(errPanic)
				}
			}})
		},
		"a source of CopyFrom, asked for its values": func(ctx context.Context, p *pgxconn.Pool) {
			_, _ = p.CopyFrom(ctx, pgx.Identifier{"kept"}, []string{"n"}, badSource{next: true})
		},
		"a source of CopyFrom, asked for its error": func(ctx context.Context, p *pgxconn.Pool) {
			_, _ = p.CopyFrom(ctx, pgx.Identifier{"kept"}, []string{"n"}, badSource{})
		},
		"a source of CopyFrom that is nil": func(ctx context.Context, p *pgxconn.Pool) {
			_, _ = p.CopyFrom(ctx, pgx.Identifier{"kept"}, []string{"n"}, nil)
		},
		"a function of AcquireFunc": func(ctx context.Context, p *pgxconn.Pool) {
			_ = p.AcquireFunc(ctx, func(c *pgxconn.Conn) error {
				_, _ = c.Query(ctx, many)
				panic(errPanic)
			})
		},
		"a function of BeginFunc": func(ctx context.Context, p *pgxconn.Pool) {
			_ = pgx.BeginFunc(ctx, p, func(pgx.Tx) error { panic(errPanic) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			pool := open(t, server.DSN(), size(2))
			_, err := pool.Exec(patient(t), "create table if not exists kept (n int)")
			require.NoError(t, err)
			for range 3 {
				require.Panics(t, func() { do(patient(t), pool) })
				requireWhole(t, pool)
			}
			require.Zero(t, ask[int](t, pool, "select count(*) from kept"))
		})
	}
}

// value is an argument that cannot be had.
type value struct{}

func (*value) Value() (driver.Value, error) { panic(errPanic) }

func queued(sql string, arguments ...any) *pgx.Batch {
	b := &pgx.Batch{}
	b.Queue(sql, arguments...)
	return b
}

// calling is a batch with a callback that panics.
func calling(sql string, begin bool) *pgx.Batch {
	b := &pgx.Batch{}
	if begin {
		b.BeginTx(pgx.TxOptions{})
	}
	b.Queue(sql).Query(func(pgx.Rows) error { panic(errPanic) })
	return b
}

// badSource panics when it is asked for values or, if there is no row, for its
// error.
type badSource struct{ next bool }

func (s badSource) Next() bool           { return s.next }
func (badSource) Values() ([]any, error) { panic(errPanic) }
func (badSource) Err() error             { panic(errPanic) }

func TestAPanicOfASourceGoesOnInWhoCopies(t *testing.T) {
	pool, _ := startPool(t, size(1))
	_, err := pool.Exec(patient(t), "create table kept (n int)")
	require.NoError(t, err)
	copyTo := func(to interface {
		CopyFrom(context.Context, pgx.Identifier, []string, pgx.CopyFromSource) (int64, error)
	}) (caught any) {
		defer func() { caught = recover() }()
		_, _ = to.CopyFrom(patient(t), pgx.Identifier{"kept"}, []string{"n"}, badSource{next: true})
		return nil
	}
	requirePanic := func(caught any) {
		t.Helper()
		require.IsType(t, &connpool.PanicError{}, caught)
		require.ErrorIs(t, caught.(error), errPanic)
		require.Contains(t, string(caught.(*connpool.PanicError).Stack), "badSource.Values")
	}
	requirePanic(copyTo(pool))
	c := acquire(t, pool)
	requirePanic(copyTo(c))
	require.Equal(t, 1, ask[int](t, c, "select 1"), "the copy is over")
	c.Release()
	tx, err := pool.Begin(patient(t))
	require.NoError(t, err)
	requirePanic(copyTo(tx))
	require.EqualValues(t, 'E', tx.Conn().PgConn().TxStatus())
	require.NoError(t, tx.Rollback(patient(t)))
	requireWhole(t, pool)
	require.EqualValues(t, 1, pool.Stat().NewConnsCount())
}

func TestAPanicInABatchesTransactionLeavesThatToItsEnd(t *testing.T) {
	pool, _ := startPool(t, size(1))
	results := pool.SendBatch(patient(t), calling("select generate_series(1, 1000)", true))
	tx := results.Tx()
	require.Panics(t, func() { _ = results.Close() })
	require.EqualValues(t, 1, pool.Stat().AcquiredConns())
	_ = tx.Rollback(patient(t))
	requireWhole(t, pool)
}

// calls are the methods of a tracer and what calls them.
var calls = map[string]func(context.Context, *pgxconn.Pool){
	"AcquireStart": func(ctx context.Context, p *pgxconn.Pool) { _ = p.Ping(ctx) },
	"AcquireEnd":   func(ctx context.Context, p *pgxconn.Pool) { _ = p.Ping(ctx) },
	"Release":      func(ctx context.Context, p *pgxconn.Pool) { _ = p.Ping(ctx) },
	"QueryStart":   func(ctx context.Context, p *pgxconn.Pool) { _, _ = p.Query(ctx, "select 1") },
	"QueryEnd": func(ctx context.Context, p *pgxconn.Pool) {
		rows, _ := p.Query(ctx, "select generate_series(1, 10)")
		for rows.Next() {
		}
	},
	"PrepareStart":  func(ctx context.Context, p *pgxconn.Pool) { p.QueryRow(ctx, "select 1") },
	"PrepareEnd":    func(ctx context.Context, p *pgxconn.Pool) { p.QueryRow(ctx, "select 1") },
	"BatchStart":    func(ctx context.Context, p *pgxconn.Pool) { p.SendBatch(ctx, batch("select 1")) },
	"BatchQuery":    func(ctx context.Context, p *pgxconn.Pool) { _ = p.SendBatch(ctx, batch("select 1")).Close() },
	"BatchEnd":      func(ctx context.Context, p *pgxconn.Pool) { _ = p.SendBatch(ctx, batch("select 1")).Close() },
	"CopyFromStart": copyNothing,
	"CopyFromEnd":   copyNothing,
}

func copyNothing(ctx context.Context, p *pgxconn.Pool) {
	_, _ = p.CopyFrom(ctx, pgx.Identifier{"pg_class"}, []string{"relname"}, pgx.CopyFromRows(nil))
}

func TestAPanicOfATracerCostsNoSlot(t *testing.T) {
	server := start(t, nil)
	for call, do := range calls {
		t.Run(call, func(t *testing.T) {
			var armed atomic.Bool
			pool := open(t, server.DSN(), size(2), traced(&tracer{on: func(made string) {
				if made == call && armed.Load() {
					panic(errPanic)
				}
			}}))
			for range 3 {
				armed.Store(true)
				require.PanicsWithValue(t, errPanic, func() { do(patient(t), pool) })
				armed.Store(false)
				pool.Reset() // so that statements have to be prepared again
				requireWhole(t, pool)
			}
		})
	}
}

// A dial is no caller's: the pool dials again.
func TestAPanicOfATracerInADialIsAFailedDial(t *testing.T) {
	for _, call := range []string{"ConnectStart", "ConnectEnd"} {
		t.Run(call, func(t *testing.T) {
			var panics atomic.Int64
			panics.Store(3)
			pool, _ := startPool(t, size(2), traced(&tracer{on: func(made string) {
				if made == call && panics.Add(-1) >= 0 {
					panic(errPanic)
				}
			}}))
			require.NoError(t, pool.Ping(patient(t)))
			requireWhole(t, pool)
			require.EqualValues(t, 3, pool.Connpool().Stats().Panics)
		})
	}
}
