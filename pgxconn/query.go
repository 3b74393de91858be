package pgxconn

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Exec executes sql, a statement or the name of a prepared one, on a connection
// that it gives back.
func (p *Pool) Exec(ctx context.Context, sql string, arguments ...any) (tag pgconn.CommandTag, err error) {
	var c Conn
	if err := p.borrow(ctx, &c); err != nil {
		return pgconn.CommandTag{}, err
	}
	defer func() { c.giveBack(err) }()
	return c.Exec(ctx, sql, arguments...)
}

// CopyFrom copies rows into a table on a connection that it gives back. If rowSrc
// panics, so does CopyFrom, with a *connpool.PanicError.
func (p *Pool) CopyFrom(ctx context.Context, tableName pgx.Identifier, columnNames []string, rowSrc pgx.CopyFromSource) (n int64, err error) {
	var c Conn
	if err := p.borrow(ctx, &c); err != nil {
		return 0, err
	}
	defer func() { c.giveBack(err) }()
	return c.CopyFrom(ctx, tableName, columnNames, rowSrc)
}

// Ping makes a round trip on a connection that it gives back.
func (p *Pool) Ping(ctx context.Context) (err error) {
	var c Conn
	if err := p.borrow(ctx, &c); err != nil {
		return err
	}
	defer func() { c.giveBack(err) }()
	return c.Ping(ctx)
}

// Query executes a query on a connection that is given back when the rows have
// been read to their end or closed, or one could not be scanned. If there is an
// error, the rows say so too, so it may be ignored.
func (p *Pool) Query(ctx context.Context, sql string, args ...any) (_ pgx.Rows, err error) {
	r := &rows{}
	if err := p.borrow(ctx, &r.conn); err != nil {
		return noRows{err}, err
	}
	held := false
	defer r.conn.unlessHeld(&held)
	if r.Rows, err = r.conn.Conn().Query(ctx, sql, args...); err != nil {
		r.conn.giveBack(err)
		return noRows{err}, err
	}
	held = true
	return r, nil
}

// QueryRow executes a query of which one row is wanted, on a connection that is
// given back when that is scanned. All errors come from its Scan. A row that is
// never scanned is a leak, and reported as one after a minute
// (connpool.Config.LeakThreshold).
func (p *Pool) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	r := &row{}
	if err := p.borrow(ctx, &r.conn); err != nil {
		return noRow{err}
	}
	held := false
	defer r.conn.unlessHeld(&held)
	r.Row = r.conn.Conn().QueryRow(ctx, sql, args...)
	held = true
	return r
}

// Begin begins a transaction on a connection that is given back when it has been
// committed or rolled back, which must be done: ctx is for the begin alone.
func (p *Pool) Begin(ctx context.Context) (pgx.Tx, error) { return p.BeginTx(ctx, pgx.TxOptions{}) }

// BeginTx is Begin with options. It returns a *Tx.
func (p *Pool) BeginTx(ctx context.Context, txOptions pgx.TxOptions) (_ pgx.Tx, err error) {
	tx := &Tx{}
	if err := p.borrow(ctx, &tx.conn); err != nil {
		return nil, err
	}
	held := false
	defer tx.conn.unlessHeld(&held)
	if tx.pgxTx, err = tx.conn.BeginTx(ctx, txOptions); err != nil {
		tx.conn.giveBack(err)
		return nil, err
	}
	held = true
	return tx, nil
}

// SendBatch sends a batch on a connection that is given back when the results
// are closed; or if the batch begins a transaction, when that has been committed
// or rolled back.
func (p *Pool) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	tx := &Tx{}
	if err := p.borrow(ctx, &tx.conn); err != nil {
		return pgx.FailedBatchResults(b, err)
	}
	held := false
	defer tx.conn.unlessHeld(&held)
	r := newBatchResults(tx.conn.Conn().SendBatch(ctx, b), &tx.conn)
	if tx.pgxTx = guardTx(r.BatchResults.Tx(), &tx.conn); tx.pgxTx != nil {
		r.tx = tx
	} else {
		r.last = true
	}
	held = true
	return r
}
