package pgxconn

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

var errRowsOver = errors.New("pgxconn: the connection of the rows has been given back")

// guardedRows are rows that do not touch the connection once it may be another's.
type guardedRows struct {
	pgx.Rows
	conn *Conn
}

func (r *guardedRows) over() bool { return r.conn.ended.Load() }

func (r *guardedRows) Next() bool {
	if r.over() {
		return false
	}
	more := r.Rows.Next()
	if !more {
		_ = r.conn.note(r.Rows.Err())
	}
	return more
}

func (r *guardedRows) Close() {
	if !r.over() {
		r.Rows.Close()
		_ = r.conn.note(r.Rows.Err())
	}
}

func (r *guardedRows) Scan(dest ...any) error {
	if r.over() {
		return errRowsOver
	}
	return r.Rows.Scan(dest...)
}

func (r *guardedRows) Values() ([]any, error) {
	if r.over() {
		return nil, errRowsOver
	}
	return r.Rows.Values()
}

func (r *guardedRows) RawValues() [][]byte {
	if r.over() {
		return nil
	}
	return r.Rows.RawValues()
}

func (r *guardedRows) FieldDescriptions() []pgconn.FieldDescription {
	if r.over() {
		return nil
	}
	return r.Rows.FieldDescriptions()
}

func (r *guardedRows) Conn() *pgx.Conn {
	if r.over() {
		return nil
	}
	return r.Rows.Conn()
}

// guardedRow is a row that is not scanned once the connection may be another's.
type guardedRow struct {
	pgx.Row
	conn *Conn
}

func (r *guardedRow) Scan(dest ...any) error {
	if r.conn.ended.Load() {
		return errRowsOver
	}
	return r.conn.note(r.Row.Scan(dest...))
}

// guardedTx is a transaction that does not touch the connection once it may be
// another's, and all that comes of it.
type guardedTx struct {
	pgx.Tx
	conn *Conn
}

// guardTx guards a transaction, if there is one.
func guardTx(tx pgx.Tx, conn *Conn) pgx.Tx {
	if tx == nil {
		return nil
	}
	return &guardedTx{tx, conn}
}

func (tx *guardedTx) over() bool { return tx.conn.ended.Load() }

func (tx *guardedTx) Begin(ctx context.Context) (pgx.Tx, error) {
	if tx.over() {
		return nil, pgx.ErrTxClosed
	}
	nested, err := tx.Tx.Begin(ctx)
	return guardTx(nested, tx.conn), tx.conn.note(err)
}

func (tx *guardedTx) Commit(ctx context.Context) error {
	if tx.over() {
		return pgx.ErrTxClosed
	}
	return tx.conn.note(tx.Tx.Commit(ctx))
}

func (tx *guardedTx) Rollback(ctx context.Context) error {
	if tx.over() {
		return pgx.ErrTxClosed
	}
	return tx.Tx.Rollback(ctx)
}

func (tx *guardedTx) Exec(
	ctx context.Context, sql string, args ...any,
) (pgconn.CommandTag, error) {
	if tx.over() {
		return pgconn.CommandTag{}, pgx.ErrTxClosed
	}
	tag, err := tx.Tx.Exec(ctx, sql, args...)
	return tag, tx.conn.note(err)
}

func (tx *guardedTx) Prepare(
	ctx context.Context, name, sql string,
) (*pgconn.StatementDescription, error) {
	if tx.over() {
		return nil, pgx.ErrTxClosed
	}
	statement, err := tx.Tx.Prepare(ctx, name, sql)
	return statement, tx.conn.note(err)
}

func (tx *guardedTx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if tx.over() {
		return noRows{pgx.ErrTxClosed}, pgx.ErrTxClosed
	}
	rows, err := tx.Tx.Query(ctx, sql, args...)
	return &guardedRows{rows, tx.conn}, tx.conn.note(err)
}

func (tx *guardedTx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if tx.over() {
		return noRow{pgx.ErrTxClosed}
	}
	return &guardedRow{tx.Tx.QueryRow(ctx, sql, args...), tx.conn}
}

func (tx *guardedTx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if tx.over() {
		return pgx.FailedBatchResults(b, pgx.ErrTxClosed)
	}
	return newBatchResults(tx.Tx.SendBatch(ctx, b), tx.conn)
}

func (tx *guardedTx) CopyFrom(
	ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource,
) (int64, error) {
	if tx.over() {
		return 0, pgx.ErrTxClosed
	}
	n, err := copyFrom(ctx, tx.Tx, table, columns, rows)
	return n, tx.conn.note(err)
}

// Conn returns the connection. It panics once that may be another's.
func (tx *guardedTx) Conn() *pgx.Conn { return tx.conn.Conn() }
