package pgtest

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// patience bounds what should take milliseconds; only a hang exceeds it.
const patience = time.Minute

func patient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// needServer skips the test where New would, for tests that do without New.
func needServer(t *testing.T) {
	t.Helper()
	if _, err := findInstall(binFolders()); err != nil {
		require.True(t, maySkip(err), err)
		t.Skip(err)
	}
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(patient(t), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// ask runs a query for one value on a connection of its own.
func ask[T any](t *testing.T, server *Server, query string) (value T) {
	t.Helper()
	conn := connect(t, server.DSN())
	err := conn.QueryRow(patient(t), query).Scan(&value)
	require.NoError(t, err, server.Log())
	return value
}

func execute(t *testing.T, server *Server, statement string) {
	t.Helper()
	_, err := connect(t, server.DSN()).Exec(patient(t), statement)
	require.NoError(t, err, server.Log())
}

func requireDown(t *testing.T, server *Server) {
	t.Helper()
	_, err := pgx.Connect(patient(t), server.DSN())
	require.Error(t, err)
}
