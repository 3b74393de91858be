package servertest

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRedisAnswersAndComesBackAfterAKill(t *testing.T) {
	s, err := StartRedis(t.Context())
	need(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop()) })
	require.Equal(t, "+PONG\r\n", ping(t, s))
	require.NoError(t, s.Kill())
	_, err = net.Dial("tcp", s.Addr())
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.NoError(t, s.Kill(), "it is down already")
	require.NoError(t, s.Restart(t.Context()))
	require.Equal(t, "+PONG\r\n", ping(t, s))
	require.NoError(t, s.Restart(t.Context()), "one that runs")
	require.Equal(t, "+PONG\r\n", ping(t, s))
}

func TestNothingIsLeftAfterStop(t *testing.T) {
	s, err := StartRedis(t.Context())
	need(t, err)
	pid := s.mu.run.pid
	require.NoError(t, s.Stop())
	require.NoError(t, s.Stop())
	require.NoDirExists(t, s.folder)
	require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
	require.ErrorIs(t, s.Restart(t.Context()), errStopped)
}

// The guard is what is left of a process that has died: its pipe closes.
func TestTheServerEndsWithWhoStartedIt(t *testing.T) {
	s, err := StartRedis(t.Context())
	need(t, err)
	pid := s.mu.run.pid
	require.NoError(t, s.mu.run.words.Close())
	require.NoError(t, s.mu.run.shell.Wait())
	s.mu.run = nil
	require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
	require.NoDirExists(t, s.folder)
	require.NoError(t, s.Stop())
}

// Its owner may die before it has read the pid.
func TestTheServerEndsEvenIfNobodyHearsItsPid(t *testing.T) {
	folder := t.TempDir()
	hearing, said, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, hearing.Close())
	cmd := exec.Command("/bin/sh", "-c", guardScript, "connpool-guard", folder, "sleep", "60")
	cmd.Stdout = said
	_ = cmd.Run() // how it ends says nothing
	require.NoError(t, said.Close())
	require.NoDirExists(t, folder, "the guard came to its end")
}

func TestAProgramThatIsNotThere(t *testing.T) {
	_, err := start(t.Context(), "no-such-server", "it does not exist", nil, nil)
	require.ErrorIs(t, err, ErrNotInstalled)
}

func TestAServerThatDoesNotStartIsAnErrorWithItsLog(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := start(ctx, "sh", "", func(*Server) error { return nil }, func(*Server) []string {
		return []string{"-c", "echo out of order"}
	})
	require.ErrorContains(t, err, "out of order")
}

// need skips a test whose server is not installed, except where CI is set.
func need(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, ErrNotInstalled) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
}

func ping(t *testing.T, s *Server) string {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr())
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "PING\r\n")
	require.NoError(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	return line
}
