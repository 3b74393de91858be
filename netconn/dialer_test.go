package netconn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
)

// newDialer returns a Dialer for servers of that kind, with one connection to
// each, and shuts it down when the test ends.
func newDialer(t testing.TB, kind string, edit func(*connpool.Config[net.Conn])) *Dialer {
	d := &Dialer{Options: optionsFor(kind), Configure: func(_, _ string, c *connpool.Config[net.Conn]) {
		c.Logger, c.MaxSize = slog.New(slog.DiscardHandler), 1
		if edit != nil {
			edit(c)
		}
	}}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, d.Shutdown(ctx))
	})
	return d
}

func (s *server) dial(t testing.TB, d *Dialer) net.Conn {
	t.Helper()
	conn, err := d.DialContext(within(t, patience), s.network(), s.address())
	require.NoError(t, err)
	return conn
}

func TestCloseGivesTheConnectionBack(t *testing.T) {
	onEachServer(t, func(t *testing.T, s *server) {
		d := newDialer(t, s.kind, nil)
		for range 20 {
			conn := s.dial(t, d)
			requireEcho(t, conn, "hello")
			require.NoError(t, conn.Close())
		}
		require.EqualValues(t, 1, s.accepted.Load())
	})
}

func TestEachAddressHasItsOwnConnections(t *testing.T) {
	a, b := startServer(t, "tcp"), startServer(t, "tcp")
	d := newDialer(t, "tcp", nil)
	for range 3 {
		for _, s := range []*server{a, b} {
			conn := s.dial(t, d)
			require.Equal(t, s.address(), conn.RemoteAddr().String())
			require.Equal(t, conn.(*Conn).NetConn().LocalAddr(), conn.LocalAddr())
			requireEcho(t, conn, "hello")
			require.NoError(t, conn.Close())
		}
	}
	require.EqualValues(t, 1, a.accepted.Load())
	require.EqualValues(t, 1, b.accepted.Load())
	stats := d.Stats()
	require.Len(t, stats, 2)
	require.Less(t, stats[0].Pool, stats[1].Pool)
	require.ElementsMatch(t, []string{a.address(), b.address()}, []string{stats[0].Pool, stats[1].Pool})
}

func TestAClosedConnectionCannotTouchTheNextUsers(t *testing.T) {
	s := startServer(t, "tcp")
	d := newDialer(t, "tcp", nil)
	old := s.dial(t, d)
	require.NoError(t, old.Close())
	mine := s.dial(t, d)
	require.Same(t, old.(*Conn).inner, mine.(*Conn).inner)

	_, err := old.Read(make([]byte, 1))
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = old.Write([]byte("echo stale\n"))
	require.ErrorIs(t, err, net.ErrClosed)
	require.ErrorIs(t, old.SetDeadline(longAgo), net.ErrClosed)
	require.ErrorIs(t, old.SetReadDeadline(longAgo), net.ErrClosed)
	require.ErrorIs(t, old.SetWriteDeadline(longAgo), net.ErrClosed)
	require.ErrorIs(t, old.Close(), net.ErrClosed, "closed twice")
	require.ErrorIs(t, old.(*Conn).Discard(), net.ErrClosed)
	require.ErrorIs(t, Alive(old), net.ErrClosed)

	requireEcho(t, mine, "mine")
	require.NoError(t, mine.Close())
	require.EqualValues(t, 1, s.accepted.Load())
	require.Zero(t, d.Stats()[0].StaleReleases)
}

func TestOfManyWhoCloseAtOnceOneIsTheFirst(t *testing.T) {
	s := startServer(t, "tcp")
	d := newDialer(t, "tcp", nil)
	for range 500 {
		conn := s.dial(t, d)
		errs := make(chan error)
		for range 4 {
			go func() { errs <- conn.Close() }()
		}
		first := 0
		for range 4 {
			if err := <-errs; err == nil {
				first++
			} else {
				require.ErrorIs(t, err, net.ErrClosed)
			}
		}
		require.Equal(t, 1, first)
	}
	require.EqualValues(t, 1, s.accepted.Load())
	require.Zero(t, d.Stats()[0].StaleReleases)
}

