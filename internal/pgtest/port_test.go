package pgtest

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func occupied(t *testing.T) (port int) {
	t.Helper()
	listener, err := net.Listen("tcp", address(0))
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().(*net.TCPAddr).Port
}

func prepared(t *testing.T) *Server {
	t.Helper()
	needServer(t)
	server, err := prepare(t.Context(), Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	return server
}

func TestAPortThatWasTakenMeanwhileIsReplaced(t *testing.T) {
	t.Parallel()
	server, taken, picks := prepared(t), occupied(t), 0
	err := server.startOnFreePort(patient(t), func(ctx context.Context) (int, error) {
		if picks++; picks < 3 {
			return taken, nil
		}
		return freePort(ctx)
	})
	require.NoError(t, err)
	require.Equal(t, 3, picks)
	require.True(t, ask[bool](t, server, "select true"))
}

// Whoever holds the port may be a PostgreSQL server too, that of another test
// for one. Start must not take it for its own.
func TestAnotherServerOnThePortIsNotTakenForOurs(t *testing.T) {
	t.Parallel()
	other, server := New(t, Options{}), prepared(t)
	err := server.startOnFreePort(patient(t), func(context.Context) (int, error) { return other.port, nil })
	require.ErrorIs(t, err, errHeld)
	require.ErrorContains(t, err, "could not bind")
}

func TestRestartGivesUpOnAPortThatStaysTaken(t *testing.T) {
	t.Parallel()
	server := New(t, Options{})
	require.NoError(t, server.Shutdown())
	thief, err := net.Listen("tcp", server.Addr())
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	require.ErrorIs(t, server.Restart(ctx), context.DeadlineExceeded)
	require.NoError(t, thief.Close())
	require.NoError(t, server.Restart(patient(t)), "it was not spoilt by that")
}

func TestPortsLieBelowTheOnesTheKernelHandsOut(t *testing.T) {
	t.Parallel()
	port, err := freePort(t.Context())
	require.NoError(t, err)
	require.GreaterOrEqual(t, port, firstPort)
	require.Less(t, port, 32768)
}
