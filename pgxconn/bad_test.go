package pgxconn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
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

func TestFault54_AnErrorIsBadIfTheServerIsGoing(t *testing.T) {
	for name, err := range map[string]error{
		"a farewell":                    &pgconn.PgError{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "57P01"},
		"a farewell in French":          &pgconn.PgError{Severity: "FATALE", SeverityUnlocalized: "FATAL", Code: "57P01"},
		"a farewell of a pooler":        &pgconn.PgError{Severity: "FATAL", Code: "08P01"},
		"a pooler that loses its own":   &pgconn.PgError{Severity: "ERROR", Code: "08006"},
		"a server that takes no writes": &pgconn.PgError{Severity: "ERROR", Code: "25006"},
		"the pool's own":                connpool.ErrBadConn,
	} {
		require.True(t, new(Config).isBad(err), name)
		require.True(t, new(Config).isBad(fmt.Errorf("in the work: %w", err)), name)
	}
}

func TestAnErrorIsNotBadIfTheServerHasAnswered(t *testing.T) {
	for name, err := range map[string]error{
		"a unique violation":                              &pgconn.PgError{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "23505"},
		"an error called FATAL":                           &pgconn.PgError{Severity: "FATAL", SeverityUnlocalized: "ERROR", Code: "22012"},
		"no rows":                                         pgx.ErrNoRows,
		"too many rows":                                   pgx.ErrTooManyRows,
		"a transaction that is closed":                    pgx.ErrTxClosed,
		"a commit that rolls back":                        pgx.ErrTxCommitRollback,
		"one of the user's":                               errors.New("no"),
		"another system's refusal":                        &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)},
		"another system's reset":                          &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)},
		"a name that is unknown":                          &net.DNSError{IsNotFound: true},
		"another system's farewell":                       io.ErrUnexpectedEOF,
		"another pool's":                                  &connpool.AcquireError{Err: connpool.ErrBadConn},
		"a write in the user's own read-only transaction": &statementError{&pgconn.PgError{Code: "25006"}},
		"the end of a context":                            context.Canceled,
		"a deadline":                                      fmt.Errorf("timeout: %w", context.DeadlineExceeded),
		"a deadline of a socket's":                        fmt.Errorf("%w: %w", context.DeadlineExceeded, &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}),
	} {
		require.False(t, new(Config).isBad(err), name)
		require.False(t, new(Config).isBad(fmt.Errorf("in the work: %w", err)), name)
	}
}

func TestFault54_AReadOnlyServerIsGoodWhereReadsAreWanted(t *testing.T) {
	refused := &pgconn.PgError{Severity: "ERROR", Code: "25006"}
	for attrs, bad := range map[string]bool{
		"any": true, "read-write": true, "primary": true,
		"read-only": false, "standby": false, "prefer-standby": false,
	} {
		c, err := ParseConfig("host=127.0.0.1 user=u target_session_attrs=" + attrs)
		require.NoError(t, err)
		require.Equal(t, bad, c.own().isBad(refused), attrs)
	}
}

func TestFault59_AnErrorIsPermanentIfNoAddressCanMendIt(t *testing.T) {
	password := &pgconn.PgError{Severity: "FATAL", Code: "28P01"}
	unknown := &net.DNSError{IsNotFound: true}
	refused := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	for name, c := range map[string]struct {
		err       error
		permanent bool
	}{
		"a wrong password":                    {password, true},
		"no such database":                    {&pgconn.PgError{Code: "3D000"}, true},
		"no such name":                        {unknown, true},
		"a look-up that fails":                {&net.DNSError{IsTemporary: true}, false},
		"a certificate of somebody unknown":   {&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, true},
		"a refused connection":                {refused, false},
		"a full server":                       {&pgconn.PgError{Code: "53300"}, false},
		"one of two hosts has no name":        {errors.Join(unknown, refused), false},
		"none of two hosts has a name":        {errors.Join(unknown, unknown), true},
		"a password refused with and without": {errors.Join(password, password), true},
	} {
		err := fmt.Errorf("failed to connect: %w", c.err)
		require.Equal(t, c.permanent, new(Config).permanent(err), name)
	}
	hook := Config{BeforeConnect: func(context.Context, *pgx.ConnConfig) error { return nil }}
	require.False(t, hook.permanent(password), "the hook may bring another")
}
