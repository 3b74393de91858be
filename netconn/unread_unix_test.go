//go:build unix && !aix

package netconn

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
)

// What is unread here is seen by a look at the socket. Where there is none, it is
// found by the Check before the next hand-out.

func TestAHandshakeThatLeavesBytesUnreadFails(t *testing.T) {
	s := startServer(t, "tcp")
	pool := s.newPool(t, Options{Handshake: func(_ context.Context, conn net.Conn) error {
		write(t, conn, "echo welcome\n")
		requireSoon(t, ErrUnread, func() error { return look(conn) })
		return nil
	}}, nil)
	require.ErrorIs(t, pool.Warm(t.Context()), ErrUnread)
}

// A stale reply must not be taken for the check's.
func TestACheckDoesNotReadWhatWasThereBefore(t *testing.T) {
	onEach(t, func(t *testing.T, client, server net.Conn) {
		write(t, server, "PONG\n")
		requireSoon(t, connpool.ErrUnsure, func() error { return unlessSilent(client) })
		err := target{Options: Options{Check: func(_ context.Context, conn net.Conn) error {
			_, err := readLine(conn)
			return err
		}}}.check(t.Context(), client)
		require.ErrorIs(t, err, ErrUnread)
	})
}

func TestACheckThatLeavesBytesUnreadFails(t *testing.T) {
	onEach(t, func(t *testing.T, client, server net.Conn) {
		err := target{Options: Options{Check: func(_ context.Context, conn net.Conn) error {
			write(t, server, "PONG and more")
			read(t, conn, 4)
			return nil
		}}}.check(t.Context(), client)
		require.ErrorIs(t, err, ErrUnread)
	})
}

func TestAliveLooksThroughADialersConnection(t *testing.T) {
	onEachServer(t, func(t *testing.T, s *server) {
		conn := s.dial(t, newDialer(t, s.kind, nil))
		defer conn.Close()
		requireEcho(t, conn, "mine")
		require.NoError(t, Alive(conn))
		write(t, conn, "echo stale\n")
		read(t, conn, 1)
		require.ErrorIs(t, Alive(conn), ErrUnread)
	})
}
