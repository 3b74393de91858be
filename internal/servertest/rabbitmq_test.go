package servertest

import (
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRabbitMQAnswersAndEndsWithWhoStartedIt(t *testing.T) {
	s, err := StartRabbitMQ(t.Context())
	need(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop()) })
	require.Equal(t, startMethod, greet(t, s))

	// The process that answered is the one that the guard kills, not a child of it.
	pid := s.mu.run.pid
	require.NoError(t, s.mu.run.words.Close())
	require.NoError(t, s.mu.run.shell.Wait())
	s.mu.run = nil
	require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
	require.NoDirExists(t, s.folder)
	_, err = net.Dial("tcp", s.Addr())
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

// startMethod is class and number of the method with which a broker begins.
var startMethod = []byte{0, 10, 0, 10}

// greet says which protocol it speaks, and returns class and number of the method
// that comes back.
func greet(t *testing.T, s *Server) []byte {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	_, err = io.WriteString(conn, "AMQP\x00\x00\x09\x01")
	require.NoError(t, err)
	var frame [11]byte // type, channel and size come before the method
	_, err = io.ReadFull(conn, frame[:])
	require.NoError(t, err)
	return frame[7:]
}
