package sqlconn_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/sqlconn"
)

// quick is a driver that answers at once: what is left is the handle's own cost.
type quick struct{}

func (quick) Connect(context.Context) (driver.Conn, error) { return quickConn{}, nil }
func (quick) Driver() driver.Driver                        { return nil }

type quickConn struct{}

func (quickConn) Close() error                             { return nil }
func (quickConn) Begin() (driver.Tx, error)                { return quickConn{}, nil }
func (quickConn) Commit() error                            { return nil }
func (quickConn) Rollback() error                          { return nil }
func (quickConn) Prepare(string) (driver.Stmt, error)      { return quickStmt{}, nil }
func (quickConn) ResetSession(context.Context) error       { return nil }
func (quickConn) IsValid() bool                            { return true }
func (quickConn) CheckNamedValue(*driver.NamedValue) error { return nil }
func (quickConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return &quickRows{}, nil
}

type quickStmt struct{}

func (quickStmt) Close() error                               { return nil }
func (quickStmt) NumInput() int                              { return 1 }
func (quickStmt) Exec([]driver.Value) (driver.Result, error) { return driver.ResultNoRows, nil }
func (quickStmt) Query([]driver.Value) (driver.Rows, error)  { return &quickRows{}, nil }
func (quickStmt) QueryContext(context.Context, []driver.NamedValue) (driver.Rows, error) {
	return &quickRows{}, nil
}

type quickRows struct{ read bool }

func (*quickRows) Columns() []string { return []string{"n"} }
func (*quickRows) Close() error      { return nil }
func (r *quickRows) Next(row []driver.Value) error {
	if r.read {
		return io.EOF
	}
	r.read = true
	row[0] = int64(1)
	return nil
}

// A handle's own cost: of a plain one with one caller 0.7 µs a query, and 0.4 µs
// more of this package's, on a machine whose two cores were shared.
func BenchmarkOwnCost(b *testing.B) {
	plain := sql.OpenDB(quick{})
	configure(plain)
	pooled, _, err := sqlconn.Open(quick{}, config{MaxSize: benchSize}, sqlconn.Options{StatementCache: 32})
	require.NoError(b, err)
	for name, prepare := range map[string]func(*sql.DB) (work, end func()){"query": query1(b), "prepared": prepared(b)} {
		one, endOne := prepare(plain)
		other, endOther := prepare(pooled)
		for _, callers := range []int{1, 8, 64} {
			b.Run(fmt.Sprint(name, "By", callers), func(b *testing.B) { fight(b, callers, one, other) })
		}
		endOne()
		endOther()
	}
	require.NoError(b, plain.Close())
	require.NoError(b, pooled.Close())
}
