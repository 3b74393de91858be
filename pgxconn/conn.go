package pgxconn

import (
	"context"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/connpool/connpool"
)

// Conn is a borrowed connection. After Release or Hijack its methods, but for
// Release, panic: they cannot touch the next user's connection.
type Conn struct {
	pool  *Pool
	lease connpool.Lease[*pgx.Conn]
	ended atomic.Bool
}

// Conn returns the connection itself, which must not be used any more after
// Release.
func (c *Conn) Conn() *pgx.Conn { return c.lease.Conn() }

// Release gives the connection back. One that is closed, has rows unread, or is
// in a transaction is destroyed. All calls but the first do nothing.
func (c *Conn) Release() { c.giveBack(nil) }

// giveBack is Release by who knows how the work has ended. A connection that has
// been closed by an error which IsBad has the others checked before they are
// lent.
func (c *Conn) giveBack(err error) {
	if c.ended.Swap(true) {
		return
	}
	conn := c.lease.Conn()
	defer func() { // whatever the tracer does
		if err != nil && conn.IsClosed() {
			c.lease.Discard(err)
		} else {
			c.lease.Release()
		}
	}()
	if t := c.pool.releaseTracer; t != nil {
		t.TraceRelease(c.pool, TraceReleaseData{Conn: conn})
	}
}

// unlessHeld gives the connection back unless somebody has come to hold it. It is
// deferred around pgx, which may panic: the user's types and rewriters are called
// there.
func (c *Conn) unlessHeld(held *bool) {
	if !*held {
		c.giveBack(nil)
	}
}

// Hijack returns the connection, which is the caller's to close from now on; the
// pool may open another in its place. It panics after Release or Hijack.
func (c *Conn) Hijack() *pgx.Conn {
	if c.ended.Swap(true) {
		panic("pgxconn: Conn.Hijack after Release or Hijack")
	}
	return c.lease.Hijack()
}

// Exec is pgx.Conn's.
func (c *Conn) Exec(ctx context.Context, sql string, arguments ...any) (pgconn.CommandTag, error) {
	return c.Conn().Exec(ctx, sql, arguments...)
}

// Query is pgx.Conn's.
func (c *Conn) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return c.Conn().Query(ctx, sql, args...)
}

// QueryRow is pgx.Conn's.
func (c *Conn) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return c.Conn().QueryRow(ctx, sql, args...)
}

// SendBatch is pgx.Conn's.
func (c *Conn) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return newBatchResults(c.Conn().SendBatch(ctx, b), c)
}

// CopyFrom is pgx.Conn's. If rowSrc panics, so does CopyFrom, with a
// *connpool.PanicError.
func (c *Conn) CopyFrom(ctx context.Context, tableName pgx.Identifier, columnNames []string, rowSrc pgx.CopyFromSource) (int64, error) {
	return copyFrom(ctx, c.Conn(), tableName, columnNames, rowSrc)
}

// Begin is pgx.Conn's. The transaction does not give the connection back.
func (c *Conn) Begin(ctx context.Context) (pgx.Tx, error) { return c.Conn().Begin(ctx) }

// BeginTx is pgx.Conn's. The transaction does not give the connection back.
func (c *Conn) BeginTx(ctx context.Context, txOptions pgx.TxOptions) (pgx.Tx, error) {
	return c.Conn().BeginTx(ctx, txOptions)
}

// Ping is pgx.Conn's.
func (c *Conn) Ping(ctx context.Context) error { return c.Conn().Ping(ctx) }
