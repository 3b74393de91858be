package pgxconn_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/pgxconn"
)

// What works as with pgxpool is tested with pgxpool: each story is told to both
// pools. It says at each step who has the connection, and the results and errors
// that it notes down must be the same in the end.

// pool is what both pools are.
type pool interface {
	work
	Reset()
	Close()
}

// conn is what both pools' connections are.
type conn interface {
	work
	Conn() *pgx.Conn
	Hijack() *pgx.Conn
	Release()
}

type work interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error)
	Begin(ctx context.Context) (pgx.Tx, error)
	BeginTx(ctx context.Context, options pgx.TxOptions) (pgx.Tx, error)
	Ping(ctx context.Context) error
}

// stat is what is compared of both pools' Stat.
type stat interface {
	AcquiredConns() int32
	IdleConns() int32
	TotalConns() int32
	MaxConns() int32
	NewConnsCount() int64
	AcquireCount() int64
	CanceledAcquireCount() int64
	EmptyAcquireCount() int64
	MaxIdleDestroyCount() int64
	MaxLifetimeDestroyCount() int64
}

// twin is one of the two pools, whichever it is.
type twin struct {
	pool
	*testing.T
	ctx         context.Context
	open        func(hooks)
	stat        func() stat
	acquire     func(context.Context) (conn, error)
	acquireIdle func(context.Context) []conn
	acquireFunc func(context.Context, func(conn) error) error
	watcher     watcher
	notes       []string
}

// hooks are those that both pools' Configs have.
type hooks struct {
	beforeConnect func(context.Context, *pgx.ConnConfig) error
	afterConnect  func(context.Context, *pgx.Conn) error
	prepare       func(context.Context, *pgx.Conn) (bool, error)
	afterRelease  func(*pgx.Conn) bool
	beforeClose   func(*pgx.Conn)
}

// story is what is done to both pools, and what that shows.
type story struct {
	promise string
	tell    func(*twin)
}

const twinSize = 2

// tellBoth tells stories to both pools, each to new ones of two connections.
func tellBoth(t *testing.T, stories []story) {
	t.Helper()
	for i, s := range stories {
		stories[i].tell = func(p *twin) { p.open(hooks{}); s.tell(p) }
	}
	tellBothHooked(t, stories)
}

// tellBothHooked is tellBoth for stories that open the pool themselves, with hooks.
func tellBothHooked(t *testing.T, stories []story) {
	t.Helper()
	server := start(t, nil)
	watcher := watch(t, server)
	for _, s := range stories {
		t.Run(s.promise, func(t *testing.T) {
			theirs, ours := &twin{watcher: watcher}, &twin{watcher: watcher}
			theirs.open = func(h hooks) { theirs.openPgxpool(server.DSN(), h) }
			ours.open = func(h hooks) { ours.openPgxconn(server.DSN(), h) }
			t.Run("pgxpool", func(t *testing.T) { theirs.listen(t, s) })
			t.Run("pgxconn", func(t *testing.T) { ours.listen(t, s) })
			require.Equal(t, theirs.notes, ours.notes)
		})
	}
}

func (p *twin) listen(t *testing.T, s story) {
	p.T, p.ctx = t, patient(t)
	s.tell(p)
}

func (p *twin) openPgxpool(dsn string, h hooks) {
	c, err := pgxpool.ParseConfig(dsn)
	p.must(err)
	c.MaxConns = twinSize
	c.BeforeConnect, c.AfterConnect, c.BeforeClose = h.beforeConnect, h.afterConnect, h.beforeClose
	c.PrepareConn, c.AfterRelease = h.prepare, h.afterRelease
	pool, err := pgxpool.NewWithConfig(p.ctx, c)
	p.must(err)
	p.Cleanup(pool.Close)
	p.pool = pool
	p.stat = func() stat { return pool.Stat() }
	p.acquire = func(ctx context.Context) (conn, error) { return orNil(pool.Acquire(ctx)) }
	p.acquireIdle = func(ctx context.Context) []conn { return conns(pool.AcquireAllIdle(ctx)) }
	p.acquireFunc = func(ctx context.Context, f func(conn) error) error {
		return pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error { return f(c) })
	}
}

