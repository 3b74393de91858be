package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/connpooltest"
	"github.com/connpool/connpool/internal/servertest"
	"github.com/connpool/connpool/netconn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// private returns a server of the test's own.
func private(t *testing.T) server { return server{addr: servertest.NewRedis(t).Addr()} }

// open opens a connection as the pool does.
func open(t *testing.T, to server) *conn {
	c, err := poolConfig(to).Connect(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// newPool returns a pool that must have nothing lent when the test ends.
func newPool(t *testing.T, cfg connpool.Config[*conn], size int) *connpool.Pool[*conn] {
	cfg.MaxSize = size
	pool, err := connpool.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, shutdown(context.Background(), pool)) })
	return pool
}

// do sends one command, with a connection from the pool.
func do(t *testing.T, pool *connpool.Pool[*conn], command ...string) (reply any) {
	err := pool.Do(t.Context(), func(ctx context.Context, c *conn) (err error) {
		reply, err = c.do(ctx, command...)
		return err
	})
	require.NoError(t, err)
	return reply
}

func TestTheConfigKeepsWhatThePoolReliesOn(t *testing.T) {
	connpooltest.TestConfig(t, poolConfig(private(t)))
}

func TestAConnectionLogsInAndSelectsItsDatabase(t *testing.T) {
	to := private(t)
	admin := newPool(t, poolConfig(to), 1)
	do(t, admin, "ACL", "SETUSER", "reader", "on", ">secret", "~*", "+@all")
	do(t, admin, "SET", "where", "database 0")

	to.user, to.password, to.database = "reader", "secret", 3
	pool := newPool(t, poolConfig(to), 1)
	require.Equal(t, "reader", do(t, pool, "ACL", "WHOAMI"))
	require.Nil(t, do(t, pool, "GET", "where"))
	do(t, pool, "SET", "where", "database 3")
	require.Equal(t, "database 0", do(t, admin, "GET", "where"))
}

func TestAWrongPasswordIsTheServersRefusal(t *testing.T) {
	to := private(t)
	do(t, newPool(t, poolConfig(to), 1), "ACL", "SETUSER", "reader", "on", ">secret", "+@all")
	to.user, to.password = "reader", "wrong"
	cfg := poolConfig(to)
	cfg.DownAfter = time.Millisecond
	_, err := newPool(t, cfg, 1).Acquire(t.Context())
	var no refusal
	require.ErrorAs(t, err, &no)
	require.Contains(t, string(no), "WRONGPASS")
}

func TestADatabaseThatIsNotThereIsTheServersRefusal(t *testing.T) {
	to := private(t)
	to.database = 1000
	_, err := poolConfig(to).Connect(t.Context())
	require.Equal(t, refusal("ERR DB index is out of range"), err)
}

func TestWhoeverSaysMoreThanWasAskedIsNotLoggedInTo(t *testing.T) {
	to := server{addr: serve(t, say("+hello\r\n+selected\r\n+pong\r\n+more\r\n"))}
	c, err := poolConfig(to).Connect(t.Context())
	if err == nil {
		c.Close() // or the peer would wait for us
	}
	require.ErrorIs(t, err, netconn.ErrUnread)
}

// The proxy speaks TLS, and Redis behind it does not.
func TestTLS(t *testing.T) {
	behind := private(t)
	certificate := httptest.NewTLSServer(nil)
	defer certificate.Close()
	to := server{addr: tlsProxy(t, certificate.TLS, behind.addr), tls: &tls.Config{RootCAs: x509.NewCertPool()}}
	to.tls.RootCAs.AddCert(certificate.Certificate())
	pool := newPool(t, poolConfig(to), 2)
	for range 20 {
		require.Equal(t, "PONG", do(t, pool, "PING"))
	}
	require.EqualValues(t, 1, pool.Stats().Connects)
	giveUpAndAsk(t, pool, "key")
}

func tlsProxy(t *testing.T, config *tls.Config, behind string) (addr string) {
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	require.NoError(t, err)
	var conns sync.WaitGroup
	t.Cleanup(conns.Wait)
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	conns.Go(func() {
		for {
			front, err := listener.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { join(front, behind) })
		}
	})
	return listener.Addr().String()
}

// join copies both ways until one end hangs up.
func join(front net.Conn, behind string) {
	defer front.Close()
	back, err := net.Dial("tcp", behind)
	if err != nil {
		return
	}
	defer back.Close()
	var both sync.WaitGroup
	defer both.Wait()
	both.Go(func() {
		io.Copy(front, back)
		front.Close()
	})
	io.Copy(back, front)
	back.Close()
}

// giveUpAndAsk has a caller send a command to which no reply comes, give up
// without a word, and the next one ask something.
func giveUpAndAsk(t *testing.T, pool *connpool.Pool[*conn], question string) (answer any) {
	lease, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	given := make(chan error)
	go func() {
		_, err := lease.Conn().do(ctx, "BLPOP", "nothing", "0.02")
		given <- err
	}()
	require.Eventually(t, func() bool { return lease.Conn().owed.Load() > 0 }, 10*time.Second, time.Microsecond)
	cancel()
	err = <-given
	lease.Release()
	if err != nil { // and not the reply, after all
		require.ErrorIs(t, err, context.Canceled)
	}
	return do(t, pool, "ECHO", question)
}

func TestALateReplyNeverReachesTheNextUser(t *testing.T) {
	pool := newPool(t, poolConfig(private(t)), 1)
	for n := range 200 {
		question := fmt.Sprintf("question %d", n)
		require.Equal(t, question, giveUpAndAsk(t, pool, question))
	}
	require.Positive(t, pool.Stats().Closes[connpool.ClosedClean])
}