// What a user does to a connection, after which it must not be lent again.
var spoilers = map[string]func(t *testing.T, s *server, conn net.Conn){
	"a read failed": func(t *testing.T, _ *server, conn net.Conn) {
		write(t, conn, "hang up\n")
		_, err := conn.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
	},
	"a read timed out": func(t *testing.T, _ *server, conn net.Conn) {
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Millisecond)))
		_, err := readLine(conn)
		require.Error(t, err)
		require.NoError(t, conn.SetReadDeadline(time.Time{}))
	},
	"a write timed out": func(t *testing.T, _ *server, conn net.Conn) {
		require.NoError(t, conn.SetWriteDeadline(longAgo))
		_, err := conn.Write([]byte("echo x\n"))
		require.Error(t, err)
		require.NoError(t, conn.SetWriteDeadline(time.Time{}))
	},
	"a deadline has passed": func(t *testing.T, _ *server, conn net.Conn) {
		require.NoError(t, conn.SetDeadline(longAgo))
	},
	"a read deadline has passed": func(t *testing.T, _ *server, conn net.Conn) {
		require.NoError(t, conn.SetReadDeadline(longAgo))
	},
	"a write deadline has passed": func(t *testing.T, _ *server, conn net.Conn) {
		require.NoError(t, conn.SetWriteDeadline(longAgo))
	},
	"a reply is unread": func(t *testing.T, _ *server, conn net.Conn) {
		write(t, conn, "echo stale\n")
		requireSoon(t, connpool.ErrUnsure, func() error { return unlessSilent(conn) })
	},
	"half a reply is unread": func(t *testing.T, _ *server, conn net.Conn) {
		write(t, conn, "echo stale\n")
		read(t, conn, 2)
	},
	"discarded": func(t *testing.T, _ *server, conn net.Conn) {
		require.NoError(t, conn.(*Conn).Discard())
	},
}

func TestASpoiltConnectionIsClosedInsteadOfGivenBack(t *testing.T) {
	onEachServer(t, func(t *testing.T, s *server) {
		for name, spoil := range spoilers {
			t.Run(name, func(t *testing.T) {
				d := newDialer(t, s.kind, nil)
				conn := s.dial(t, d)
				spoil(t, s, conn)
				if err := conn.Close(); err != nil {
					require.ErrorIs(t, err, net.ErrClosed, "it has been discarded")
				}
				next := s.dial(t, d)
				require.NotSame(t, conn.(*Conn).inner, next.(*Conn).inner)
				requireEcho(t, next, "mine")
				require.NoError(t, next.Close())
			})
		}
	})
}

func TestADeadlineThatHasNotPassedIsCleared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDialer(t, "tcp", nil)
		d.Options.Dial, _ = pipes(t)
		conn, err := d.Dial("tcp", "db:1")
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(longAgo))
		require.NoError(t, conn.SetDeadline(time.Now().Add(time.Second)), "lifted, and another set")
		require.NoError(t, conn.Close())
		time.Sleep(2 * time.Second)
		next, err := d.Dial("tcp", "db:1")
		require.NoError(t, err)
		require.Same(t, conn.(*Conn).inner, next.(*Conn).inner)
		write(t, next, "mine")
		require.NoError(t, next.Close())
	})
}

func TestCloseInterruptsAReadAndTheConnectionIsNotLentAgain(t *testing.T) {
	onEachServer(t, func(t *testing.T, s *server) {
		d := newDialer(t, s.kind, nil)
		conn := s.dial(t, d).(*Conn)
		got := make(chan error, 1)
		go func() {
			_, err := conn.Read(make([]byte, 1))
			got <- err
		}()
		inUse := func() bool {
			conn.mu.Lock()
			defer conn.mu.Unlock()
			return conn.mu.using == 1
		}
		require.Eventually(t, inUse, patience, time.Millisecond)
		require.NoError(t, conn.Close())
		require.Error(t, <-got) // over TLS it may be the server's answer to the end
		next := s.dial(t, d)
		require.NotSame(t, conn.inner, next.(*Conn).inner)
		requireEcho(t, next, "mine")
		require.NoError(t, next.Close())
	})
}

func TestDoWorksOnADialersConnection(t *testing.T) {
	onEachServer(t, func(t *testing.T, s *server) {
		d := newDialer(t, s.kind, nil)
		for range 20 {
			conn := s.dial(t, d)
			ctx, cancel := context.WithCancel(t.Context())
			require.NoError(t, Do(ctx, conn, func() error {
				requireEcho(t, conn, "mine")
				cancel() // just as it ends
				return nil
			}))
			require.NoError(t, conn.Close())
		}
		require.EqualValues(t, 1, s.accepted.Load())
	})
}

