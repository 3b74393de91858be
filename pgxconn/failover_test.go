package pgxconn_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/internal/pgtest"
	"github.com/connpool/connpool/pgxconn"
)

// writes are all ways to write.
var writes = map[string]func(context.Context, *pgxconn.Pool) error{
	"Exec": func(ctx context.Context, p *pgxconn.Pool) error {
		_, err := p.Exec(ctx, "insert into notes values (1)")
		return err
	},
	"Query": func(ctx context.Context, p *pgxconn.Pool) error {
		rows, _ := p.Query(ctx, "insert into notes values (1) returning n")
		_, err := pgx.CollectRows(rows, pgx.RowTo[int])
		return err
	},
	"QueryRow": func(ctx context.Context, p *pgxconn.Pool) error {
		return p.QueryRow(ctx, "insert into notes values (1) returning n").Scan(new(int))
	},
	"SendBatch": func(ctx context.Context, p *pgxconn.Pool) error {
		return p.SendBatch(ctx, batch("insert into notes values (1)")).Close()
	},
	"results of a batch": func(ctx context.Context, p *pgxconn.Pool) error {
		results := p.SendBatch(ctx, batch("insert into notes values (1)"))
		_, err := results.Exec()
		_ = results.Close()
		return err
	},
	"CopyFrom": func(ctx context.Context, p *pgxconn.Pool) error {
		_, err := p.CopyFrom(ctx, pgx.Identifier{"notes"}, []string{"n"}, pgx.CopyFromRows([][]any{{1}}))
		return err
	},
	"a Tx that is rolled back": func(ctx context.Context, p *pgxconn.Pool) error {
		return pgx.BeginFunc(ctx, p, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "insert into notes values (1)")
			return err
		})
	},
	"a Tx that is committed regardless": func(ctx context.Context, p *pgxconn.Pool) error {
		tx, err := p.Begin(ctx)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "insert into notes values (1)")
		_ = tx.Commit(ctx)
		return err
	},
	"rows of a Tx": func(ctx context.Context, p *pgxconn.Pool) error {
		return pgx.BeginFunc(ctx, p, func(tx pgx.Tx) error {
			return tx.QueryRow(ctx, "insert into notes values (1) returning n").Scan(new(int))
		})
	},
	"Conn, released by hand": func(ctx context.Context, p *pgxconn.Pool) error {
		c, err := p.Acquire(ctx)
		if err != nil {
			return err
		}
		defer c.Release()
		_, err = c.Exec(ctx, "insert into notes values (1)")
		return err
	},
	"a Tx of a Conn": func(ctx context.Context, p *pgxconn.Pool) error {
		return p.AcquireFunc(ctx, func(c *pgxconn.Conn) error {
			return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, "insert into notes values (1)")
				return err
			})
		})
	},
}

// pair is a primary, a standby, and a name that leads to one of them.
type pair struct {
	primary, standby *pgtest.Server
	address          atomic.Value
}

func startPair(t *testing.T) *pair {
	p := &pair{primary: start(t, nil), standby: start(t, nil)}
	for _, server := range []*pgtest.Server{p.primary, p.standby} {
		w := watch(t, server)
		tell(t, w.Conn, "create table notes (n int)")
		require.NoError(t, w.Close(patient(t)))
	}
	require.NoError(t, p.standby.Demote(patient(t)))
	p.address.Store(p.standby.Addr())
	return p
}

// led has a pool go where the name leads.
func (p *pair) led(c *config) {
	dial := c.ConnConfig.DialFunc
	c.ConnConfig.DialFunc = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dial(ctx, network, p.address.Load().(string))
	}
}

func TestFault53_EveryPathLeavesAServerThatTakesNoWrites(t *testing.T) {
	servers := startPair(t)
	for name, write := range writes {
		t.Run(name, func(t *testing.T) {
			const n = 4
			servers.address.Store(servers.standby.Addr())
			pool := open(t, servers.primary.DSN(), size(n), servers.led)
			fill(t, pool, n)
			servers.address.Store(servers.primary.Addr())
			failed := 0
			for write(patient(t), pool) != nil {
				failed++
				require.LessOrEqual(t, failed, n, "each connection is given up at its first error")
			}
			require.NotZero(t, failed)
		})
	}
}

