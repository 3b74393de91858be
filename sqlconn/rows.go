package sqlconn

import (
	"database/sql/driver"
	"errors"
	"io"
	"reflect"
)

// rows is a result that its conn watches: it hears what the driver says about the
// connection meanwhile, and a kept statement may be lent again only when its rows
// are closed.
type rows struct {
	driver.Rows // the driver's own

	c      *conn
	stmt   *stmt // whose result it is, or nil
	closed bool
}

func (c *conn) watch(r driver.Rows, s *stmt) driver.Rows {
	w := rows{Rows: r, c: c, stmt: s}
	if s != nil {
		s.rows++
	}
	if sets, ok := r.(driver.RowsNextResultSet); ok {
		return &resultSets{rows: w, sets: sets}
	}
	return &w
}

// do has the driver do something with the rows.
func (r *rows) do(call func() error) error {
	ended := false
	err := r.c.call(func() error {
		err := call()
		if ended = err == io.EOF; ended {
			return nil // which says nothing about the connection
		}
		return err
	})
	if r.stmt != nil && err != nil {
		r.stmt.failed = true
	}
	if ended {
		return io.EOF
	}
	return err
}

// Next reads the next row.
func (r *rows) Next(row []driver.Value) error {
	return r.do(func() error { return r.Rows.Next(row) })
}

// Close closes the rows, and their statement if that has been closed before them.
func (r *rows) Close() error {
	err := r.do(r.Rows.Close)
	if r.stmt == nil || r.closed || r.c.over {
		return err
	}
	r.closed = true
	if r.stmt.rows--; r.stmt.rows == 0 && r.stmt.closed {
		err = errors.Join(err, r.stmt.giveBack())
	}
	return err
}

// What follows answers for drivers that do not say as database/sql does then.

// ColumnTypeScanType returns the Go type of a column.
func (r *rows) ColumnTypeScanType(index int) reflect.Type {
	if t, ok := r.Rows.(driver.RowsColumnTypeScanType); ok {
		return t.ColumnTypeScanType(index)
	}
	return reflect.TypeFor[any]()
}

// ColumnTypeDatabaseTypeName returns the server's name of a column's type.
func (r *rows) ColumnTypeDatabaseTypeName(index int) string {
	if t, ok := r.Rows.(driver.RowsColumnTypeDatabaseTypeName); ok {
		return t.ColumnTypeDatabaseTypeName(index)
	}
	return ""
}

// ColumnTypeLength returns the length of a column of variable length.
func (r *rows) ColumnTypeLength(index int) (length int64, ok bool) {
	if t, ok := r.Rows.(driver.RowsColumnTypeLength); ok {
		return t.ColumnTypeLength(index)
	}
	return 0, false
}

// ColumnTypeNullable reports whether a column may be null.
func (r *rows) ColumnTypeNullable(index int) (nullable, ok bool) {
	if t, ok := r.Rows.(driver.RowsColumnTypeNullable); ok {
		return t.ColumnTypeNullable(index)
	}
	return false, false
}

// ColumnTypePrecisionScale returns the precision and scale of a decimal column.
func (r *rows) ColumnTypePrecisionScale(index int) (precision, scale int64, ok bool) {
	if t, ok := r.Rows.(driver.RowsColumnTypePrecisionScale); ok {
		return t.ColumnTypePrecisionScale(index)
	}
	return 0, 0, false
}

// resultSets are rows of a driver that knows more than one result of a query. Of
// others database/sql must not be told that they might have a second.
type resultSets struct {
	rows
	sets driver.RowsNextResultSet
}

// HasNextResultSet reports whether there is another result.
func (r *resultSets) HasNextResultSet() bool { return r.sets.HasNextResultSet() }

// NextResultSet goes to the next result.
func (r *resultSets) NextResultSet() error {
	return r.do(r.sets.NextResultSet)
}
