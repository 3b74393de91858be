package pgtest

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// hang is how long a paused server must not answer. A server that answers does
// so in a millisecond, so a short time can only let a bug pass, never fail a
// sound run.
const hang = 300 * time.Millisecond

func TestAQueryHangsWhilePausedAndThenFinishes(t *testing.T) {
	t.Parallel()
	server := New(t, Options{})
	conn := connect(t, server.DSN())
	require.NoError(t, server.Pause())
	answer := make(chan error, 1)
	go func() { answer <- conn.Ping(patient(t)) }()
	select {
	case err := <-answer:
		t.Fatalf("a paused server answered: %v", err)
	case <-time.After(hang):
	}
	require.NoError(t, server.Continue())
	require.NoError(t, <-answer)
}

func TestPauseReachesAQueryThatRuns(t *testing.T) {
	t.Parallel()
	server := New(t, Options{})
	conn := connect(t, server.DSN())
	done := make(chan error, 1)
	go func() {
		_, err := conn.Exec(patient(t), "select pg_sleep(3600)")
		done <- err
	}()
	awaitSleeper(t, server)
	require.NoError(t, server.Pause())
	tree, err := family(server.mu.run.cmd.Process.Pid)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(tree), 3, "the postmaster, its background processes, the session")
	require.Empty(t, tree.moving())
	require.NoError(t, server.Continue())
	require.True(t, ask[bool](t, server, "select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'"))
	require.ErrorContains(t, <-done, "canceling statement", "it ran on and then ended as told")
}

func TestAPausedServerTakesConnectionsButDoesNotAnswerThem(t *testing.T) {
	t.Parallel()
	server := New(t, Options{})
	require.NoError(t, server.Pause())
	require.NoError(t, server.Pause(), "twice is fine")
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	_, err := pgx.Connect(ctx, server.DSN())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, server.Continue())
	require.True(t, ask[bool](t, server, "select true"))
}

func TestContinueOfAServerThatRunsDoesNothing(t *testing.T) {
	t.Parallel()
	server := New(t, Options{})
	require.NoError(t, server.Continue())
	require.True(t, ask[bool](t, server, "select true"))
}

func TestAPausedServerCanBeTakenDown(t *testing.T) {
	t.Parallel()
	for name, takeDown := range map[string]func(*Server) error{
		"Stop": (*Server).Stop, "Shutdown": (*Server).Shutdown, "Kill": (*Server).Kill,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := New(t, Options{})
			require.NoError(t, server.Pause())
			require.NoError(t, takeDown(server))
			requireDown(t, server)
			inOrder := strings.Contains(server.Log(), "database system is shut down")
			require.Equal(t, name != "Kill", inOrder, server.Log())
		})
	}
}

// A zombie counts as gone: nobody has reaped this one yet.
func TestAwaitGoneWaitsForTheEndOfAProcess(t *testing.T) {
	t.Parallel()
	sleeper := exec.Command("sleep", "0.2")
	require.NoError(t, sleeper.Start())
	p, err := readProcess(strconv.Itoa(sleeper.Process.Pid))
	require.NoError(t, err)
	require.True(t, p.alive())
	require.NoError(t, processes{p}.awaitGone())
	require.False(t, p.alive())
	require.NoError(t, sleeper.Wait())
}

func TestKillLeavesNoProcess(t *testing.T) {
	t.Parallel()
	server := New(t, Options{})
	connect(t, server.DSN())
	tree, err := family(server.mu.run.cmd.Process.Pid)
	require.NoError(t, err)
	require.NoError(t, server.Kill())
	for _, p := range tree {
		require.False(t, p.alive(), "process %d", p.pid)
	}
}
