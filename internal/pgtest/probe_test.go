package pgtest

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// answering is a server on a unix socket that reads a startup message and
// answers it with the given bytes.
func answering(t *testing.T, answer string) (socket string) {
	t.Helper()
	folder, err := os.MkdirTemp("/tmp", "probe") // t.TempDir may be too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(folder) })
	socket = filepath.Join(folder, "s")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	served := make(chan struct{})
	go func() {
		defer close(served)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.ReadFull(conn, make([]byte, len(startupMessage())))
		_, _ = io.WriteString(conn, answer)
		if answer == "" {
			_, _ = conn.Read(make([]byte, 1)) // silent until the probe hangs up
		}
	}()
	t.Cleanup(func() { listener.Close(); <-served })
	return socket
}

func TestOnlyARequestForThePasswordMeansReady(t *testing.T) {
	t.Parallel()
	require.NoError(t, probe(patient(t), answering(t, "R")))
	require.ErrorContains(t, probe(patient(t), answering(t, "E")), "instead of asking for a password")
	require.Error(t, probe(patient(t), filepath.Join(t.TempDir(), "nobody")))
}

func TestAServerThatOnlyAcceptsIsNotReady(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, probe(ctx, answering(t, "")), os.ErrDeadlineExceeded)
}
