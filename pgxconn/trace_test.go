package pgxconn_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/pgxconn"
)

// tracer is a tracer with all the methods there are. It writes down the calls,
// and does something in one of them.
type tracer struct {
	on func(call string) // or nil

	mu    sync.Mutex
	calls []string
	last  pgxconn.TraceReleaseData
}

type traceKey struct{}

// note writes down a call, the number that its context carries and what it is told.
func (t *tracer) note(ctx context.Context, call string, told ...any) {
	text := call
	if ctx != nil && ctx.Value(traceKey{}) != nil {
		text = fmt.Sprint(ctx.Value(traceKey{}), " ", call)
	}
	t.mu.Lock()
	t.calls = append(t.calls, fmt.Sprint(append([]any{text}, told...)...))
	t.mu.Unlock()
	if t.on != nil {
		t.on(call)
	}
}

// told returns the calls since it was last asked.
func (t *tracer) told() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	calls := t.calls
	t.calls = nil
	return calls
}

func (t *tracer) TraceAcquireStart(ctx context.Context, _ *pgxconn.Pool, _ pgxconn.TraceAcquireStartData) context.Context {
	t.note(ctx, "AcquireStart")
	return context.WithValue(ctx, traceKey{}, "acquiring")
}

func (t *tracer) TraceAcquireEnd(ctx context.Context, _ *pgxconn.Pool, data pgxconn.TraceAcquireEndData) {
	t.note(ctx, "AcquireEnd", " ", data.Conn != nil, " ", data.Err != nil)
}

func (t *tracer) TraceRelease(_ *pgxconn.Pool, data pgxconn.TraceReleaseData) {
	t.mu.Lock()
	t.last = data
	t.mu.Unlock()
	t.note(nil, "Release")
}

func (t *tracer) TraceConnectStart(ctx context.Context, _ pgx.TraceConnectStartData) context.Context {
	t.note(nil, "ConnectStart")
	return ctx
}
func (t *tracer) TraceConnectEnd(context.Context, pgx.TraceConnectEndData) { t.note(nil, "ConnectEnd") }

func (t *tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	t.note(ctx, "QueryStart", " ", data.SQL)
	return ctx
}
func (t *tracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	t.note(ctx, "QueryEnd")
}

func (t *tracer) TracePrepareStart(ctx context.Context, _ *pgx.Conn, _ pgx.TracePrepareStartData) context.Context {
	t.note(ctx, "PrepareStart")
	return ctx
}
func (t *tracer) TracePrepareEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TracePrepareEndData) {
	t.note(ctx, "PrepareEnd")
}

func (t *tracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	t.note(ctx, "BatchStart")
	return ctx
}
func (t *tracer) TraceBatchQuery(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchQueryData) {
	t.note(ctx, "BatchQuery")
}
func (t *tracer) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchEndData) {
	t.note(ctx, "BatchEnd")
}

func (t *tracer) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceCopyFromStartData) context.Context {
	t.note(ctx, "CopyFromStart")
	return ctx
}
func (t *tracer) TraceCopyFromEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceCopyFromEndData) {
	t.note(ctx, "CopyFromEnd")
}

func traced(t *tracer) func(*config) { return func(c *config) { c.ConnConfig.Tracer = t } }

