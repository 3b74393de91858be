//go:build unix

package connpool

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// serverVariable tells a process that it is the one that may open only a few
// files, and where the server is.
const serverVariable = "CONNPOOL_TEST_SERVER_OF_THE_POOR"

// A process has one limit of open files, so the pool has a process of its own,
// this program once more. The server stays here, where there are files enough.
func TestFault25_WithoutFilesToOpenTheErrorSaysSoAndTheCapacityComesBack(t *testing.T) {
	if addr := os.Getenv(serverVariable); addr != "" {
		poolOfThePoor(t, addr)
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	go holdAll(listener)

	poor := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=2m")
	poor.Env = append(os.Environ(), serverVariable+"="+listener.Addr().String())
	out, err := poor.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: "+t.Name(), "the other process has been there")
}

// holdAll accepts connections and keeps them until their other end goes.
func holdAll(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			_, _ = io.Copy(io.Discard, conn) // its end is all that matters
		}()
	}
}

func poolOfThePoor(t *testing.T, addr string) {
	const size = 100
	p, err := New(Config[net.Conn]{
		Connect: func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		},
		MaxSize: size,
		Logger:  slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	enough := limitFiles(t, 64)

	var held []Lease[net.Conn]
	for err == nil {
		var lease Lease[net.Conn]
		if lease, err = p.Acquire(within(t, 2*time.Second)); err == nil {
			held = append(held, lease)
		}
	}
	require.ErrorIs(t, err, syscall.EMFILE)
	require.ErrorIs(t, err, context.DeadlineExceeded, "those that there are might have come back")
	require.Contains(t, err.Error(), "too many open files")
	few := len(held)
	require.True(t, few > 16 && few < 64, "%d connections with 64 files", few)

	release(held...)
	release(acquireN(t, p, few)...) // those that there are, all of them
	enough()
	release(acquireN(t, p, size)...) // and the others, as soon as there are files
	require.NoError(t, p.Shutdown(within(t, time.Minute)))
}

// limitFiles lets the process open so many files at most, until the function
// that it returns is called.
func limitFiles(t *testing.T, n int) (enough func()) {
	var before syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before))
	few := before
	few.Cur -= few.Cur // its type is not the same everywhere
	for range n {
		few.Cur++
	}
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few))
	return func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before)) }
}
