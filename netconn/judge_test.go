package netconn

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
)

// elsewhere are errors of other systems that the work talks to.
var elsewhere = map[string]error{
	"refused":      &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)},
	"no such host": &net.DNSError{Err: "no such host", Name: "cache", IsNotFound: true},
	"hung up":      io.EOF,
	"cut off":      io.ErrUnexpectedEOF,
	"closed":       net.ErrClosed,
	"timed out":    os.ErrDeadlineExceeded,
	"too late":     context.DeadlineExceeded,
	"given up":     context.Canceled,
	"another pool": &connpool.AcquireError{Err: context.DeadlineExceeded, LastConnect: io.EOF},
	"a reply":      errors.New("no such key"),
}

// work is a piece of work on a connection that ends with an error that is not the
// connection's.
type work func(ctx context.Context, conn net.Conn, err error) error

// healthy leaves the connection between two exchanges, as far as can be known.
var healthy = map[string]work{
	"nothing was sent": func(_ context.Context, _ net.Conn, err error) error { return err },
	"after an exchange": func(ctx context.Context, conn net.Conn, err error) error {
		return errors.Join(Do(ctx, conn, func() error { _, e := ask(conn, "echo x"); return e }), err)
	},
	"within an exchange": func(ctx context.Context, conn net.Conn, err error) error {
		return Do(ctx, conn, func() error {
			_, e := ask(conn, "echo x")
			return errors.Join(e, err)
		})
	},
	"before an exchange": func(ctx context.Context, conn net.Conn, err error) error {
		return Do(ctx, conn, func() error { return err })
	},
}

// ways are the ways in which a lease ends with the error of its work.
var ways = map[string]func(*testing.T, *connpool.Pool[net.Conn], work, error){
	"Do": func(t *testing.T, pool *connpool.Pool[net.Conn], w work, err error) {
		require.ErrorIs(t, pool.Do(t.Context(), func(ctx context.Context, conn net.Conn) error {
			return w(ctx, conn, err)
		}), err)
	},
	"ReleaseErr": func(t *testing.T, pool *connpool.Pool[net.Conn], w work, err error) {
		lease := acquire(t, pool)
		lease.ReleaseErr(w(t.Context(), lease.Conn(), err))
	},
	"End": func(t *testing.T, pool *connpool.Pool[net.Conn], w work, err error) {
		lease := acquire(t, pool)
		err = w(t.Context(), lease.Conn(), err)
		defer lease.End(&err)
	},
	"Release": func(t *testing.T, pool *connpool.Pool[net.Conn], w work, err error) {
		lease := acquire(t, pool)
		_ = w(t.Context(), lease.Conn(), err)
		lease.Release()
	},
}

func TestFault55_AnotherSystemsErrorCostsNoConnection(t *testing.T) {
	onEachServer(t, func(t *testing.T, s *server) {
		pool := s.newPool(t, Options{}, one)
		for _, end := range ways {
			for _, w := range healthy {
				for _, err := range elsewhere {
					end(t, pool, w, err)
				}
			}
		}
		require.EqualValues(t, 1, s.accepted.Load())
	})
}

// Without Do nobody knows when an exchange is over, so a context's error costs the
// connection; another kind does not.
func TestFault55_AnExchangeWithoutDoIsSparedAllButContextErrors(t *testing.T) {
	s := startServer(t, "tcp")
	pool := s.newPool(t, Options{}, one)
	for name, err := range elsewhere {
		before := pool.Stats().Connects
		ways["Do"](t, pool, func(_ context.Context, conn net.Conn, err error) error {
			requireEcho(t, conn, "x")
			return err
		}, err)
		requireEchoOf(t, pool)
		costs := uint64(0)
		if err == context.Canceled || err == context.DeadlineExceeded {
			costs = 1
		}
		if before > 0 {
			require.Equal(t, costs, pool.Stats().Connects-before, name)
		}
	}
}

func requireEchoOf(t *testing.T, pool *connpool.Pool[net.Conn]) {
	t.Helper()
	answer, err := request(t.Context(), pool, "echo mine")
	require.NoError(t, err)
	require.Equal(t, "mine", answer)
}