// hurried are commands that are given up at whatever moment: replies that are long
// in coming, long, many, or quick.
var hurried = [][][]string{
	{{"BLPOP", "nothing", "0.01"}},
	{{"EVAL", "for i = 1, 20000 do end return ARGV[1]", "0", "mine"}},
	{{"EVAL", "return string.rep('x', 300000)", "0"}},
	{{"ECHO", "a"}, {"ECHO", "b"}, {"MULTI"}, {"ECHO", "c"}, {"EXEC"}, {"ECHO", "d"}},
	{{"ECHO", "mine"}},
}

func TestWheneverCallersGiveUpTheNextGetTheirOwnReplies(t *testing.T) {
	pool := newPool(t, poolConfig(private(t)), 3)
	var given atomic.Int64
	var callers sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		callers.Go(func() {
			for n := 0; n < 100 && errs[i] == nil; n++ {
				if giveUpSomewhere(t.Context(), pool) != nil {
					given.Add(1)
				}
				errs[i] = echo(t.Context(), pool, fmt.Sprintf("caller %d, question %d", i, n))
			}
		})
	}
	callers.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Positive(t, given.Load())
	stats := pool.Stats()
	require.Positive(t, stats.Closes[connpool.ClosedClean])
	t.Logf("%d of 800 gave up; %d connections; closed %v", given.Load(), stats.Connects, stats.Closes)
}

// giveUpSomewhere gives up within a millisecond, or not at all, and returns the
// connection without a word.
func giveUpSomewhere(ctx context.Context, pool *connpool.Pool[*conn]) error {
	lease, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer lease.Release()
	ctx, cancel := context.WithTimeout(ctx, rand.N(time.Millisecond))
	defer cancel()
	_, err = lease.Conn().pipeline(ctx, hurried[rand.IntN(len(hurried))]...)
	return err
}

func echo(ctx context.Context, pool *connpool.Pool[*conn], text string) error {
	lease, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer lease.Release()
	reply, err := lease.Conn().do(ctx, "ECHO", text)
	if err == nil && reply != text {
		err = fmt.Errorf("%q is answered with %q", text, reply)
	}
	return err
}

func TestAKilledServerThatComesBackIsUsedAgain(t *testing.T) {
	redis := servertest.NewRedis(t)
	cfg := poolConfig(server{addr: redis.Addr()})
	cfg.DownAfter = -1 // whoever asks waits for the server
	pool := newPool(t, cfg, 4)
	for range 3 {
		leases := make([]connpool.Lease[*conn], 4)
		for i := range leases {
			var err error
			leases[i], err = pool.Acquire(t.Context())
			require.NoError(t, err)
		}
		cut := make(chan error)
		go func() {
			_, err := leases[0].Conn().do(context.Background(), "BLPOP", "nothing", "0")
			cut <- err
		}()
		require.Eventually(t, func() bool { return leases[0].Conn().owed.Load() > 0 }, 10*time.Second, time.Microsecond)
		require.NoError(t, redis.Kill())
		require.Error(t, <-cut)
		for _, lease := range leases[:2] {
			lease.Release()
		}
		_, err := net.Dial("tcp", redis.Addr())
		require.ErrorIs(t, err, syscall.ECONNREFUSED)

		arrived := make(chan error)
		go func() { arrived <- echo(context.Background(), pool, "while it is down") }()
		require.NoError(t, redis.Restart(t.Context()))
		require.NoError(t, <-arrived)
		for _, lease := range leases[2:] {
			lease.Release()
		}
		for n := range 50 {
			require.NoError(t, echo(t.Context(), pool, fmt.Sprint(n)))
		}
	}
}

func TestIdleConnectionsOfAKilledServerAreNotLent(t *testing.T) {
	redis := servertest.NewRedis(t)
	pool := newPool(t, poolConfig(server{addr: redis.Addr()}), 4)
	for range 5 {
		var leases []connpool.Lease[*conn]
		for range 4 {
			lease, err := pool.Acquire(t.Context())
			require.NoError(t, err)
			leases = append(leases, lease)
		}
		for _, lease := range leases {
			lease.Release()
		}
		require.NoError(t, redis.Restart(t.Context()))
		require.NoError(t, echo(t.Context(), pool, "no command is repeated"))
	}
	require.Positive(t, pool.Stats().Closes[connpool.ClosedCheck])
}

func TestWhatIsLeftOpenIsNotHandedOn(t *testing.T) {
	to := private(t)
	pool := newPool(t, poolConfig(to), 1)
	for _, commands := range [][][]string{
		{{"MULTI"}, {"SET", "key", "from within"}},
		{{"WATCH", "key"}},
		{{"SELECT", "1"}, {"SET", "key", "elsewhere"}},
		{{"SUBSCRIBE", "a", "b"}},
		{{"MONITOR"}},
		{{"CLIENT", "NO-EVICT", "on"}},
	} {
		before := pool.Stats().Closes[connpool.ClosedClean]
		lease, err := pool.Acquire(t.Context())
		require.NoError(t, err)
		_, err = lease.Conn().pipeline(t.Context(), commands...)
		require.NoError(t, err)
		lease.Release()

		require.Nil(t, do(t, pool, "GET", "key"), "%v", commands)
		require.Equal(t, before+1, pool.Stats().Closes[connpool.ClosedClean], "%v", commands)
	}
}
