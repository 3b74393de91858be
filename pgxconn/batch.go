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
	r.err = r.BatchResults.Close()
	return r.err
}

// Tx returns the transaction that the batch has begun, or nil.
func (r *batchResults) Tx() pgx.Tx {
	if r.tx != nil {
		return r.tx
	}
	return r.BatchResults.Tx()
}

func (r *batchResults) Query() (pgx.Rows, error) {
	rows, err := r.BatchResults.Query()
	return &batchRows{rows, r.conn}, err
}

func (r *batchResults) QueryRow() pgx.Row {
	return &batchRow{r.BatchResults.QueryRow(), r.conn}
}

var errRowsOver = errors.New("pgxconn: the connection of the rows has been given back")

// batchRows are rows of a batch, which may be left open when that is closed.
type batchRows struct {
	pgx.Rows
	conn *Conn
}

func (r *batchRows) over() bool { return r.conn.ended.Load() }

func (r *batchRows) Next() bool { return !r.over() && r.Rows.Next() }

func (r *batchRows) Close() {
	if !r.over() {
		r.Rows.Close()
	}
}

func (r *batchRows) Scan(dest ...any) error {
	if r.over() {
		return errRowsOver
	}
	return r.Rows.Scan(dest...)
}

func (r *batchRows) Values() ([]any, error) {
	if r.over() {
		return nil, errRowsOver
	}
	return r.Rows.Values()
}

func (r *batchRows) RawValues() [][]byte {
	if r.over() {
		return nil
	}
	return r.Rows.RawValues()
}

func (r *batchRows) FieldDescriptions() []pgconn.FieldDescription {
	if r.over() {
		return nil
	}
	return r.Rows.FieldDescriptions()
}

func (r *batchRows) Conn() *pgx.Conn {
	if r.over() {
		return nil
	}
	return r.Rows.Conn()
}

// batchRow is a row of a batch, which nobody may have scanned when that is closed.
type batchRow struct {
	pgx.Row
	conn *Conn
}

func (r *batchRow) Scan(dest ...any) error {
	if r.conn.ended.Load() {
		return errRowsOver
	}
	return r.Row.Scan(dest...)
}
