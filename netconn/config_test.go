package netconn

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
)

// onEachServer runs a test on a server of each kind.
func onEachServer(t *testing.T, test func(t *testing.T, s *server)) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) { test(t, startServer(t, kind)) })
	}
}

// one makes a pool hold a single connection, so that it is known which is lent.
func one(c *connpool.Config[net.Conn]) { c.MaxSize = 1 }

func TestAPoolUsesOneConnectionAgainAndAgain(t *testing.T) {
	onEachServer(t, func(t *testing.T, s *server) {
		pool := s.newPool(t, Options{}, one)
		for range 50 {
			answer, err := request(t.Context(), pool, "echo hello")
			require.NoError(t, err)
			require.Equal(t, "hello", answer)
		}
		require.EqualValues(t, 1, s.accepted.Load())
	})
}

func TestNoDeadConnectionIsLent(t *testing.T) {
	onEachServer(t, func(t *testing.T, s *server) {
		pool := s.newPool(t, Options{}, one)
		for range 20 {
			lease := acquire(t, pool)
			requireEcho(t, lease.Conn(), "hello")
			s.cut()
			requireSoon(t, io.EOF, func() error { return target{}.check(t.Context(), lease.Conn()) })
			lease.Release()
		}
		require.EqualValues(t, 20, s.accepted.Load())
	})
}

func TestAConnectionThatDiesIdleIsNotLent(t *testing.T) {
	onEachServer(t, func(t *testing.T, s *server) {
		pool := s.newPool(t, Options{}, one)
		lease := acquire(t, pool)
		conn := lease.Conn()
		requireEcho(t, conn, "hello")
		lease.Release()
		s.cut()
		requireSoon(t, io.EOF, func() error { return target{}.check(t.Context(), conn) })
		lease = acquire(t, pool)
		requireEcho(t, lease.Conn(), "hello")
		lease.Release()
		require.EqualValues(t, 1, pool.Stats().Closes[connpool.ClosedCheck])
	})
}

func TestAConnectionWithAnUnreadReplyIsNotLentAgain(t *testing.T) {
	onEachServer(t, func(t *testing.T, s *server) {
		pool := s.newPool(t, Options{}, one)
		for _, leave := range []string{"twice stale", "echo stale"} {
			lease := acquire(t, pool)
			conn := lease.Conn()
			write(t, conn, leave+"\n")
			if leave == "twice stale" { // TLS has the second line in its buffer then
				_, err := readLine(conn)
				require.NoError(t, err)
			}
			lease.Release() // whether or not the reply has come yet
			requireSoon(t, connpool.ErrUnsure, func() error { return unlessSilent(conn) })
			lease = acquire(t, pool)
			require.NotSame(t, conn, lease.Conn())
			requireEcho(t, lease.Conn(), "mine")
			lease.Release()
		}
	})
}

// unlessSilent is connpool.ErrUnsure once something has happened on a connection.
func unlessSilent(conn net.Conn) error {
	if Alive(conn) != nil {
		return connpool.ErrUnsure
	}
	return nil
}

func TestHalfAReplyIsNotLentOn(t *testing.T) {
	onEachServer(t, func(t *testing.T, s *server) {
		pool := s.newPool(t, Options{}, one)
		ctx, cancel := context.WithCancel(t.Context())
		err := pool.Do(ctx, func(ctx context.Context, conn net.Conn) error {
			return Do(ctx, conn, func() error {
				write(t, conn, "half reply\n")
				require.Equal(t, "reply", read(t, conn, 5))
				cancel()
				_, err := readLine(conn)
				return err
			})
		})
		require.ErrorIs(t, err, context.Canceled)
		answer, err := request(t.Context(), pool, "echo mine")
		require.NoError(t, err)
		require.Equal(t, "mine", answer)
		require.EqualValues(t, 1, pool.Stats().Closes[connpool.ClosedDiscarded])
	})
}

func TestTheNextUserInheritsNoDeadline(t *testing.T) {
	onEachServer(t, func(t *testing.T, s *server) {
		pool := s.newPool(t, Options{}, one)
		for _, deadline := range []time.Time{longAgo, time.Now().Add(time.Millisecond)} {
			lease := acquire(t, pool)
			require.NoError(t, lease.Conn().SetDeadline(deadline))
			lease.Release()
			time.Sleep(2 * time.Millisecond)
			lease = acquire(t, pool)
			requireEcho(t, lease.Conn(), "hello")
			lease.Release()
		}
		require.EqualValues(t, 1, s.accepted.Load())
	})
}

// A TLS connection that nobody has used yet has tickets to read. That is no
// reason to close it, with a Check of one's own or without.
func TestATLSConnectionThatWasNeverUsedIsKept(t *testing.T) {
	for name, check := range map[string]func(context.Context, net.Conn) error{
		"no check": nil,
		"a check": func(_ context.Context, conn net.Conn) error {
			if answer, err := ask(conn, "echo check"); err != nil || answer != "check" {
				return errors.Join(err, errors.New("not the answer: "+answer))
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, "tls")
			pool := s.newPool(t, Options{Check: check}, one)
			require.NoError(t, pool.Warm(t.Context()))
			for range 10 {
				acquire(t, pool).Release()
			}
			lease := acquire(t, pool)
			requireEcho(t, lease.Conn(), "hello")
			lease.Release()
			require.EqualValues(t, 1, s.accepted.Load())
		})
	}
}

