package pgxconn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
)

func TestAnErrorIsBadIfTheServerIsGone(t *testing.T) {
	for name, err := range map[string]error{
		"a farewell":                  &pgconn.PgError{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "57P01"},
		"a farewell in French":        &pgconn.PgError{Severity: "FATALE", SeverityUnlocalized: "FATAL", Code: "57P01"},
		"a farewell of a pooler":      &pgconn.PgError{Severity: "FATAL", Code: "08P01"},
		"a panic":                     &pgconn.PgError{Severity: "PANIC", SeverityUnlocalized: "PANIC", Code: "XX000"},
		"a reset":                     &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)},
		"a broken pipe":               &net.OpError{Op: "write", Err: os.NewSyscallError("write", syscall.EPIPE)},
		"a socket closed at this end": net.ErrClosed,
		"an end in mid-message":       io.ErrUnexpectedEOF,
		"a closed connection":         pgconn.ErrConnClosed,
		"the pool's own":              connpool.ErrBadConn,
	} {
		require.True(t, isBad(err), name)
		require.True(t, isBad(fmt.Errorf("in the work: %w", err)), name)
	}
}

func TestAnErrorIsNotBadIfTheServerHasAnswered(t *testing.T) {
	for name, err := range map[string]error{
		"a unique violation":           &pgconn.PgError{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "23505"},
		"an error called FATAL":        &pgconn.PgError{Severity: "FATAL", SeverityUnlocalized: "ERROR", Code: "22012"},
		"no rows":                      pgx.ErrNoRows,
		"too many rows":                pgx.ErrTooManyRows,
		"a transaction that is closed": pgx.ErrTxClosed,
		"a commit that rolls back":     pgx.ErrTxCommitRollback,
		"one of the user's":            errors.New("no"),
		"the end of a context":         context.Canceled,
		"a deadline":                   fmt.Errorf("timeout: %w", context.DeadlineExceeded),
		"a deadline of a socket's":     fmt.Errorf("%w: %w", context.DeadlineExceeded, &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}),
	} {
		require.False(t, isBad(err), name)
		require.False(t, isBad(fmt.Errorf("in the work: %w", err)), name)
	}
}
