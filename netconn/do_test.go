package netconn

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
)

func TestARequestRunsAndItsConnectionServesTheNext(t *testing.T) {
	onEach(t, func(t *testing.T, client, server net.Conn) {
		for _, text := range []string{"one", "two"} {
			write(t, server, text)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			require.NoError(t, Do(ctx, client, func() error {
				require.Equal(t, text, read(t, client, 3))
				return nil
			}))
			cancel() // afterwards it is of no concern to the connection
		}
		require.NoError(t, target{}.check(t.Context(), client))
	})
}

func TestARequestUnderAnEndedContextIsNotRun(t *testing.T) {
	client, _ := pair(t, "tcp")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := Do(ctx, client, func() error { t.Error("it ran"); return nil })
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, target{}.check(t.Context(), client))
}

func TestCancellationInterruptsARead(t *testing.T) {
	onEach(t, func(t *testing.T, client, _ net.Conn) {
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("the user has gone")
		reading := make(chan struct{})
		go func() {
			<-reading
			cancel(gone)
		}()
		err := Do(ctx, client, func() error {
			close(reading)
			_, err := client.Read(make([]byte, 1))
			return err
		})
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, gone)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded, "the read's own")
	})
}

func TestCancellationInterruptsAWrite(t *testing.T) {
	onEach(t, func(t *testing.T, client, _ net.Conn) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, cancel)
		err := Do(ctx, client, func() error {
			for { // nobody reads: at some time it waits
				if _, err := client.Write(make([]byte, 1<<20)); err != nil {
					return err
				}
			}
		})
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	})
}

// In a bubble with a fake clock the deadline of the connection and that of the
// context come in the same instant, and either may be first.
func TestADeadlineInterruptsARead(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			client, server := net.Pipe()
			defer client.Close()
			defer server.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			began := time.Now()
			err := Do(ctx, client, func() error {
				_, err := client.Read(make([]byte, 1))
				return err
			})
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			require.Equal(t, time.Hour, time.Since(began))
		})
	}
}

// late is a context whose deadline is long past for its connection before the
// context itself says so.
type late struct{ context.Context }

func (late) Deadline() (time.Time, bool) { return time.Unix(1, 0), true }

func TestADeadlineThatTheConnectionNoticesFirstIsTheContexts(t *testing.T) {
	client, _ := pair(t, "tcp")
	err := Do(late{t.Context()}, client, func() error {
		_, err := client.Read(make([]byte, 1))
		return err
	})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestATimeOutOfTheRequestsOwnIsNotTheContexts(t *testing.T) {
	client, _ := pair(t, "tcp")
	err := Do(within(t, time.Hour), client, func() error { return os.ErrDeadlineExceeded })
	require.Equal(t, os.ErrDeadlineExceeded, err)
}

func TestAnErrorOfTheProtocolIsReturnedAsItIs(t *testing.T) {
	client, _ := pair(t, "tcp")
	refused := errors.New("refused")
	require.Equal(t, refused, Do(within(t, time.Hour), client, func() error { return refused }))
}

func TestFault67_ARequestThatClosesItsConnectionHasSucceeded(t *testing.T) {
	onEach(t, func(t *testing.T, client, _ net.Conn) {
		require.NoError(t, Do(t.Context(), client, client.Close))
		require.ErrorIs(t, Do(t.Context(), client, func() error { t.Error("it ran"); return nil }), net.ErrClosed)
	})
	client, server := net.Pipe()
	defer server.Close()
	require.NoError(t, Do(t.Context(), client, client.Close), "whatever a closed connection's error is")
}

func TestFault67_APoolOpensAnotherForAConnectionThatItsUserHasClosed(t *testing.T) {
	onEachServer(t, func(t *testing.T, s *server) {
		pool := s.newPool(t, Options{}, one)
		for range 3 {
			require.NoError(t, pool.Do(t.Context(), func(ctx context.Context, conn net.Conn) error {
				return Do(ctx, conn, func() error {
					requireEcho(t, conn, "goodbye")
					return conn.Close()
				})
			}))
		}
		stats := pool.Stats()
		require.EqualValues(t, 3, stats.Connects)
		require.EqualValues(t, 3, stats.Closes[connpool.ClosedClean])
	})
}

// unclearable is a connection whose deadline can be set once.
type unclearable struct {
	net.Conn
	set *bool
}

var errUnclearable = errors.New("no second deadline")

func (u unclearable) SetDeadline(time.Time) error {
	if *u.set {
		return errUnclearable
	}
	*u.set = true
	return nil
}

func TestAConnectionThatCannotBeClearedIsTheErrorOfARequest(t *testing.T) {
	client, _ := pair(t, "tcp")
	conn := unclearable{client, new(bool)}
	require.ErrorIs(t, Do(t.Context(), conn, func() error { return nil }), errUnclearable)
}

// The cancellation begins while the request ends, at every distance that the
// scheduler comes up with. Whoever is first, no deadline may be left over.
func TestACancelThatComesAsTheRequestEndsLeavesNoDeadline(t *testing.T) {
	client, server := pair(t, "tcp")
	go io.Copy(server, server)
	var met int // requests whose context ended before Do returned
	for i := range 20_000 {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for range i % 16 {
				runtime.Gosched()
			}
			cancel()
		}()
		err := Do(ctx, client, func() error {
			for range i % 13 {
				runtime.Gosched()
			}
			return nil
		})
		if ctx.Err() != nil {
			met++
		}
		cancel()
		if err != nil {
			require.ErrorIs(t, err, errNotRun)
		}
		_, err = client.Write([]byte("x"))
		require.NoError(t, err, "round %d", i)
		_, err = io.ReadFull(client, make([]byte, 1))
		require.NoError(t, err, "round %d", i)
	}
	require.NotZero(t, met)
}

