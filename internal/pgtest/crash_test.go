package pgtest

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCommittedDataSurvivesKill(t *testing.T) {
	t.Parallel()
	server := New(t, Options{})
	address, dsn := server.Addr(), server.DSN()
	execute(t, server, "create table kept (n int)")
	for n := range 3 {
		execute(t, server, "insert into kept values ("+strconv.Itoa(n)+")")
		require.NoError(t, server.Kill())
		requireDown(t, server)
		require.NoError(t, server.Restart(patient(t)))
		require.Equal(t, n+1, ask[int](t, server, "select count(*)::int from kept"))
	}
	require.Equal(t, address, server.Addr())
	require.Equal(t, dsn, server.DSN())
	require.Contains(t, server.Log(), "automatic recovery in progress", "it was a crash")
}

func TestKillCutsOffSessions(t *testing.T) {
	t.Parallel()
	server := New(t, Options{})
	conn := connect(t, server.DSN())
	asleep := make(chan error, 1)
	go func() {
		_, err := conn.Exec(patient(t), "select pg_sleep(3600)")
		asleep <- err
	}()
	awaitSleeper(t, server)
	require.NoError(t, server.Kill())
	require.Error(t, <-asleep)
}

func awaitSleeper(t *testing.T, server *Server) {
	t.Helper()
	ctx := patient(t)
	for ask[int](t, server, "select count(*)::int from pg_stat_activity where wait_event = 'PgSleep'") == 0 {
		require.NoError(t, sleep(ctx, probeEvery))
	}
}

func TestDataSurvivesShutdown(t *testing.T) {
	t.Parallel()
	server := New(t, Options{})
	execute(t, server, "create table kept ()")
	require.NoError(t, server.Shutdown())
	requireDown(t, server)
	require.NoError(t, server.Restart(patient(t)))
	require.True(t, ask[bool](t, server, "select to_regclass('kept') is not null"))
	require.NotContains(t, server.Log(), "automatic recovery in progress")
}

func TestRestartOfARunningServerStartsItAnew(t *testing.T) {
	t.Parallel()
	server := New(t, Options{})
	before := ask[string](t, server, "select pg_postmaster_start_time()::text")
	require.NoError(t, server.Restart(patient(t)))
	require.NotEqual(t, before, ask[string](t, server, "select pg_postmaster_start_time()::text"))
}

func TestAServerThatIsDownCanBeTakenDownAgain(t *testing.T) {
	t.Parallel()
	server := New(t, Options{})
	require.NoError(t, server.Kill())
	require.NoError(t, server.Kill())
	require.NoError(t, server.Shutdown())
	require.NoError(t, server.Restart(patient(t)))
	require.True(t, ask[bool](t, server, "select true"))
}

// A crash we did not ask for: the server's run ends without Kill.
func TestRestartAfterACrashOfItsOwn(t *testing.T) {
	t.Parallel()
	server := New(t, Options{})
	require.NoError(t, server.mu.run.cmd.Process.Kill())
	<-server.mu.run.gone
	require.NoError(t, server.Restart(patient(t)))
	require.True(t, ask[bool](t, server, "select true"))
}
