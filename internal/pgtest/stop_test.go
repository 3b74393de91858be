package pgtest

import (
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStopTwice(t *testing.T) {
	t.Parallel()
	server := New(t, Options{})
	require.NoError(t, server.Stop())
	require.NoError(t, server.Stop())
	requireDown(t, server)
}

func TestStopRemovesTheFolder(t *testing.T) {
	t.Parallel()
	server := New(t, Options{})
	folder := server.folder.path
	require.DirExists(t, filepath.Join(folder, clusterFolder))
	require.NoError(t, server.Stop())
	require.NoDirExists(t, folder)
}

func TestStopFromManyGoroutines(t *testing.T) {
	t.Parallel()
	server := New(t, Options{})
	var stops sync.WaitGroup
	for range 8 {
		stops.Go(func() {
			if err := server.Stop(); err != nil {
				t.Error(err)
			}
		})
	}
	stops.Wait()
	requireDown(t, server)
}

func TestStopIsFinal(t *testing.T) {
	t.Parallel()
	server := New(t, Options{})
	require.NoError(t, server.Stop())
	require.ErrorIs(t, server.Restart(patient(t)), errStopped)
	require.NoError(t, server.Shutdown())
	require.NoError(t, server.Kill())
	require.ErrorIs(t, server.Pause(), errDown)
	require.ErrorIs(t, server.Continue(), errDown)
}

func TestStopCutsOffSessions(t *testing.T) {
	t.Parallel()
	server := New(t, Options{})
	conn := connect(t, server.DSN())
	require.NoError(t, server.Stop())
	require.Error(t, conn.Ping(patient(t)))
}

func TestTheLogOutlivesTheServer(t *testing.T) {
	t.Parallel()
	server := New(t, Options{})
	require.Contains(t, server.Log(), "ready to accept connections")
	require.NoError(t, server.Stop())
	require.Contains(t, server.Log(), "database system is shut down")
}

func TestTheLogIsTheEndOfALongOne(t *testing.T) {
	t.Parallel()
	server := New(t, Options{})
	execute(t, server, "do $$ begin for n in 1..1000 loop raise log 'line % of many', n; end loop; end $$")
	require.LessOrEqual(t, len(server.Log()), logTail)
	require.NotContains(t, server.Log(), "line 1 of many")
	require.Contains(t, server.Log(), "line 1000 of many")
}

// Every server has one System V segment, and the system allows few.
func TestAKilledServerLeavesNoSharedMemory(t *testing.T) {
	t.Parallel()
	ipcs, err := exec.LookPath("ipcs")
	if err != nil {
		t.Skip("ipcs lists the segments, and it is not installed")
	}
	server := New(t, Options{})
	id := ask[string](t, server, `select split_part(line, ' ', -1) from
		regexp_split_to_table(pg_read_file('postmaster.pid'), '\n') with ordinality as lines (line, n) where n = 7`)
	segments := func() string {
		list, err := exec.Command(ipcs, "-m").Output()
		require.NoError(t, err)
		return strings.Join(strings.Fields(string(list)), " ")
	}
	require.Contains(t, segments(), " "+id+" ")
	require.NoError(t, server.Kill())
	require.NoError(t, server.Stop())
	require.NotContains(t, segments(), " "+id+" ")
}

func TestSegmentID(t *testing.T) {
	t.Parallel()
	id, ok := segmentID("7\n/d\n1\n2\n/s\n127.0.0.1\n  327681    98\nready   \n")
	require.True(t, ok)
	require.Equal(t, "98", id)
	_, ok = segmentID("7\n/d\n")
	require.False(t, ok, "a server that did not get as far as memory")
	_, ok = segmentID("")
	require.False(t, ok)
}
