package pgtest

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// Our process may die in ways that run none of its code. The server must not
// outlive it, nor the watchdog, nor the folder.
func TestTheServerGoesWhenItsParentIsKilled(t *testing.T) {
	t.Parallel()
	needServer(t)
	for _, role := range []string{"hold", "pause"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			folder, tree := killHolder(t, role)
			require.Eventually(t, func() bool {
				_, err := os.Stat(folder)
				return os.IsNotExist(err) && len(tree.living()) == 0
			}, patience, restartEvery)
		})
	}
}

// killHolder starts a server from another process, kills that process with
// SIGKILL, and returns what it left: a folder, the server's processes and the
// watchdog.
func killHolder(t *testing.T, role string) (folder string, left processes) {
	t.Helper()
	holder := childProcess(t, role)
	_, err := holder.StdinPipe()
	require.NoError(t, err)
	output, err := holder.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, holder.Start())
	var pid int
	_, err = fmt.Fscanln(output, &folder, &pid)
	require.NoError(t, err)
	require.DirExists(t, folder)
	left, err = family(holder.Process.Pid)
	require.NoError(t, err)
	left = left.without(holder.Process.Pid)
	require.GreaterOrEqual(t, len(left), 3, "the postmaster, its children, the watchdog")
	require.NotEmpty(t, left.without(pid))
	require.NoError(t, holder.Process.Kill())
	require.Error(t, holder.Wait())
	return folder, left
}

func (ps processes) living() (living processes) {
	for _, p := range ps {
		if p.alive() {
			living = append(living, p)
		}
	}
	return living
}
