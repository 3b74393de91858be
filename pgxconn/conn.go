package pgxconn

import (
	"context"
	"errors"
	"reflect"
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

	failed error // of the user's work, the last one: its release may not say so
}

// Conn returns the connection itself, which must not be used any more after
// Release.
func (c *Conn) Conn() *pgx.Conn { return c.lease.Conn() }

// Release gives the connection back. One that is closed, has rows unread, or is
// in a transaction is destroyed. All calls but the first do nothing.
func (c *Conn) Release() { c.giveBack(nil) }

// giveBack is Release where it is known how the work has ended, which IsBad is
// asked about.
func (c *Conn) giveBack(err error) {
	if c.ended.Swap(true) {
		return
	}
	conn := c.lease.Conn()
	if err == nil {
		err = c.failed
	}
	defer func() { // whatever the tracer does
		c.lease.ReleaseErr(ownError(conn, err))
	}()
	if t := c.pool.releaseTracer; t != nil {
		t.TraceRelease(c.pool, TraceReleaseData{Conn: conn})
	}
}

// KeepLong says that the connection is meant to be held for long, for a LISTEN or a
// lock: it is not reported as a leak. After Release or Hijack it does nothing.
func (c *Conn) KeepLong() { c.lease.KeepLong() }

// note notes an error of the work, and returns it.
func (c *Conn) note(err error) error {
	if err != nil {
		c.failed = err
	}
	return err
}

// blame returns the error of the work, which has ended with err, with what has been
// noted of the connection before.
func (c *Conn) blame(err error) error {
	if err == nil || c.failed == nil || reflect.ValueOf(err).Comparable() && err == c.failed {
		return err
	}
	return errors.Join(err, c.failed)
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
	tag, err := c.Conn().Exec(ctx, sql, arguments...)
	return tag, c.note(err)
}

// Query is pgx.Conn's.
func (c *Conn) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	rows, err := c.Conn().Query(ctx, sql, args...)
	return &guardedRows{rows, c}, c.note(err)
}

// QueryRow is pgx.Conn's.
func (c *Conn) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return &guardedRow{c.Conn().QueryRow(ctx, sql, args...), c}
}

// SendBatch is pgx.Conn's.
func (c *Conn) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return newBatchResults(c.Conn().SendBatch(ctx, b), c)
}

// CopyFrom is pgx.Conn's. If rowSrc panics, so does CopyFrom, with a
// *connpool.PanicError.
func (c *Conn) CopyFrom(ctx context.Context, tableName pgx.Identifier, columnNames []string, rowSrc pgx.CopyFromSource) (int64, error) {
	n, err := copyFrom(ctx, c.Conn(), tableName, columnNames, rowSrc)
	return n, c.note(err)
}

// Begin is pgx.Conn's. The transaction does not give the connection back.
func (c *Conn) Begin(ctx context.Context) (pgx.Tx, error) {
	return c.BeginTx(ctx, pgx.TxOptions{})
}

// BeginTx is pgx.Conn's. The transaction does not give the connection back.
func (c *Conn) BeginTx(ctx context.Context, txOptions pgx.TxOptions) (pgx.Tx, error) {
	tx, err := c.Conn().BeginTx(ctx, txOptions)
	return guardTx(tx, c), c.note(err)
}

// Ping is pgx.Conn's.
func (c *Conn) Ping(ctx context.Context) error { return c.note(c.Conn().Ping(ctx)) }