func TestFault53_AnIsBadOfTheUsersIsAskedOfEveryPath(t *testing.T) {
	server := start(t, nil)
	tell(t, watch(t, server).Conn, "create table notes (n int check (n <> 1))")
	for name, write := range writes {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int64
			pool := open(t, server.DSN(), size(1), tuned(func(s *settings) {
				before := s.IsBad
				s.IsBad = func(err error) bool {
					var refused *pgconn.PgError
					if errors.As(err, &refused) && refused.Code == "23514" {
						asked.Add(1)
					}
					return before(err)
				}
			}))
			require.Error(t, write(patient(t), pool))
			require.EqualValues(t, 1, asked.Load())
		})
	}
}

func TestFault54_ABusyPoolOfReadersLeavesADemotedServer(t *testing.T) {
	server := start(t, nil)
	w := watch(t, server)
	for _, attrs := range []string{"read-write", "any"} {
		t.Run(attrs, func(t *testing.T) {
			pool := open(t, server.DSN()+"&target_session_attrs="+attrs, size(1), hasty)
			first := pid(t, pool)
			tell(t, w.Conn, "alter system set default_transaction_read_only = on", "select pg_reload_conf()")
			defer tell(t, w.Conn, "set default_transaction_read_only = off", "alter system reset all", "select pg_reload_conf()")
			leaves := attrs == "read-write"
			await(t, func() bool { // reads only, and never idle for long
				var number int
				err := pool.QueryRow(patient(t), "select pg_backend_pid() where current_setting('default_transaction_read_only') = 'on'").Scan(&number)
				return leaves && err != nil && !errors.Is(err, pgx.ErrNoRows) || !leaves && number == first
			})
		})
	}
}

func TestFault54_AWriteInTheUsersOwnReadOnlyTransactionCostsNothing(t *testing.T) {
	pool, server := startPool(t, size(2), withoutPings)
	tell(t, watch(t, server).Conn, "create table notes (n int)")
	first := pid(t, pool)
	for range 5 {
		err := pgx.BeginTxFunc(patient(t), pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
			_, err := tx.Exec(patient(t), "insert into notes values (1)")
			return err
		})
		require.ErrorContains(t, err, "25006")
	}
	require.Equal(t, first, pid(t, pool))
}

func TestFault55_AnotherSystemsErrorCostsNoConnection(t *testing.T) {
	var pings atomic.Int64
	pool, server := startPool(t, size(2), withoutPings, countingPings(&pings))
	fill(t, pool, 2)
	other := open(t, server.DSN(), size(1))
	held := acquire(t, other)
	defer held.Release()
	_, exhausted := other.Acquire(within(t, lookEvery))
	var acquiring *connpool.AcquireError
	require.ErrorAs(t, exhausted, &acquiring)
	for name, err := range map[string]error{
		"a cache":         &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED},
		"a cache's reset": &net.OpError{Op: "read", Err: syscall.ECONNRESET},
		"a name server":   &net.DNSError{IsNotFound: true},
		"another pool":    exhausted,
		"a context":       context.DeadlineExceeded,
		"a closed socket": net.ErrClosed,
		"another's pgx":   pgconn.ErrConnClosed,
		"a farewell":      &pgconn.PgError{Severity: "FATAL", Code: "53300"},
	} {
		require.Equal(t, err, pool.AcquireFunc(patient(t), func(c *pgxconn.Conn) error {
			require.NoError(t, c.Ping(patient(t)))
			return err
		}), name)
		require.Equal(t, err, pgx.BeginFunc(patient(t), pool, func(pgx.Tx) error { return err }), name)
		require.Equal(t, err, pool.Connpool().Do(patient(t), func(context.Context, *pgx.Conn) error { return err }), name)
	}
	requireWhole(t, pool)
	require.EqualValues(t, 2, pool.Stat().NewConnsCount())
	require.Zero(t, pings.Load())
}
