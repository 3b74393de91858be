package pgxconn

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// AcquireTracer traces acquires. A ConnConfig.Tracer that has these methods is
// called, in the goroutine of who acquires.
//
// They are pgxpool's but for the type of the pool, which is why a tracer written
// for pgxpool is not called: the package's example lends it the methods.
type AcquireTracer interface {
	// TraceAcquireStart is called when an acquire begins. The context that it
	// returns is used for the acquire and given to TraceAcquireEnd.
	TraceAcquireStart(ctx context.Context, pool *Pool, data TraceAcquireStartData) context.Context
	// TraceAcquireEnd is called when it ends.
	TraceAcquireEnd(ctx context.Context, pool *Pool, data TraceAcquireEndData)
}

// ReleaseTracer traces releases, as AcquireTracer does acquires.
type ReleaseTracer interface {
	// TraceRelease is called before a connection is given back.
	TraceRelease(pool *Pool, data TraceReleaseData)
}

// The data of the tracers can be converted to pgxpool's of the same names.
type (
	// TraceAcquireStartData is empty.
	TraceAcquireStartData struct{}

	// TraceAcquireEndData is what came of an acquire.
	TraceAcquireEndData struct {
		Conn *pgx.Conn // nil if there is an error
		Err  error
	}

	// TraceReleaseData says which connection is given back.
	TraceReleaseData struct{ Conn *pgx.Conn }
)

func (p *Pool) borrowTraced(ctx context.Context, c *Conn) error {
	ctx = p.acquireTracer.TraceAcquireStart(ctx, p, TraceAcquireStartData{})
	var data TraceAcquireEndData
	if c.lease, data.Err = p.lend(ctx); data.Err == nil {
		data.Conn = c.Conn()
	}
	traced := false
	defer func() {
		if !traced {
			c.lease.Release() // the tracer has panicked: nobody gets the connection
		}
	}()
	p.acquireTracer.TraceAcquireEnd(ctx, p, data)
	traced = true
	return data.Err
}
