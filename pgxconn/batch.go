package pgxconn

import (
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// batchResults are the results of a batch, which do not touch the connection once
// it may be another's: pgx's do, when they are closed for a second time after an
// error, and their rows read whatever comes next on the connection.
type batchResults struct {
	pgx.BatchResults
	conn *Conn
	last bool  // the connection is given back when they are closed
	tx   *Tx   // that the batch has begun, and that gives the connection back, or nil
	err  error // what Close has returned
}

var errUnclosed = errors.New("pgxconn: the connection was given back before the results of the batch were closed")

func newBatchResults(r pgx.BatchResults, conn *Conn) *batchResults {
	return &batchResults{BatchResults: r, conn: conn, err: errUnclosed}
}

func (r *batchResults) Close() error {
	if r.conn.ended.Load() {
		return r.err
	}
	defer func() { // also if a callback of a queued query panics
		if r.last {
			r.conn.giveBack(r.err)
		}
	}()
	r.err = r.conn.note(r.BatchResults.Close())
	return r.err
}

// Tx returns the transaction that the batch has begun, or nil.
func (r *batchResults) Tx() pgx.Tx {
	if r.tx != nil {
		return r.tx
	}
	return guardTx(r.BatchResults.Tx(), r.conn)
}

// over reports whether the connection may be another's. Results that have been closed
// say so themselves.
func (r *batchResults) over() bool { return r.conn.ended.Load() && r.err == errUnclosed }

func (r *batchResults) Exec() (pgconn.CommandTag, error) {
	if r.over() {
		return pgconn.CommandTag{}, errRowsOver
	}
	tag, err := r.BatchResults.Exec()
	return tag, r.conn.note(err)
}

func (r *batchResults) Query() (pgx.Rows, error) {
	if r.over() {
		return noRows{errRowsOver}, errRowsOver
	}
	rows, err := r.BatchResults.Query()
	return &guardedRows{rows, r.conn}, err
}

func (r *batchResults) QueryRow() pgx.Row {
	if r.over() {
		return noRow{errRowsOver}
	}
	return &guardedRow{r.BatchResults.QueryRow(), r.conn}
}
