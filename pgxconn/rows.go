package pgxconn

import (
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// rows gives its connection back when it is closed.
type rows struct {
	pgx.Rows
	conn Conn
}

func (r *rows) Close() {
	defer func() { r.conn.giveBack(r.Rows.Err()) }()
	r.Rows.Close()
}

func (r *rows) Next() bool {
	returned := false
	defer r.unlessReturned(&returned)
	more := r.Rows.Next()
	if returned = true; !more {
		r.Close()
	}
	return more
}

func (r *rows) Scan(dest ...any) error {
	returned := false
	defer r.unlessReturned(&returned)
	err := r.Rows.Scan(dest...)
	if returned = true; err != nil {
		r.Close()
	}
	return err
}

func (r *rows) Values() ([]any, error) {
	returned := false
	defer r.unlessReturned(&returned)
	values, err := r.Rows.Values()
	if returned = true; err != nil {
		r.Close()
	}
	return values, err
}

// unlessReturned is deferred around what calls destinations, codecs and tracers
// of the user's. After a panic there nobody may come to close the rows.
func (r *rows) unlessReturned(returned *bool) {
	if !*returned {
		r.Close()
	}
}

// RawValues returns nil once the connection may be another's.
func (r *rows) RawValues() [][]byte {
	if r.conn.ended.Load() {
		return nil
	}
	return r.Rows.RawValues()
}

// FieldDescriptions returns nil once the connection may be another's.
func (r *rows) FieldDescriptions() []pgconn.FieldDescription {
	if r.conn.ended.Load() {
		return nil
	}
	return r.Rows.FieldDescriptions()
}

// Conn returns nil once the connection may be another's.
func (r *rows) Conn() *pgx.Conn {
	if r.conn.ended.Load() {
		return nil
	}
	return r.Rows.Conn()
}

// row gives its connection back when it is scanned.
type row struct {
	pgx.Row
	conn Conn
}

func (r *row) Scan(dest ...any) (err error) {
	defer func() { r.conn.giveBack(err) }() // also if a destination panics
	return r.Row.Scan(dest...)
}

// noRows are the rows of a query that has failed.
type noRows struct{ err error }

func (noRows) Close()                                       {}
func (n noRows) Err() error                                 { return n.err }
func (noRows) CommandTag() pgconn.CommandTag                { return pgconn.CommandTag{} }
func (noRows) FieldDescriptions() []pgconn.FieldDescription { return nil }
func (noRows) Next() bool                                   { return false }
func (n noRows) Scan(...any) error                          { return n.err }
func (n noRows) Values() ([]any, error)                     { return nil, n.err }
func (noRows) RawValues() [][]byte                          { return nil }
func (noRows) Conn() *pgx.Conn                              { return nil }
func (noRows) TypeMap() *pgtype.Map                         { return nil }

// noRow is the row of an acquire that has failed.
type noRow struct{ err error }

func (n noRow) Scan(...any) error { return n.err }
