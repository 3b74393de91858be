package pgxconn_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
)

func TestAfterReleaseComesBeforeReset(t *testing.T) {
	steps := make(chan string, 10)
	keep := atomic.Bool{}
	keep.Store(true)
	pool, _ := startPool(t, size(1), func(c *config) {
		c.AfterRelease = func(conn *pgx.Conn) bool {
			steps <- "AfterRelease"
			return conn.Ping(context.Background()) == nil && keep.Load()
		}
		c.Reset = func(ctx context.Context, conn *pgx.Conn) error {
			steps <- "Reset"
			return conn.Ping(ctx)
		}
	})
	first := pid(t, pool)
	require.Equal(t, []string{"AfterRelease", "Reset"}, []string{<-steps, <-steps})
	keep.Store(false)
	require.Equal(t, first, pid(t, pool))
	require.Equal(t, "AfterRelease", <-steps)
	require.NotEqual(t, first, pid(t, pool), "what AfterRelease does not want is not reset but destroyed")
}

func TestAReleaseHookThatFailsDestroys(t *testing.T) {
	server := start(t, nil)
	w := watch(t, server)
	for how, fail := range failures {
		for _, hook := range []string{"AfterRelease", "Reset"} {
			t.Run(hook+" "+how, func(t *testing.T) {
				var failing atomic.Bool
				maybe := func() error {
					if failing.Load() {
						return fail()
					}
					return nil
				}
				pool := open(t, server.DSN(), size(2), func(c *config) {
					if hook == "AfterRelease" {
						c.AfterRelease = func(*pgx.Conn) bool { return maybe() == nil }
					} else {
						c.Reset = func(context.Context, *pgx.Conn) error { return maybe() }
					}
				})
				fill(t, pool, 2)
				failing.Store(true)
				for range 3 {
					require.NoError(t, pool.Ping(patient(t)), "its user has nothing to do with it")
				}
				await(t, func() bool { return pool.Connpool().Stats().Closes[connpool.ClosedClean] == 3 })
				failing.Store(false)
				requireWhole(t, pool)
				await(t, func() bool { return w.sessions() == 2 })
			})
		}
	}
}

func TestAnAfterReleaseThatHangsIsGivenUpAfterPingTimeout(t *testing.T) {
	hang := make(chan struct{})
	var calls atomic.Int64
	pool, server := startPool(t, size(1), func(c *config) {
		c.PingTimeout = 50 * time.Millisecond
		c.AfterRelease = func(*pgx.Conn) bool {
			if calls.Add(1) == 1 {
				<-hang
			}
			return true
		}
	})
	first := pid(t, pool)
	require.NotEqual(t, first, pid(t, pool), "its slot is free")
	require.EqualValues(t, 1, pool.Connpool().Stats().Abandoned)
	close(hang)
	await(t, func() bool { return pool.Connpool().Stats().Abandoned == 0 })
	w := watch(t, server)
	await(t, func() bool { return !w.sees(uint32(first)) })
	requireWhole(t, pool)
}

func TestAResetGetsPingTimeout(t *testing.T) {
	deadlines := make(chan time.Duration, 1)
	pool, _ := startPool(t, size(1), func(c *config) {
		c.PingTimeout = time.Hour
		c.Reset = func(ctx context.Context, _ *pgx.Conn) error {
			deadline, _ := ctx.Deadline()
			deadlines <- time.Until(deadline)
			return nil
		}
	})
	require.NoError(t, pool.Ping(patient(t)))
	require.Greater(t, <-deadlines, time.Hour-patience)
}

func TestPrepareConnsRefusalThatKeepsTheConnectionReturnsItLikeAnyUser(t *testing.T) {
	var released atomic.Int64
	leave := true
	pool, _ := startPool(t, size(1), func(c *config) {
		c.AfterRelease = func(*pgx.Conn) bool { released.Add(1); return true }
		c.PrepareConn = func(ctx context.Context, conn *pgx.Conn) (bool, error) {
			if leave {
				_, err := conn.Exec(ctx, "begin")
				require.NoError(t, err)
			}
			return true, errWork
		}
	})
	require.Equal(t, errWork, pool.Ping(patient(t)))
	await(t, func() bool { return pool.Stat().TotalConns() == 0 })
	require.Zero(t, released.Load(), "it was in a transaction")
	leave = false
	require.Equal(t, errWork, pool.Ping(patient(t)))
	await(t, func() bool { return pool.Stat().IdleConns() == 1 })
	require.EqualValues(t, 1, released.Load())
}
