package pgxconn_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/pgxconn"
)

// withoutPings leaves it to the look at the socket to find what is dead.
var withoutPings = tuned(func(s *settings) { s.CheckAfterIdle, s.CheckInterval = -1, -1 })

// asleep is longer than a look at the socket is good for.
const asleep = 3 * time.Millisecond

func TestSessionsThatEndWhileIdleCostNobodyAnError(t *testing.T) {
	const n = 4
	server := start(t, nil)
	for name, transport := range transports {
		t.Run(name, func(t *testing.T) {
			dsn, edit := transport(t, server)
			pool := open(t, dsn, size(n), withoutPings, edit)
			w := watch(t, server)
			for range 3 {
				fill(t, pool, n)
				time.Sleep(asleep)
				require.Equal(t, n, w.terminateIdle())
				for range 2 * n {
					require.Equal(t, 42, ask[int](t, pool, "select 42"))
				}
				requireWhole(t, pool)
			}
		})
	}
}

func TestTheTransportsAreWhatTheyAreCalled(t *testing.T) {
	server := start(t, nil)
	dsn := secure(t, server)
	const uses = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
	require.True(t, ask[bool](t, open(t, dsn), uses))
	require.False(t, ask[bool](t, open(t, server.DSN()), uses))
	require.True(t, ask[bool](t, open(t, server.SocketDSN()), "select inet_server_addr() is null"))
}

// Where the socket cannot be seen, the pool's pings have to do.
func TestAHiddenSocketThatIsDeadIsFoundByAPing(t *testing.T) {
	server := start(t, nil)
	pool := open(t, server.DSN(), size(2), dialing(hide), tuned(func(s *settings) { s.CheckAfterIdle = time.Millisecond }))
	w := watch(t, server)
	for range 3 {
		fill(t, pool, 2)
		require.Equal(t, 2, w.terminateIdle())
		time.Sleep(20 * time.Millisecond) // the pool's sweeps
		require.Equal(t, 42, ask[int](t, pool, "select 42"))
		requireWhole(t, pool)
	}
}

func TestAHiddenSocketIsLentWithoutAPing(t *testing.T) {
	var pings atomic.Int64
	pool, _ := startPool(t, size(2), dialing(hide), withoutPings, countingPings(&pings))
	for range 5 {
		requireWhole(t, pool)
		time.Sleep(asleep)
	}
	require.EqualValues(t, 2, pool.Stat().NewConnsCount())
	require.Zero(t, pings.Load())
}

func countingPings(pings *atomic.Int64) func(*config) {
	return tuned(func(s *settings) {
		check := s.Check
		s.Check = func(ctx context.Context, conn *pgx.Conn) error {
			pings.Add(1)
			return check(ctx, conn)
		}
	})
}

func TestANotificationKeepsTheConnectionAndIsNotLost(t *testing.T) {
	server := start(t, nil)
	for name, transport := range transports {
		t.Run(name, func(t *testing.T) {
			dsn, edit := transport(t, server)
			var pings atomic.Int64
			pool := open(t, dsn, size(1), withoutPings, countingPings(&pings), edit)
			first := acquire(t, pool)
			number := pid(t, first)
			tell(t, first.Conn(), "listen news")
			first.Release()
			tell(t, watch(t, server).Conn, "notify news, 'it has arrived'")
			awaitPing(t, pool, &pings)

			next := acquire(t, pool)
			defer next.Release()
			require.Equal(t, number, pid(t, next))
			notification, err := next.Conn().WaitForNotification(patient(t))
			require.NoError(t, err)
			require.Equal(t, "it has arrived", notification.Payload)
		})
	}
}

// awaitPing borrows until that has cost a ping.
func awaitPing(t *testing.T, pool *pgxconn.Pool, pings *atomic.Int64) {
	t.Helper()
	await(t, func() bool {
		acquire(t, pool).Release()
		return pings.Load() == 1
	})
}

func TestWhatAServerSaysUnaskedIsHeardAndKeepsTheConnection(t *testing.T) {
	server := start(t, nil)
	for name, message := range map[string]pgproto3.BackendMessage{
		"a notice":       &pgproto3.NoticeResponse{Severity: "WARNING", Code: "01000", Message: "a notice"},
		"a parameter":    &pgproto3.ParameterStatus{Name: "TimeZone", Value: "Elsewhere"},
		"a notification": &pgproto3.NotificationResponse{PID: 1, Channel: "news", Payload: "a notification"},
		"a long notice":  &pgproto3.NoticeResponse{Severity: "WARNING", Code: "01000", Message: strings.Repeat("long ", 1<<14)},
	} {
		t.Run(name, func(t *testing.T) {
			var pings atomic.Int64
			relay, dsn := between(t, server)
			pool := open(t, dsn, size(1), withoutPings, countingPings(&pings))
			number := pid(t, pool)
			time.Sleep(asleep)
			relay.say(t, message)
			c := acquire(t, pool)
			defer c.Release()
			require.EqualValues(t, 1, pings.Load(), "it is asked before it is lent")
			require.Equal(t, number, pid(t, c))
			if parameter, ok := message.(*pgproto3.ParameterStatus); ok {
				require.Equal(t, parameter.Value, c.Conn().PgConn().ParameterStatus(parameter.Name))
			}
			if want, ok := message.(*pgproto3.NotificationResponse); ok {
				got, err := c.Conn().WaitForNotification(patient(t))
				require.NoError(t, err)
				require.Equal(t, want.Payload, got.Payload)
			}
		})
	}
}

func TestAFarewellWhoseSocketIsOpenYetIsUnderstood(t *testing.T) {
	relay, dsn := between(t, start(t, nil))
	pool := open(t, dsn, size(1), withoutPings)
	number := pid(t, pool)
	time.Sleep(asleep)
	relay.say(t, &pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "57P01", Message: "farewell"})
	require.NotEqual(t, number, pid(t, pool))
	require.EqualValues(t, 1, pool.Connpool().Stats().Closes[connpool.ClosedCheck])
}

func TestAParameterThatTheServerReloadsKeepsTheConnections(t *testing.T) {
	pool, server := startPool(t, size(2), withoutPings)
	w := watch(t, server)
	fill(t, pool, 2)
	tell(t, w.Conn, "alter system set timezone = 'Asia/Tokyo'", "select pg_reload_conf()")
	await(t, func() bool { return ask[string](t, pool, "show timezone") == "Asia/Tokyo" })
	requireWhole(t, pool)
	require.EqualValues(t, 2, pool.Stat().NewConnsCount())
	c := acquire(t, pool)
	defer c.Release()
	require.Equal(t, "Asia/Tokyo", c.Conn().PgConn().ParameterStatus("TimeZone"))
}

func TestARestartOfTheServerIsSurvived(t *testing.T) {
	server := start(t, nil)
	for name, transport := range transports {
		t.Run(name, func(t *testing.T) {
			dsn, edit := transport(t, server)
			pool := open(t, dsn, size(4), withoutPings, edit, tuned(func(s *settings) { s.DownAfter = -1 }))
			fill(t, pool, 4)
			time.Sleep(asleep)
			require.NoError(t, server.Kill())
			restarted := make(chan error, 1)
			go func() { restarted <- server.Restart(patient(t)) }()
			for range 20 {
				require.Equal(t, 42, ask[int](t, pool, "select 42"), "who comes while it is down waits")
			}
			require.NoError(t, <-restarted)
			requireWhole(t, pool)
		})
	}
}
