package pgxtest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/tracelog"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/pgxconn"
)

// forPgxpool is what tracers that were written for pgxpool are.
type forPgxpool interface {
	pgx.QueryTracer
	pgx.BatchTracer
	pgx.CopyFromTracer
	pgx.PrepareTracer
	pgx.ConnectTracer
	pgxpool.AcquireTracer
	pgxpool.ReleaseTracer
}

// lent lends such a tracer the methods that pgxconn looks for.
type lent struct{ forPgxpool }

func (l lent) TraceAcquireStart(ctx context.Context, _ *pgxconn.Pool, data pgxconn.TraceAcquireStartData) context.Context {
	return l.forPgxpool.TraceAcquireStart(ctx, nil, pgxpool.TraceAcquireStartData(data))
}

func (l lent) TraceAcquireEnd(ctx context.Context, _ *pgxconn.Pool, data pgxconn.TraceAcquireEndData) {
	l.forPgxpool.TraceAcquireEnd(ctx, nil, pgxpool.TraceAcquireEndData(data))
}

func (l lent) TraceRelease(_ *pgxconn.Pool, data pgxconn.TraceReleaseData) {
	l.forPgxpool.TraceRelease(nil, pgxpool.TraceReleaseData(data))
}

// journal is a logger that counts messages.
type journal struct {
	mu    sync.Mutex
	lines map[string]int
}

func (j *journal) Log(_ context.Context, _ tracelog.LogLevel, message string, _ map[string]any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.lines == nil {
		j.lines = map[string]int{}
	}
	j.lines[message]++
}

func (j *journal) messages() []string { return slices.Sorted(maps.Keys(j.lines)) }

func TestPgxsTracersAreCalled(t *testing.T) {
	first, second := &journal{}, &journal{}
	for name, tracer := range map[string]forPgxpool{
		"alone": &tracelog.TraceLog{Logger: first, LogLevel: tracelog.LogLevelTrace},
		"among others": multitracer.New(
			&tracelog.TraceLog{Logger: first, LogLevel: tracelog.LogLevelTrace},
			&tracelog.TraceLog{Logger: second, LogLevel: tracelog.LogLevelTrace},
		),
	} {
		t.Run(name, func(t *testing.T) {
			*first, *second = journal{}, journal{}
			pool := open(t, func(c *pgxconn.Config) { c.ConnConfig.Tracer = lent{tracer} }, schema)
			useBooks(t, New(pool))
			require.Equal(t, []string{"Acquire", "BatchClose", "BatchQuery", "Connect", "CopyFrom", "Prepare", "Query", "Release"}, first.messages())
			require.Equal(t, first.lines["Acquire"], first.lines["Release"])
			require.EqualValues(t, pool.Stat().AcquireCount(), first.lines["Acquire"])
			if name != "alone" {
				require.Equal(t, first.lines, second.lines)
			}
		})
	}
}

func TestATracerWrittenForPgxpoolAloneIsTracedByPgxButNotByThePool(t *testing.T) {
	lines := &journal{}
	pool := open(t, func(c *pgxconn.Config) {
		c.ConnConfig.Tracer = &tracelog.TraceLog{Logger: lines, LogLevel: tracelog.LogLevelTrace}
	})
	require.NoError(t, pool.Ping(patient(t)))
	require.NotContains(t, lines.messages(), "Acquire")
	require.Contains(t, lines.messages(), "Connect")
}
