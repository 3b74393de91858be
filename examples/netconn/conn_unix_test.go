//go:build unix && !aix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/connpool/connpool/examples/internal/tcpserver"
	"github.com/connpool/connpool/netconn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns a connection to a server of its own.
func open(t *testing.T) (*conn, *tcpserver.Server) {
	server, err := startServer("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { server.Stop() })
	c, err := connect(context.Background(), server.Addr())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c, server
}

func TestASilentConnectionIsAlive(t *testing.T) {
	c, _ := open(t)
	require.NoError(t, c.alive())
	require.NoError(t, c.ping(t.Context()))
	require.NoError(t, c.alive())
}

func TestADeadlineThatHasPassedDoesNotMatter(t *testing.T) {
	c, _ := open(t)
	require.NoError(t, c.SetDeadline(time.Unix(1, 0)))
	require.NoError(t, c.alive())
}

func TestAServerThatHungUpIsNoticedAtOnce(t *testing.T) {
	c, server := open(t)
	server.Stop()
	require.ErrorIs(t, c.alive(), io.EOF)
}

func TestAnUnreadReplyIsNoticed(t *testing.T) {
	c, _ := open(t)
	_, err := fmt.Fprintln(c, "PING")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return errors.Is(c.clean(), netconn.ErrUnread) }, 10*time.Second, time.Millisecond)

	_, err = c.replies.Peek(1) // from the kernel's buffer into ours
	require.NoError(t, err)
	require.ErrorIs(t, c.clean(), netconn.ErrUnread)
}

func TestAConnectionClosedHereIsDead(t *testing.T) {
	c, _ := open(t)
	require.NoError(t, c.Close())
	require.Error(t, c.alive())
}
