//go:build unix && !aix

package netconn

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
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

// hesitant is a connection that, once told to, sends half of what it is given.
type hesitant struct {
	net.Conn
	halves atomic.Bool
}

func (h *hesitant) Write(b []byte) (int, error) {
	n := len(b)
	if h.halves.Load() {
		b = b[:n/2]
	}
	_, err := h.Conn.Write(b)
	return n, err
}

// hesitantPair returns the two ends of a TLS connection over which a byte has
// gone, and what the server writes through.
func hesitantPair(t *testing.T) (client, server *tls.Conn, below *hesitant) {
	c, s := pair(t, "tcp")
	below = &hesitant{Conn: s}
	client = tls.Client(c, &tls.Config{RootCAs: identity().roots, ServerName: "127.0.0.1"})
	server = tls.Server(below, &tls.Config{Certificates: []tls.Certificate{identity().cert}})
	shaken := make(chan error, 1)
	go func() { shaken <- server.Handshake() }()
	require.NoError(t, client.Handshake())
	require.NoError(t, <-shaken)
	write(t, server, "x")
	read(t, client, 1)
	return client, server, below
}

// To read half a record of TLS's tells as little as to read none. Were it taken
// for silence, the next user would read the rest.
func TestHalfARecordIsUnread(t *testing.T) {
	client, server, below := hesitantPair(t)
	below.halves.Store(true)
	write(t, server, "a reply")
	requireSoon(t, errRecords, func() error { return Alive(client) })
	require.ErrorIs(t, target{}.check(t.Context(), client), ErrUnread)
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
