//go:build unix && !aix

package netconn

import (
	"crypto/tls"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
)

func TestASilentConnectionIsAlive(t *testing.T) {
	onEach(t, func(t *testing.T, client, server net.Conn) {
		require.NoError(t, Alive(client))
		write(t, server, "a reply")
		require.Equal(t, "a reply", read(t, client, 7))
		require.NoError(t, Alive(client), "after a reply that has been read")
	})
}

func TestAConnectionThatTheOtherEndHasClosedIsDead(t *testing.T) {
	onEach(t, func(t *testing.T, client, server net.Conn) {
		raw := server
		if secure, ok := server.(*tls.Conn); ok {
			raw = secure.NetConn() // no closing alert
		}
		require.NoError(t, raw.Close())
		requireSoon(t, io.EOF, func() error { return Alive(client) })
	})
}

func TestAConnectionThatTheOtherEndHasResetIsDead(t *testing.T) {
	for _, kind := range []string{"tcp", "tls"} {
		t.Run(kind, func(t *testing.T) {
			client, server := pair(t, kind)
			reset(t, server)
			requireSoon(t, syscall.ECONNRESET, func() error { return Alive(client) })
		})
	}
}

// reset closes a connection with a RST.
func reset(t testing.TB, conn net.Conn) {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	require.NoError(t, conn.(*net.TCPConn).SetLinger(0))
	require.NoError(t, conn.Close())
}

func TestAnUnreadReplyIsNoticed(t *testing.T) {
	for _, kind := range []string{"tcp", "unix"} {
		t.Run(kind, func(t *testing.T) {
			client, server := pair(t, kind)
			write(t, server, "a reply")
			requireSoon(t, ErrUnread, func() error { return Alive(client) })
			require.Equal(t, "a reply", read(t, client, 7), "the look takes nothing")
		})
	}
}

func TestHalfAReplyIsNoticed(t *testing.T) {
	onEach(t, func(t *testing.T, client, server net.Conn) {
		write(t, server, "a reply")
		require.Equal(t, "a re", read(t, client, 4))
		// TLS has the rest in its own buffer, the others have it in the kernel's.
		require.ErrorIs(t, Alive(client), ErrUnread)
	})
}

func TestRecordsThatHaveArrivedOverTLSAreForACheckToTell(t *testing.T) {
	client, server := pair(t, "tls")
	write(t, server, "a reply")
	requireSoon(t, connpool.ErrUnsure, func() error { return Alive(client) })
	require.ErrorIs(t, target{}.check(t.Context(), client), ErrUnread)
}

func TestSessionTicketsAreNoReply(t *testing.T) {
	client, _ := freshPair(t, "tls")
	requireSoon(t, errRecords, func() error { return Alive(client) })
	require.NoError(t, target{}.check(t.Context(), client))
	require.NoError(t, Alive(client), "they have been read")
}

func TestTheEndOfATLSStreamIsNoReply(t *testing.T) {
	client, server := pair(t, "tls")
	require.NoError(t, server.(*tls.Conn).CloseWrite())
	requireSoon(t, errRecords, func() error { return Alive(client) })
	require.ErrorIs(t, target{}.check(t.Context(), client), io.EOF)
}

func TestALookAtTLSDoesNotBeginTheHandshake(t *testing.T) {
	plain, server := pair(t, "tcp")
	client := tls.Client(plain, &tls.Config{RootCAs: identity().roots, ServerName: "127.0.0.1"})
	require.ErrorIs(t, Alive(client), connpool.ErrUnsure)

	shaken := make(chan error, 1)
	go func() {
		shaken <- tls.Server(server, &tls.Config{Certificates: []tls.Certificate{identity().cert}}).Handshake()
	}()
	require.NoError(t, client.Handshake(), "it has not been spoilt")
	require.NoError(t, <-shaken)
}

func TestDeadlinesOfTheLastUserAreCleared(t *testing.T) {
	onEach(t, func(t *testing.T, client, server net.Conn) {
		require.NoError(t, client.SetDeadline(time.Unix(1, 0)))
		require.NoError(t, Alive(client))
		write(t, client, "x")
		write(t, server, "y")
		require.Equal(t, "y", read(t, client, 1))
	})
}

func TestAConnectionClosedAtThisEndIsDead(t *testing.T) {
	onEach(t, func(t *testing.T, client, _ net.Conn) {
		require.NoError(t, client.Close())
		require.ErrorIs(t, Alive(client), net.ErrClosed)
		require.ErrorIs(t, look(client), net.ErrClosed)
	})
}

func TestASocketThatIsHiddenIsForACheckToTell(t *testing.T) {
	onEach(t, func(t *testing.T, client, server net.Conn) {
		require.ErrorIs(t, Alive(hidden{client}), connpool.ErrUnsure)
		check := func() error { return target{}.check(t.Context(), hidden{client}) }
		require.NoError(t, check())
		write(t, server, "a reply")
		requireSoon(t, ErrUnread, check)
	})
}

func TestAHiddenSocketThatIsClosedIsFoundByListening(t *testing.T) {
	onEach(t, func(t *testing.T, client, server net.Conn) {
		require.NoError(t, server.Close())
		requireSoon(t, io.EOF, func() error { return target{}.check(t.Context(), hidden{client}) })
	})
}

func TestBelowAWrapperOnlyDeathIsCertain(t *testing.T) {
	client, server := pair(t, "tcp")
	require.ErrorIs(t, Alive(buffering{hidden{client}}), connpool.ErrUnsure, "silence may be full of buffered bytes")
	write(t, server, "x")
	requireSoon(t, ErrUnread, func() error { return Alive(client) })
	require.ErrorIs(t, Alive(buffering{hidden{client}}), connpool.ErrUnsure, "bytes may be none of the user's")
	read(t, client, 1)
	require.NoError(t, server.Close())
	requireSoon(t, io.EOF, func() error { return Alive(buffering{hidden{client}}) })
}

func TestAWrapperWithASyscallConnIsASocket(t *testing.T) {
	client, server := pair(t, "tcp")
	conn := transparent{client.(*net.TCPConn)}
	require.NoError(t, Alive(conn))
	write(t, server, "x")
	requireSoon(t, ErrUnread, func() error { return Alive(conn) })
}

func TestALookDoesNotWaitForAReader(t *testing.T) {
	client, server := pair(t, "tcp")
	got := make(chan error, 1)
	go func() {
		_, err := client.Read(make([]byte, 1))
		got <- err
	}()
	for range 100 {
		require.NoError(t, Alive(client))
	}
	write(t, server, "x")
	require.NoError(t, <-got)
}

func TestALookAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, kind := range kinds {
		client, _ := pair(t, kind)
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if err := look(client); err != nil {
				t.Fatal(err)
			}
		}), kind)
		if kind == "tls" {
			continue
		}
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if err := Alive(client); err != nil {
				t.Fatal(err)
			}
		}), kind)
	}
}
