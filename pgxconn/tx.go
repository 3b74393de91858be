package pgxconn

import (
	"cmp"
	"context"

	"github.com/jackc/pgx/v5"
)

// pgxTx is a name that keeps the transaction below out of Tx's fields.
type pgxTx = pgx.Tx

// Tx is a transaction that gives its connection back when it has been committed
// or rolled back. Its other methods are pgx.Tx's.
type Tx struct {
	pgxTx
	conn Conn
}

// Commit commits the transaction and gives the connection back. After the end of
// the transaction it returns pgx.ErrTxClosed; if the transaction had failed and
// was rolled back instead, pgx.ErrTxCommitRollback.
func (tx *Tx) Commit(ctx context.Context) error { return tx.end(ctx, tx.pgxTx.Commit) }

// Rollback rolls the transaction back and gives the connection back. After the
// end of the transaction it returns pgx.ErrTxClosed, so it can be deferred.
func (tx *Tx) Rollback(ctx context.Context) error { return tx.end(ctx, tx.pgxTx.Rollback) }

// end gives the connection back after a commit or rollback. What has failed before
// says more than that the transaction or the connection is closed: a context may
// have cut a query short.
func (tx *Tx) end(ctx context.Context, finish func(context.Context) error) (err error) {
	failed := tx.conn.failed
	defer func() { tx.conn.giveBack(cmp.Or(failed, err)) }()
	return finish(ctx)
}

// CopyFrom is pgx.Tx's. If rowSrc panics, so does CopyFrom, with a
// *connpool.PanicError.
func (tx *Tx) CopyFrom(
	ctx context.Context, tableName pgx.Identifier, columnNames []string, rowSrc pgx.CopyFromSource,
) (int64, error) {
	return tx.pgxTx.CopyFrom(ctx, tableName, columnNames, rowSrc)
}

// KeepLong is Conn's: the transaction is not reported as a leak.
func (tx *Tx) KeepLong() { tx.conn.KeepLong() }

// Conn returns the connection. It panics after the end of the transaction.
func (tx *Tx) Conn() *pgx.Conn { return tx.conn.Conn() }
