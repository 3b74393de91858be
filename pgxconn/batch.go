package pgxconn

import "github.com/jackc/pgx/v5"

// batchResults gives the connection back when it is closed, unless the batch has
// begun a transaction, which does that at its own end.
type batchResults struct {
	pgx.BatchResults
	tx *Tx // without one of pgx's if the batch has begun none
}

func (r *batchResults) Close() (err error) {
	defer func() { // also if a callback of a queued query panics
		if r.tx.pgxTx == nil {
			r.tx.conn.giveBack(err)
		}
	}()
	return r.BatchResults.Close()
}

// Tx returns the transaction that the batch has begun, or nil.
func (r *batchResults) Tx() pgx.Tx {
	if r.tx.pgxTx == nil {
		return nil
	}
	return r.tx
}