// spoilt leaves the connection so that the next user would get another's reply, or
// none. The error that comes of it is not returned.
var spoilt = map[string]func(t *testing.T, conn net.Conn){
	"a read failed": func(t *testing.T, conn net.Conn) {
		write(t, conn, "hang up\n")
		_, err := conn.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
	},
	"a read timed out": func(t *testing.T, conn net.Conn) {
		write(t, conn, "silence\n")
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Millisecond)))
		_, err := readLine(conn)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, conn.SetReadDeadline(time.Time{}))
	},
	"a write timed out": func(t *testing.T, conn net.Conn) {
		require.NoError(t, conn.SetWriteDeadline(longAgo))
		_, err := io.WriteString(conn, "echo x\n")
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	},
	"closed":              func(t *testing.T, conn net.Conn) { require.NoError(t, conn.Close()) },
	"discarded":           func(t *testing.T, conn net.Conn) { require.NoError(t, conn.(*Conn).Discard()) },
	"a reply is owed":     func(t *testing.T, conn net.Conn) { write(t, conn, "silence\n") },
	"a reply has come":    func(t *testing.T, conn net.Conn) { write(t, conn, "echo stale\n"); read(t, conn, 1) },
	"a context was ended": func(t *testing.T, conn net.Conn) { cutShort(t, conn, "silence\n", 0) },
	"a context was ended in the reply": func(t *testing.T, conn net.Conn) {
		cutShort(t, conn, "half reply\n", len("reply"))
	},
	"a context was ended between two reads": func(t *testing.T, conn net.Conn) {
		ctx, cancel := context.WithCancel(t.Context())
		require.Error(t, Do(ctx, conn, func() error {
			write(t, conn, "half reply\n")
			read(t, conn, len("reply"))
			cancel()
			return ctx.Err()
		}))
	},
}

func cutShort(t *testing.T, conn net.Conn, line string, n int) {
	ctx, cancel := context.WithCancel(t.Context())
	require.ErrorIs(t, Do(ctx, conn, func() error {
		write(t, conn, line)
		read(t, conn, n)
		cancel()
		_, err := readLine(conn)
		return err
	}), context.Canceled)
}

// Whatever error the work makes of it, or none.
func TestFault55_AConnectionsOwnFailureCostsItOnEveryPath(t *testing.T) {
	onEachServer(t, func(t *testing.T, s *server) {
		for name, spoil := range spoilt {
			for path, end := range ways {
				for _, err := range []error{errors.New("it did not work"), elsewhere["refused"]} {
					pool := s.newPool(t, Options{}, one)
					requireEchoOf(t, pool)
					end(t, pool, func(_ context.Context, conn net.Conn, err error) error {
						spoil(t, conn)
						return err
					}, err)
					requireEchoOf(t, pool)
					require.EqualValues(t, 2, pool.Stats().Connects, "%s, %s, %v", name, path, err)
				}
			}
		}
	})
}

// A context may be looked at between two reads, without Do.
func TestFault55_AContextsErrorInTheMiddleOfAReplyCostsTheConnection(t *testing.T) {
	s := startServer(t, "tcp")
	pool := s.newPool(t, Options{}, one)
	require.ErrorIs(t, pool.Do(t.Context(), func(_ context.Context, conn net.Conn) error {
		write(t, conn, "half reply\n")
		read(t, conn, len("reply"))
		return context.Canceled
	}), context.Canceled)
	requireEchoOf(t, pool)
	require.EqualValues(t, 2, pool.Stats().Connects)
}

// The deadline is over, and nobody knows whether in vain: an error decides.
func TestFault55_ADeadlineLeftSetMakesAnErrorTheConnections(t *testing.T) {
	s := startServer(t, "tcp")
	pool := s.newPool(t, Options{}, one)
	for _, err := range []error{nil, errors.New("it did not work")} {
		require.Equal(t, err, pool.Do(t.Context(), func(_ context.Context, conn net.Conn) error {
			requireEcho(t, conn, "x")
			require.NoError(t, conn.SetDeadline(longAgo))
			return err
		}))
	}
	requireEchoOf(t, pool)
	require.EqualValues(t, 2, pool.Stats().Connects)
}

