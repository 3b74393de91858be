package pgxconn_test

import (
	"context"
	"encoding/binary"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
)

// hasty makes failed dials known at once.
var hasty = tuned(func(s *settings) {
	s.DownAfter, s.BackoffMin, s.BackoffMax = time.Millisecond, time.Millisecond, 2*time.Millisecond
})

// failures are ways not to return nil.
var failures = map[string]func() error{
	"returns an error": func() error { return errWork },
	"panics":           func() error { panic(errWork) },
	"calls Goexit":     func() error { runtime.Goexit(); return nil },
}

func TestAConnectHookThatFailsLeavesNoSession(t *testing.T) {
	server := start(t, nil)
	w := watch(t, server)
	for how, fail := range failures {
		for _, hook := range []string{"BeforeConnect", "AfterConnect"} {
			t.Run(hook+" "+how, func(t *testing.T) {
				var failing atomic.Bool
				failing.Store(true)
				maybe := func() error {
					if failing.Load() {
						return fail()
					}
					return nil
				}
				pool := open(t, server.DSN(), size(2), hasty, keepingSockets(), func(c *config) {
					if hook == "BeforeConnect" {
						c.BeforeConnect = func(context.Context, *pgx.ConnConfig) error { return maybe() }
					} else {
						c.AfterConnect = func(context.Context, *pgx.Conn) error { return maybe() }
					}
				})
				for range 5 {
					err := pool.Ping(patient(t))
					var failed *connpool.AcquireError
					require.ErrorAs(t, err, &failed)
					require.Equal(t, connpool.StageConnect, failed.Stage)
					if how != "calls Goexit" {
						require.ErrorIs(t, err, errWork)
					}
				}
				await(t, func() bool { return w.sessions() == 0 })
				failing.Store(false)
				await(t, func() bool { return pool.Ping(patient(t)) == nil })
				requireWhole(t, pool)
			})
		}
	}
}

// keepingSockets keeps the garbage collector from closing those that have been
// forgotten.
func keepingSockets() func(*config) {
	var kept sync.Map
	return dialing(func(c net.Conn) net.Conn {
		kept.Store(c, true)
		return c
	})
}

func TestAnAfterConnectThatHangsIsGivenUp(t *testing.T) {
	hang := make(chan struct{})
	var calls atomic.Int64
	pool, server := startPool(t, size(1), hasty, tuned(func(s *settings) { s.ConnectTimeout = 100 * time.Millisecond }), func(c *config) {
		c.AfterConnect = func(context.Context, *pgx.Conn) error {
			if calls.Add(1) == 1 {
				<-hang
			}
			return nil
		}
	})
	require.ErrorIs(t, pool.Ping(patient(t)), connpool.ErrUnreachable)
	await(t, func() bool { return pool.Ping(patient(t)) == nil }) // on another connection
	w := watch(t, server)
	require.Equal(t, 2, w.sessions())
	close(hang)
	await(t, func() bool { return w.sessions() == 1 })
	require.EqualValues(t, 1, pool.Stat().TotalConns())
}

// A query of AfterConnect's that is cut short goes on at the server until the
// cancel request has arrived there. Only then may there be another session.
func TestAnAfterConnectThatIsCutShortIsOverBeforeTheNextBegins(t *testing.T) {
	server := start(t, nil)
	w := watch(t, server)
	var calls, most atomic.Int64
	slow := dialing(func(c net.Conn) net.Conn { return slowCancel{c} })
	pool := open(t, server.DSN(), size(1), hasty, slow, func(c *config) {
		c.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
			calls.Add(1)
			most.Store(max(most.Load(), int64(w.sessions())))
			ctx, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
			defer cancel()
			_, err := conn.Exec(ctx, "select pg_sleep(3600)")
			return err
		}
	})
	await(t, func() bool {
		require.ErrorIs(t, pool.Ping(patient(t)), connpool.ErrUnreachable)
		return calls.Load() == 4
	})
	require.NoError(t, pool.Connpool().Shutdown(patient(t)))
	require.EqualValues(t, 1, most.Load())
	await(t, func() bool { return w.sessions() == 0 })
}

// slowCancel is a connection on which cancel requests take their time.
type slowCancel struct{ net.Conn }

func (c slowCancel) Write(b []byte) (int, error) {
	if len(b) == 16 && binary.BigEndian.Uint32(b[4:]) == 80877102 { // the code of a CancelRequest
		time.Sleep(100 * time.Millisecond)
	}
	return c.Conn.Write(b)
}

func TestBeforeConnectMayChangeThePassword(t *testing.T) {
	server := start(t, nil)
	w := watch(t, server)
	tell(t, w.Conn, "create role app login password 'old fixture'")
	var password atomic.Value
	password.Store("old fixture")
	pool := open(t, server.DSN(), size(2), hasty, func(c *config) {
		c.ConnConfig.User, c.ConnConfig.Password = "app", "never right"
		c.BeforeConnect = func(_ context.Context, login *pgx.ConnConfig) error {
			login.Password = password.Load().(string)
			return nil
		}
	})
	fill(t, pool, 2)
	tell(t, w.Conn, "alter role app password 'new fixture'")
	require.NoError(t, pool.Ping(patient(t)), "who is in stays in")
	pool.Reset()
	err := pool.Ping(patient(t))
	require.ErrorContains(t, err, "28P01")
	require.NotContains(t, err.Error(), "fixture")
	password.Store("new fixture")
	await(t, func() bool { return pool.Ping(patient(t)) == nil })
	fill(t, pool, 2)
	require.Equal(t, "never right", pool.Config().ConnConfig.Password, "it gets a copy")
}

func TestTheContextOfAConnectHookCarriesTheCallersValues(t *testing.T) {
	type key struct{}
	var seen []any
	pool, _ := startPool(t, size(1), func(c *config) {
		c.BeforeConnect = func(ctx context.Context, _ *pgx.ConnConfig) error {
			seen = append(seen, ctx.Value(key{}))
			return nil
		}
		c.AfterConnect = func(ctx context.Context, _ *pgx.Conn) error {
			seen = append(seen, ctx.Value(key{}))
			return nil
		}
	})
	require.NoError(t, pool.Ping(context.WithValue(patient(t), key{}, "mine")))
	require.Equal(t, []any{"mine", "mine"}, seen)
}
