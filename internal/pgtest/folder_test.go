package pgtest

import (
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// guarded is a folder of its own, and a process for its watchdog to guard.
func guarded(t *testing.T) (*folder, *exec.Cmd) {
	t.Helper()
	a, err := chooseAccount()
	if err != nil {
		t.Skip(err)
	}
	f, err := newFolder(a)
	require.NoError(t, err)
	sleeper := a.command(t.Context(), "/", "sleep", "3600")
	require.NoError(t, sleeper.Start())
	require.NoError(t, f.guard(sleeper.Process.Pid))
	return f, sleeper
}

func TestTheWatchdogEndsWhatItGuardsAndRemovesTheFolder(t *testing.T) {
	t.Parallel()
	f, sleeper := guarded(t)
	require.NoError(t, f.words.Close(), "as the kernel does when we die")
	require.Error(t, sleeper.Wait())
	require.NoError(t, f.watchdog.Wait())
	require.NoDirExists(t, f.path)
}

// By the time we die, the pid may belong to a process of somebody else.
func TestTheWatchdogSparesWhatItNoLongerGuards(t *testing.T) {
	t.Parallel()
	f, sleeper := guarded(t)
	f.unguard()
	require.NoError(t, f.remove())
	ended := make(chan error, 1)
	go func() { ended <- sleeper.Wait() }()
	select {
	case <-ended:
		t.Error("the watchdog ended a process it was told to forget")
	case <-time.After(100 * time.Millisecond):
		require.NoError(t, sleeper.Process.Kill())
		<-ended
	}
}

func TestALostWatchdogIsNoticed(t *testing.T) {
	t.Parallel()
	server := New(t, Options{})
	require.NoError(t, server.Shutdown())
	require.NoError(t, server.folder.watchdog.Process.Kill())
	require.Error(t, server.folder.watchdog.Wait())
	require.ErrorContains(t, server.Restart(patient(t)), "the server would outlive us")
	require.False(t, server.mu.run.running())
}