func TestEachUseOfAConnectionIsTracedInOrder(t *testing.T) {
	trace := &tracer{}
	pool, _ := startPool(t, size(1), traced(trace))
	ctx := patient(t)
	require.NoError(t, pool.AcquireFunc(ctx, func(*pgxconn.Conn) error { return nil }))
	require.Equal(t, []string{"AcquireStart", "ConnectStart", "ConnectEnd", "acquiring AcquireEnd true false", "Release"}, trace.told())

	around := func(calls ...string) []string {
		return append(append([]string{"AcquireStart", "acquiring AcquireEnd true false"}, calls...), "Release")
	}
	_, err := pool.Exec(ctx, "begin")
	require.NoError(t, err)
	require.Equal(t, around("QueryStart begin", "QueryEnd"), trace.told(), "the context of an acquire is for that alone")
	require.NoError(t, pool.QueryRow(ctx, "select 1").Scan(new(int)))
	require.Equal(t, []string{"AcquireStart", "ConnectStart", "ConnectEnd", "acquiring AcquireEnd true false",
		"QueryStart select 1", "PrepareStart", "PrepareEnd", "QueryEnd", "Release"}, trace.told(), "the transaction has cost the connection")
	rows, err := pool.Query(ctx, "select 1")
	require.NoError(t, err)
	for rows.Next() {
	}
	rows.Close()
	require.Equal(t, around("QueryStart select 1", "QueryEnd"), trace.told())
	tx, err := pool.Begin(ctx)
	require.NoError(t, err)
	require.NoError(t, tx.Commit(ctx))
	require.ErrorIs(t, tx.Rollback(ctx), pgx.ErrTxClosed)
	require.Equal(t, around("QueryStart begin", "QueryEnd", "QueryStart commit", "QueryEnd"), trace.told())
	require.NoError(t, pool.SendBatch(ctx, batch("select 1")).Close())
	require.Equal(t, around("BatchStart", "BatchQuery", "BatchEnd"), trace.told())
	_, err = pool.CopyFrom(ctx, pgx.Identifier{"nowhere"}, []string{"n"}, pgx.CopyFromRows(nil))
	require.Error(t, err)
	require.Equal(t, around("CopyFromStart", "PrepareStart", "PrepareEnd"), trace.told())
}

func TestAnAcquireThatFailsIsTracedWithItsError(t *testing.T) {
	trace := &tracer{}
	pool, _ := startPool(t, size(1), traced(trace))
	require.Error(t, pool.Ping(expired()))
	require.Equal(t, []string{"AcquireStart", "acquiring AcquireEnd false true"}, trace.told())
}

func TestAReleaseIsTracedOnceWithItsConnection(t *testing.T) {
	trace := &tracer{}
	pool, _ := startPool(t, size(1), traced(trace))
	c := acquire(t, pool)
	own := c.Conn()
	trace.told()
	c.Release()
	c.Release()
	require.Equal(t, []string{"Release"}, trace.told())
	require.Same(t, own, trace.last.Conn)
	all := pool.AcquireAllIdle(patient(t))
	require.Len(t, all, 1)
	require.Empty(t, trace.told())
	release(all...)
	require.Equal(t, []string{"Release"}, trace.told())
	require.NoError(t, acquire(t, pool).Hijack().Close(patient(t)))
	require.NotContains(t, trace.told(), "Release")
}

func TestATracerOfOneMethodIsEnough(t *testing.T) {
	var started, ended, released int
	for _, tracer := range []pgx.QueryTracer{
		&acquireOnly{onStart: func() { started++ }, onEnd: func() { ended++ }},
		&releaseOnly{on: func() { released++ }},
	} {
		pool, _ := startPool(t, size(1), func(c *config) { c.ConnConfig.Tracer = tracer })
		require.NoError(t, pool.Ping(patient(t)))
	}
	require.Equal(t, []int{1, 1, 1}, []int{started, ended, released})
}

type queryOnly struct{}

func (queryOnly) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}
func (queryOnly) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

type acquireOnly struct {
	queryOnly
	onStart, onEnd func()
}

func (t *acquireOnly) TraceAcquireStart(ctx context.Context, _ *pgxconn.Pool, _ pgxconn.TraceAcquireStartData) context.Context {
	t.onStart()
	return ctx
}
func (t *acquireOnly) TraceAcquireEnd(context.Context, *pgxconn.Pool, pgxconn.TraceAcquireEndData) {
	t.onEnd()
}

type releaseOnly struct {
	queryOnly
	on func()
}

func (t *releaseOnly) TraceRelease(*pgxconn.Pool, pgxconn.TraceReleaseData) { t.on() }
