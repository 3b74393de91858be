package tcpserver_test

import (
	"context"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/connpool/connpool/examples/internal/tcpserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func echo(_ context.Context, conn net.Conn) { io.Copy(conn, conn) }

func dial(t *testing.T, addr string) net.Conn {
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// requireEcho returns once the server has begun to serve the connection.
func requireEcho(t *testing.T, conn net.Conn) {
	_, err := conn.Write([]byte("x"))
	require.NoError(t, err)
	_, err = io.ReadFull(conn, make([]byte, 1))
	require.NoError(t, err)
}

func TestStopCutsConnectionsAndRefusesNewOnes(t *testing.T) {
	server, err := tcpserver.Start("127.0.0.1:0", echo)
	require.NoError(t, err)
	conn := dial(t, server.Addr())
	requireEcho(t, conn)

	require.Equal(t, 1, server.Accepted())
	require.Equal(t, 1, server.Stop())
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	_, err = net.Dial("tcp", server.Addr())
	require.Error(t, err)
	require.Zero(t, server.Stop(), "the second Stop does nothing")
}

func TestAStoppedServerCanBeStartedAgainOnItsPort(t *testing.T) {
	first, err := tcpserver.Start("127.0.0.1:0", echo)
	require.NoError(t, err)
	requireEcho(t, dial(t, first.Addr()))
	first.Stop()

	second, err := tcpserver.Start(first.Addr(), echo)
	require.NoError(t, err)
	defer second.Stop()
	requireEcho(t, dial(t, second.Addr()))
}

func TestStopEndsTheContextOfWhoIsBusy(t *testing.T) {
	busy := make(chan struct{})
	server, err := tcpserver.Start("127.0.0.1:0", func(ctx context.Context, _ net.Conn) {
		close(busy)
		<-ctx.Done()
	})
	require.NoError(t, err)
	dial(t, server.Addr())
	<-busy
	server.Stop()
}