// The others are asked whether they live only if it was the network.
func TestFault55_OnlyAFailureOfTheConnectionMakesTheOthersSuspect(t *testing.T) {
	for name, c := range map[string]struct {
		work   func(t *testing.T, conn net.Conn) error
		checks int64
	}{
		"another system's error": {func(t *testing.T, conn net.Conn) error {
			requireEcho(t, conn, "x")
			return elsewhere["refused"]
		}, 0},
		"a reply is owed and another system failed": {func(t *testing.T, conn net.Conn) error {
			write(t, conn, "silence\n")
			return elsewhere["refused"]
		}, 0},
		"a hang-up": {func(t *testing.T, conn net.Conn) error {
			_, err := ask(conn, "hang up")
			return err
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, "tcp")
			var checks atomic.Int64
			pool := s.newPool(t, Options{Check: func(_ context.Context, conn net.Conn) error {
				checks.Add(1)
				_, err := ask(conn, "echo check")
				return err
			}}, func(c *connpool.Config[net.Conn]) { c.MaxSize = 2 })
			first, second := acquire(t, pool), acquire(t, pool)
			first.Release()
			second.ReleaseErr(c.work(t, second.Conn()))
			requireEchoOf(t, pool)
			require.Equal(t, c.checks, checks.Load())
		})
	}
}

func TestFault55_ADialersConnectionGoesByWhatHappenedOnIt(t *testing.T) {
	onEachServer(t, func(t *testing.T, s *server) {
		for name, spoil := range spoilt {
			if name == "closed" { // which is how a Dialer's is given back
				continue
			}
			d := newDialer(t, s.kind, nil)
			conn := s.dial(t, d)
			spoil(t, conn)
			_ = conn.Close()
			next := s.dial(t, d)
			requireEcho(t, next, "mine")
			require.NoError(t, next.Close())
			require.EqualValues(t, 2, d.Stats()[0].Connects, name)
		}
	})
}

// Where nothing is known of the connection, the error's type has to do.
func TestFault55_AConnectionInATypeOfOnesOwnIsJudgedByItsErrors(t *testing.T) {
	s := startServer(t, "tcp")
	pool := s.newPool(t, Options{}, func(c *connpool.Config[net.Conn]) {
		connect := c.Connect
		c.Connect = func(ctx context.Context) (net.Conn, error) {
			conn, err := connect(ctx)
			return hidden{conn}, err
		}
	})
	ways["Do"](t, pool, healthy["nothing was sent"], elsewhere["refused"])
	requireEchoOf(t, pool)
	require.EqualValues(t, 2, pool.Stats().Connects)
}

func TestWithOneWayAWriteMayBeTheLast(t *testing.T) {
	for _, oneWay := range []bool{false, true} {
		s := startServer(t, "tcp")
		d := newDialer(t, "tcp", nil)
		d.Options.OneWay = oneWay
		pool := s.newPool(t, Options{OneWay: oneWay}, one)
		for range 3 {
			conn := s.dial(t, d)
			write(t, conn, "silence\n")
			require.NoError(t, conn.Close())
			require.NoError(t, pool.Do(t.Context(), func(_ context.Context, conn net.Conn) error {
				write(t, conn, "silence\n")
				return nil
			}))
		}
		connections := uint64(3)
		if oneWay {
			connections = 1
		}
		require.Equal(t, connections, d.Stats()[0].Connects)
		require.Equal(t, connections, pool.Stats().Connects)
	}
}

// The first thing that one would write, and with a deadline: what the next user
// reads is the reply to its own request, be the late one there before the release
// or come after it.
func TestFault55_AReleaseAfterAReadThatTimedOutLendsAnotherConnection(t *testing.T) {
	onEachServer(t, func(t *testing.T, s *server) {
		pool := s.newPool(t, Options{}, one)
		for n := range 20 {
			lease := acquire(t, pool)
			requireEcho(t, lease.Conn(), "hello") // the server has this connection
			require.NoError(t, lease.Conn().SetDeadline(time.Now().Add(time.Millisecond)))
			_, err := ask(lease.Conn(), "silence")
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			if n%2 == 0 {
				s.say("late reply\n")
				lease.Release()
			} else {
				lease.Release()
				s.say("late reply\n")
			}
			requireEchoOf(t, pool)
		}
	})
}