func TestACallerWaitsWhileAllAreInUse(t *testing.T) {
	s := startServer(t, "tcp")
	d := newDialer(t, "tcp", nil)
	first := s.dial(t, d)
	_, err := d.DialContext(within(t, 10*time.Millisecond), s.network(), s.address())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, err, connpool.ErrExhausted)

	second := make(chan net.Conn)
	go func() {
		conn, err := d.Dial(s.network(), s.address())
		if err != nil {
			t.Error(err)
		}
		second <- conn
	}()
	require.NoError(t, first.Close())
	conn := <-second
	require.Same(t, first.(*Conn).inner, conn.(*Conn).inner)
	require.NoError(t, conn.Close())
}

func TestARefusedDialIsTheNetworksError(t *testing.T) {
	listener := listenOn(t, "tcp")
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	d := newDialer(t, "tcp", func(c *connpool.Config[net.Conn]) { c.DownAfter = time.Millisecond })
	_, err := d.DialContext(within(t, patience), "tcp", address)
	var op *net.OpError
	require.ErrorAs(t, err, &op)
	require.Equal(t, "dial", op.Op)
}

func TestABadConfigurationIsTheErrorOfDialContext(t *testing.T) {
	d := newDialer(t, "tcp", func(c *connpool.Config[net.Conn]) { c.MaxSize = -1 })
	_, err := d.Dial("tcp", "127.0.0.1:1")
	require.ErrorContains(t, err, "MaxSize")
	require.Empty(t, d.Stats())
}

// Of pools made at once for one address a single one is used, and Configure, which
// may call the Dialer, runs without its lock.
func TestCallersWhoComeAtOnceShareAPool(t *testing.T) {
	s := startServer(t, "tcp")
	var d *Dialer
	var made sync.WaitGroup
	made.Add(2)
	var open atomic.Int64
	d = newDialer(t, "tcp", func(c *connpool.Config[net.Conn]) {
		d.Stats()
		c.MinSize = 1 // so that the pool that is dropped has something to close
		connect := c.Connect
		c.Connect = func(ctx context.Context) (net.Conn, error) {
			open.Add(1)
			conn, err := connect(ctx)
			if err != nil {
				open.Add(-1)
			}
			return conn, err
		}
		c.Close = func(_ context.Context, conn net.Conn) error {
			open.Add(-1)
			return conn.Close()
		}
		made.Done()
		made.Wait() // until both make one
	})
	var callers sync.WaitGroup
	for range 2 {
		callers.Go(func() {
			conn, err := d.Dial(s.network(), s.address())
			if err != nil {
				t.Error(err)
				return
			}
			requireEcho(t, conn, "hello")
			conn.Close()
		})
	}
	callers.Wait()
	require.Len(t, d.Stats(), 1)
	require.NoError(t, d.Shutdown(within(t, patience)))
	require.Eventually(t, func() bool { return open.Load() == 0 }, patience, time.Millisecond)
}

func TestCloseIdleLeavesWhatIsInUse(t *testing.T) {
	s := startServer(t, "tcp")
	d := newDialer(t, "tcp", func(c *connpool.Config[net.Conn]) { c.MaxSize = 2 })
	used, idle := s.dial(t, d), s.dial(t, d)
	require.NoError(t, idle.Close())
	d.CloseIdle()
	requireSoon(t, net.ErrClosed, func() error { return Alive(idle.(*Conn).inner) })
	requireEcho(t, used, "mine")
	require.NoError(t, used.Close())
	next := s.dial(t, d)
	require.Same(t, used.(*Conn).inner, next.(*Conn).inner)
	require.NoError(t, next.Close())
	d.CloseIdle()
	require.Empty(t, d.Stats())
}

// pipes returns a dial function that opens pipes, which live in a bubble with a
// fake clock, and counts those that are open.
func pipes(t *testing.T) (dial func(context.Context, string, string) (net.Conn, error), open *atomic.Int64) {
	open = new(atomic.Int64)
	return func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		open.Add(1)
		go func() {
			defer open.Add(-1)
			io.Copy(io.Discard, server)
		}()
		return client, nil
	}, open
}

func TestAPoolThatIsNotUsedIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDialer(t, "tcp", nil)
		var open *atomic.Int64
		d.Options.Dial, open = pipes(t)
		visit := func() {
			conn, err := d.Dial("tcp", "db:1")
			require.NoError(t, err)
			time.Sleep(3 * defaultIdlePoolTimeout) // in use for long
			require.Len(t, d.Stats(), 1)
			require.NoError(t, conn.Close())
		}
		visit()
		time.Sleep(defaultIdlePoolTimeout - time.Second)
		synctest.Wait()
		require.Len(t, d.Stats(), 1)
		visit() // which starts the time anew
		time.Sleep(defaultIdlePoolTimeout - time.Second)
		synctest.Wait()
		require.Len(t, d.Stats(), 1)
		require.EqualValues(t, 1, open.Load())
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Empty(t, d.Stats())
		require.Zero(t, open.Load())
		visit() // and it is made again
	})
}

func TestAPoolMayBeKeptForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDialer(t, "tcp", nil)
		d.IdlePoolTimeout = -1
		d.Options.Dial, _ = pipes(t)
		conn, err := d.Dial("tcp", "db:1")
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		time.Sleep(1000 * time.Hour)
		require.Len(t, d.Stats(), 1)
	})
}

func TestADialThatFailsOrPanicsUsesThePoolNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDialer(t, "tcp", nil)
		d.Options.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no route") }
		_, err := d.DialContext(t.Context(), "tcp", "db:1")
		require.ErrorContains(t, err, "no route")
		require.Panics(t, func() { d.DialContext(nil, "tcp", "db:1") }) //nolint:staticcheck // the point
		time.Sleep(2 * defaultIdlePoolTimeout)
		synctest.Wait()
		require.Empty(t, d.Stats())
	})
}

func TestAClosedDialerRefuses(t *testing.T) {
	s := startServer(t, "tcp")
	d := newDialer(t, "tcp", nil)
	conn := s.dial(t, d)
	waiting := make(chan error, 1)
	go func() {
		_, err := d.Dial(s.network(), s.address())
		waiting <- err
	}()
	require.Eventually(t, func() bool { return d.Stats()[0].Waiting == 1 }, patience, time.Millisecond)
	require.NoError(t, d.Close())
	require.NoError(t, d.Close())
	require.ErrorIs(t, <-waiting, connpool.ErrClosed)
	for _, address := range []string{s.address(), "127.0.0.1:1"} {
		_, err := d.Dial(s.network(), address)
		require.ErrorIs(t, err, connpool.ErrClosed)
	}

	requireEcho(t, conn, "still mine")
	require.ErrorIs(t, d.Shutdown(within(t, 10*time.Millisecond)), context.DeadlineExceeded)
	require.NoError(t, conn.Close())
	require.NoError(t, d.Shutdown(within(t, patience)))
	require.ErrorIs(t, Alive(conn.(*Conn).inner), net.ErrClosed)
}

func TestADialerThatWasNeverUsedShutsDown(t *testing.T) {
	var d Dialer
	d.CloseIdle()
	require.Empty(t, d.Stats())
	require.NoError(t, d.Shutdown(t.Context()))
}

// Many users who do everything wrong that a user of a net.Conn can, on two
// servers, with pools that come and go: none of them gets another's reply.
func TestNobodyGetsAnothersReply(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			servers := []*server{startServer(t, kind), startServer(t, kind)}
			d := newDialer(t, kind, func(c *connpool.Config[net.Conn]) { c.MaxSize = 3 })
			var users sync.WaitGroup
			for user := range 8 {
				users.Go(func() {
					random := rand.New(rand.NewPCG(uint64(user), 0))
					for i := range 200 {
						s := servers[random.IntN(2)]
						misuse(t, s.dial(t, d), random, fmt.Sprintf("%d-%d", user, i))
						if random.IntN(50) == 0 {
							d.CloseIdle()
						}
					}
				})
			}
			users.Wait()
			t.Logf("%d connections", servers[0].accepted.Load()+servers[1].accepted.Load())
			for _, stats := range d.Stats() {
				require.Zero(t, stats.InUse)
			}
		})
	}
}

// misuse asks once properly, and then does something else with the connection.
func misuse(t *testing.T, conn net.Conn, random *rand.Rand, id string) {
	if answer, err := ask(conn, "echo "+id); err != nil || answer != id {
		t.Errorf("asked for %s and got %s: %v", id, answer, err)
	}
	var stray sync.WaitGroup
	defer stray.Wait()
	switch random.IntN(10) {
	case 0:
		io.WriteString(conn, "echo stale\n") // and does not read the reply, which may have come by Close
		for i := 0; i < 10_000 && Alive(conn) == nil; i++ {
			time.Sleep(time.Millisecond)
		}
	case 1:
		stray.Go(func() { conn.SetDeadline(longAgo) }) // too late
	case 2:
		stray.Go(func() { conn.Read(make([]byte, 1)) })
	case 3:
		stray.Go(func() { conn.Close() })
	case 4:
		conn.SetDeadline(time.Now().Add(time.Millisecond))
	case 5:
		conn.(*Conn).Discard()
	}
	conn.Close()
}
