package pgtest

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestAServerSpeaksTLSIfAsked(t *testing.T) {
	s := New(t, Options{TLS: true})
	require.True(t, encrypted(t, s.TLSDSN()))
	require.False(t, encrypted(t, s.DSN()))
}

func encrypted(t *testing.T, dsn string) (encrypted bool) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	require.NoError(t, conn.QueryRow(t.Context(), "select ssl from pg_stat_ssl where pid = pg_backend_pid()").Scan(&encrypted))
	require.NoError(t, conn.Close(t.Context()))
	return encrypted
}

func TestAServerHasNoTLSUnlessAsked(t *testing.T) {
	s := New(t, Options{})
	_, err := pgx.Connect(t.Context(), s.TLSDSN())
	require.ErrorContains(t, err, "TLS")
}