// holdup is a connection whose deadlines in the past are slow to set.
type holdup struct {
	net.Conn
	began, goOn chan struct{}
}

func (h holdup) SetDeadline(t time.Time) error {
	if t.Equal(longAgo) {
		close(h.began)
		<-h.goOn
	}
	return h.Conn.SetDeadline(t)
}

func TestACancellationUnderWayIsWaitedForBeforeTheDeadlineIsCleared(t *testing.T) {
	client, server := pair(t, "tcp")
	conn := holdup{client, make(chan struct{}), make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Do(ctx, conn, func() error {
			cancel()
			<-conn.began // it ends in the midst of its cancellation
			return nil
		})
	}()
	<-conn.began
	for range 100 {
		runtime.Gosched()
	}
	require.Empty(t, done, "it has not returned yet")
	close(conn.goOn)
	require.NoError(t, <-done, "the request had ended")
	write(t, server, "x")
	require.Equal(t, "x", read(t, client, 1))
}

func TestARequestThatPanicsLeavesNothingBehind(t *testing.T) {
	client, server := pair(t, "tcp")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.Panics(t, func() { Do(ctx, client, func() error { panic("mine") }) })
	cancel()
	write(t, server, "x")
	require.Equal(t, "x", read(t, client, 1))
}

// Cancelled at every moment of a request and its reply, on pooled connections:
// nobody ever reads the reply to another's request.
func TestACancelledRequestsReplyReachesNobody(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			s := startServer(t, kind)
			pool := s.newPool(t, Options{}, func(c *connpool.Config[net.Conn]) { c.MaxSize = 2 })
			rounds := 2000
			if kind == "tls" || raceEnabled {
				rounds = 400 // each cancellation costs a handshake
			}
			var answered, cancelled int
			for i := range rounds {
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					defer cancel()
					time.Sleep(time.Duration(i%100) * 2 * time.Microsecond)
				}()
				answer, err := request(ctx, pool, "echo "+string(rune('a'+i%26)))
				cancel()
				switch {
				case err == nil:
					answered++
					require.Equal(t, string(rune('a'+i%26)), answer)
				default:
					require.ErrorIs(t, err, context.Canceled)
					cancelled++
				}
				answer, err = request(t.Context(), pool, "echo next")
				require.NoError(t, err)
				require.Equal(t, "next", answer)
			}
			t.Logf("%d answered, %d cancelled, %d connections", answered, cancelled, s.accepted.Load())
			require.NotZero(t, cancelled)
		})
	}
}

// request asks the server over a pooled connection.
func request(ctx context.Context, pool *connpool.Pool[net.Conn], line string) (answer string, err error) {
	err = pool.Do(ctx, func(ctx context.Context, conn net.Conn) error {
		return Do(ctx, conn, func() error {
			answer, err = ask(conn, line)
			return err
		})
	})
	return answer, err
}
