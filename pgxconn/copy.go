package pgxconn

import (
	"context"
	"runtime/debug"

	"github.com/jackc/pgx/v5"

	"github.com/connpool/connpool"
)

// source is a user's source of rows that may panic. pgx calls it on a goroutine
// of its own, where that would end the process. Here it is an error, which ends
// the copy, and goes on as a panic in who has called CopyFrom.
type source struct {
	pgx.CopyFromSource
	panicked *connpool.PanicError
}

func (s *source) Next() (more bool) {
	var err error // Err returns it
	defer s.catch(&err)
	return s.CopyFromSource.Next()
}

func (s *source) Values() (values []any, err error) {
	defer s.catch(&err)
	return s.CopyFromSource.Values()
}

func (s *source) Err() (err error) {
	if s.panicked != nil {
		return s.panicked
	}
	defer s.catch(&err)
	return s.CopyFromSource.Err()
}

// catch is deferred around the user's methods.
func (s *source) catch(err *error) {
	if value := recover(); value != nil {
		s.panicked = &connpool.PanicError{Callback: "CopyFromSource", Value: value, Stack: debug.Stack()}
		*err = s.panicked
	}
}

// copier is a connection or a transaction of pgx's.
type copier interface {
	CopyFrom(context.Context, pgx.Identifier, []string, pgx.CopyFromSource) (int64, error)
}

func copyFrom(ctx context.Context, to copier, tableName pgx.Identifier, columnNames []string, rowSrc pgx.CopyFromSource) (int64, error) {
	s := &source{CopyFromSource: rowSrc}
	n, err := to.CopyFrom(ctx, tableName, columnNames, s)
	if s.panicked != nil {
		panic(s.panicked)
	}
	return n, err
}
