package pgtest

import (
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

func TestAnswersOverTCPAndOverTheSocket(t *testing.T) {
	t.Parallel()
	server := New(t, Options{})
	for _, dsn := range []string{server.DSN(), server.SocketDSN()} {
		var sum int
		require.NoError(t, connect(t, dsn).QueryRow(patient(t), "select 40 + 2").Scan(&sum))
		require.Equal(t, 42, sum)
	}
	require.Contains(t, server.DSN(), server.Addr())
}

func TestTheSocketIsOneAndTCPTheOther(t *testing.T) {
	t.Parallel()
	server := New(t, Options{})
	isSocket := "select inet_server_addr() is null"
	require.False(t, ask[bool](t, server, isSocket))
	var yes bool
	require.NoError(t, connect(t, server.SocketDSN()).QueryRow(patient(t), isSocket).Scan(&yes))
	require.True(t, yes)
}

func TestRefusesAWrongPassword(t *testing.T) {
	t.Parallel()
	server := New(t, Options{})
	for _, dsn := range []string{server.DSN(), server.SocketDSN()} {
		wrong, err := url.Parse(dsn)
		require.NoError(t, err)
		wrong.User = url.UserPassword(User, "wrong")
		_, err = pgx.Connect(patient(t), wrong.String())
		var refusal *pgconn.PgError
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, "28P01", refusal.Code, "invalid_password")
	}
}

func TestPasswordsAreHashedWithSCRAM(t *testing.T) {
	t.Parallel()
	server := New(t, Options{})
	stored := ask[string](t, server, "select rolpassword from pg_authid where rolname = current_user")
	require.True(t, strings.HasPrefix(stored, "SCRAM-SHA-256$"), stored)
}

func TestTwoServersKnowNothingOfEachOther(t *testing.T) {
	t.Parallel()
	one, other := New(t, Options{}), New(t, Options{})
	require.NotEqual(t, one.Addr(), other.Addr())
	execute(t, one, "create table only_here ()")
	lookup := "select to_regclass('only_here') is not null"
	require.True(t, ask[bool](t, one, lookup))
	require.False(t, ask[bool](t, other, lookup))
	require.NoError(t, one.Kill())
	require.True(t, ask[bool](t, other, "select true"))
}