func (p *twin) openPgxconn(dsn string, h hooks) {
	pool := open(p, dsn, size(twinSize), func(c *config) {
		c.BeforeConnect, c.AfterConnect, c.BeforeClose = h.beforeConnect, h.afterConnect, h.beforeClose
		c.PrepareConn, c.AfterRelease = h.prepare, h.afterRelease
	})
	p.pool = pool
	p.stat = func() stat { return pool.Stat() }
	p.acquire = func(ctx context.Context) (conn, error) { return orNil(pool.Acquire(ctx)) }
	p.acquireIdle = func(ctx context.Context) []conn { return conns(pool.AcquireAllIdle(ctx)) }
	p.acquireFunc = func(ctx context.Context, f func(conn) error) error {
		return pool.AcquireFunc(ctx, func(c *pgxconn.Conn) error { return f(c) })
	}
}

// orNil returns no conn at all where there is none.
func orNil[C conn](c C, err error) (conn, error) {
	if err != nil {
		return nil, err
	}
	return c, nil
}

func conns[C conn](list []C) (conns []conn) {
	for _, c := range list {
		conns = append(conns, c)
	}
	return conns
}

// note writes down what must be the same for both.
func (p *twin) note(results ...any) {
	p.notes = append(p.notes, fmt.Sprint(results...))
}

// held checks that n connections are in use now.
func (p *twin) held(n int) {
	p.Helper()
	require.EqualValues(p, n, p.stat().AcquiredConns(), "connections in use")
}

// back checks that the connection that was used has come back by now, to be used
// again.
func (p *twin) back() {
	p.Helper()
	p.held(0)
	require.EqualValues(p, 1, p.stat().IdleConns(), "connections idle")
	require.EqualValues(p, 1, p.stat().NewConnsCount(), "connections opened")
}

// gone checks that the connection that was used is not kept.
func (p *twin) gone() {
	p.Helper()
	await(p, func() bool { return p.stat().TotalConns() == 0 })
}

// must checks that there is no error.
func (p *twin) must(err error) {
	p.Helper()
	require.NoError(p, err)
}

// refused notes down an error, which there must be.
func (p *twin) refused(err error) {
	p.Helper()
	require.Error(p, err)
	p.note(err)
}

// cutShort ends the context of some work once that has put the server to sleep.
func (p *twin) cutShort(work func(context.Context) error) {
	p.Helper()
	ctx, cancel := context.WithCancel(p.ctx)
	ended := make(chan error, 1)
	go func() { ended <- work(ctx) }()
	await(p, p.watcher.asleep)
	p.held(1)
	cancel()
	p.cut(<-ended)
}

// cut checks that a context has ended something: the texts differ.
func (p *twin) cut(err error) {
	p.Helper()
	require.True(p, errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded), "%v", err)
}

// one acquires a connection.
func (p *twin) one() conn {
	p.Helper()
	c, err := p.acquire(p.ctx)
	p.must(err)
	return c
}

// rows makes a query.
func (p *twin) rows(sql string, args ...any) pgx.Rows {
	p.Helper()
	rows, err := p.Query(p.ctx, sql, args...)
	p.must(err)
	p.held(1)
	return rows
}

// run executes a statement.
func (p *twin) run(sql string) {
	p.Helper()
	_, err := p.Exec(p.ctx, sql)
	p.must(err)
}

// table makes an empty table kept (n int primary key).
func (p *twin) table() {
	p.Helper()
	p.run("drop table if exists kept")
	p.run("create table kept (n int primary key)")
}

// kept returns what is in the table.
func (p *twin) kept() string {
	p.Helper()
	return ask[string](p, p, "select coalesce(string_agg(n::text, ' ' order by n), '') from kept")
}
