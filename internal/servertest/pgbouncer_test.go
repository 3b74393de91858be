package servertest

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/internal/pgtest"
)

func TestPgBouncerLeadsToItsPostgreSQL(t *testing.T) {
	b := NewPgBouncer(t, pgtest.New(t, pgtest.Options{}).DSN(), PgBouncerOptions{})
	for range 2 {
		var n int
		require.NoError(t, connect(t, b.DSN()).QueryRow(t.Context(), "select 42").Scan(&n))
		require.Equal(t, 42, n)
		require.NoError(t, b.Restart(t.Context()))
	}
}

func TestInTransactionModeConnectionsShareASession(t *testing.T) {
	b := NewPgBouncer(t, pgtest.New(t, pgtest.Options{}).DSN(), PgBouncerOptions{Settings: map[string]string{
		"pool_mode":         "transaction",
		"default_pool_size": "1",
	}})
	var pids [2]int
	for i := range pids {
		require.NoError(t, connect(t, b.DSN()).QueryRow(t.Context(), "select pg_backend_pid()", pgx.QueryExecModeExec).Scan(&pids[i]))
	}
	require.Equal(t, pids[0], pids[1])
}

func TestTheConsoleShowsAndObeys(t *testing.T) {
	b := NewPgBouncer(t, pgtest.New(t, pgtest.Options{}).DSN(), PgBouncerOptions{Settings: map[string]string{"max_client_conn": "7"}})
	console := connect(t, b.ConsoleDSN())
	require.Equal(t, "7", setting(t, console, "max_client_conn"))
	_, err := console.Exec(t.Context(), "reconnect")
	require.NoError(t, err)
}

// The installed version decides whether it starts with this setting at all.
func TestPgBouncerTracksStatementsWhereItCan(t *testing.T) {
	b := NewPgBouncer(t, pgtest.New(t, pgtest.Options{}).DSN(), PgBouncerOptions{Settings: map[string]string{trackingSetting: "11"}})
	console := connect(t, b.ConsoleDSN())
	var version string
	require.NoError(t, console.QueryRow(t.Context(), "show version").Scan(&version))
	tracks, err := tracksStatements(version)
	require.NoError(t, err)
	require.Equal(t, map[bool]string{true: "11"}[tracks], setting(t, console, trackingSetting))
}

func TestStatementsAreTrackedFromVersion121On(t *testing.T) {
	for version, want := range map[string]bool{
		"PgBouncer 1.18.0\nlibevent 2.1.12-stable\n": false,
		"PgBouncer 1.20.1":                           false,
		"PgBouncer 1.21.0":                           true,
		"PgBouncer 2.0.0":                            true,
	} {
		tracks, err := tracksStatements(version)
		require.NoError(t, err)
		require.Equal(t, want, tracks, version)
	}
	_, err := tracksStatements("something else")
	require.ErrorContains(t, err, "something else")
}

func TestPgBouncersAddressIsNobodysToChoose(t *testing.T) {
	for _, name := range []string{"listen_addr", "listen_port", "unix_socket_dir", "auth_type", "admin_users"} {
		_, err := PgBouncerOptions{Settings: map[string]string{name: "1"}}.lines(t.Context(), &Server{})
		require.ErrorContains(t, err, name)
	}
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(t.Context()) }) // its server may have gone
	return conn
}

// setting returns what SHOW CONFIG says of a setting, or nothing.
func setting(t *testing.T, console *pgx.Conn, name string) (value string) {
	t.Helper()
	rows, err := console.Query(t.Context(), "show config")
	require.NoError(t, err)
	for rows.Next() {
		if fields := rows.RawValues(); string(fields[0]) == name {
			value = string(fields[1])
		}
	}
	require.NoError(t, rows.Err())
	return value
}