func TestTheHandshakeIsPartOfConnecting(t *testing.T) {
	onEachServer(t, func(t *testing.T, s *server) {
		var greeted []string
		pool := s.newPool(t, Options{Handshake: func(_ context.Context, conn net.Conn) error {
			answer, err := ask(conn, "echo login")
			greeted = append(greeted, answer)
			return err
		}}, one)
		answer, err := request(t.Context(), pool, "echo hello")
		require.NoError(t, err)
		require.Equal(t, "hello", answer)
		require.Equal(t, []string{"login"}, greeted)
	})
}

func TestAHandshakeThatTheServerDoesNotAnswerEndsInTime(t *testing.T) {
	onEachServer(t, func(t *testing.T, s *server) {
		pool := s.newPool(t, Options{Handshake: func(_ context.Context, conn net.Conn) error {
			_, err := ask(conn, "silence")
			return err
		}}, func(c *connpool.Config[net.Conn]) { c.ConnectTimeout = 20 * time.Millisecond })
		require.ErrorIs(t, pool.Warm(t.Context()), connpool.ErrUnreachable)
		require.Eventually(t, func() bool { return pool.Stats().Abandoned == 0 }, patience, time.Millisecond, "it saw its deadline")
	})
}

func TestAConnectionWhoseHandshakeFailsOrPanicsIsClosed(t *testing.T) {
	refused := errors.New("refused")
	for name, handshake := range map[string]func(context.Context, net.Conn) error{
		"fails":  func(context.Context, net.Conn) error { return refused },
		"panics": func(context.Context, net.Conn) error { panic(refused) },
	} {
		t.Run(name, func(t *testing.T) {
			onEachServer(t, func(t *testing.T, s *server) {
				pool := s.newPool(t, Options{Handshake: handshake}, nil)
				require.ErrorIs(t, pool.Warm(t.Context()), refused)
				require.NoError(t, pool.Close())
				require.Eventually(t, func() bool { return s.accepted.Load() > 0 && s.open() == 0 }, patience, time.Millisecond)
			})
		})
	}
}

func TestATLSHandshakeThatFailsIsTheConnectError(t *testing.T) {
	s := startServer(t, "tls")
	cfg := PoolConfig(s.network(), s.address(), Options{TLS: &tls.Config{}})
	_, err := cfg.Connect(t.Context())
	var unknown *tls.CertificateVerificationError
	require.ErrorAs(t, err, &unknown)
}

func TestTheServersNameIsTheHostUnlessSet(t *testing.T) {
	for address, want := range map[string]string{"db.example:5432": "db.example", "[::1]:1": "::1", "/run/socket": ""} {
		require.Equal(t, want, target{address: address, Options: Options{TLS: &tls.Config{}}}.tlsConfig().ServerName)
	}
	require.Empty(t, target{network: "unix", address: "/run/socket:1", Options: Options{TLS: &tls.Config{}}}.tlsConfig().ServerName)
	set := &tls.Config{ServerName: "other"}
	require.Equal(t, "other", target{address: "db:1", Options: Options{TLS: set}}.tlsConfig().ServerName)
}

func TestACheckIsRunWithItsDeadline(t *testing.T) {
	client, _ := pair(t, "tcp")
	ctx := within(t, 20*time.Millisecond)
	err := target{Options: Options{Check: func(_ context.Context, conn net.Conn) error {
		_, err := readLine(conn)
		return err
	}}}.check(ctx, client)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestAHiddenSocketIsLentAfterACheck(t *testing.T) {
	s := startServer(t, "tcp")
	pool := s.newPool(t, Options{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return hidden{conn}, err
	}}, one)
	for range 5 {
		lease := acquire(t, pool)
		requireEcho(t, lease.Conn(), "hello")
		lease.Release()
	}
	require.EqualValues(t, 1, s.accepted.Load())

	lease := acquire(t, pool)
	write(t, lease.Conn(), "echo stale\n")
	read(t, lease.Conn(), 1)
	lease.Release()
	lease = acquire(t, pool)
	requireEcho(t, lease.Conn(), "mine")
	lease.Release()
	require.EqualValues(t, 2, s.accepted.Load())
}

func TestAStaleReplyOnAHiddenSocketIsForOptionsCheckToTell(t *testing.T) {
	s := startServer(t, "tcp")
	pool := s.newPool(t, Options{
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			return hidden{conn}, err
		},
		Check: func(_ context.Context, conn net.Conn) error {
			if answer, err := ask(conn, "echo check"); err != nil || answer != "check" {
				return errors.Join(err, errors.New("not the answer: "+answer))
			}
			return nil
		},
	}, one)
	lease := acquire(t, pool)
	write(t, lease.Conn(), "twice stale\n")
	read(t, lease.Conn(), len("stale\n"))
	lease.Release()
	lease = acquire(t, pool)
	requireEcho(t, lease.Conn(), "mine")
	lease.Release()
	require.EqualValues(t, 1, pool.Stats().Closes[connpool.ClosedCheck])
}

// Pipes live in a bubble with a fake clock, and no kernel knows of them.
func TestListeningTakesNoLongerThanItSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer server.Close()
		defer client.Close()
		began := time.Now()
		require.NoError(t, target{}.check(t.Context(), client))
		require.Equal(t, listening, time.Since(began))
	})
}

func TestTheConfigurationDrawsNoAdvice(t *testing.T) {
	require.Empty(t, PoolConfig("tcp", "127.0.0.1:1", Options{}).Lint())
}
