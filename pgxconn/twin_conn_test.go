package pgxconn_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestAnAcquiredConnectionIsWhatItIsWithPgxpool(t *testing.T) {
	tellBoth(t, []story{
		{"all of its methods work, and keep it", func(p *twin) {
			p.table()
			c := p.one()
			p.must(c.Ping(p.ctx))
			tag, err := c.Exec(p.ctx, "insert into kept values (1)")
			p.note(tag, err)
			rows, err := c.Query(p.ctx, "select n from kept")
			p.must(err)
			list, err := pgx.CollectRows(rows, pgx.RowTo[int])
			p.note(list, err, ask[int](p, c, "select 2"))
			p.must(c.SendBatch(p.ctx, batch("insert into kept values (3)")).Close())
			n, err := c.CopyFrom(p.ctx, pgx.Identifier{"kept"}, []string{"n"}, pgx.CopyFromRows([][]any{{4}}))
			p.note(n, err)
			tx, err := c.Begin(p.ctx)
			p.must(err)
			p.must(tx.Commit(p.ctx))
			tx, err = c.BeginTx(p.ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
			p.must(err)
			p.must(tx.Rollback(p.ctx))
			require.Equal(p, ask[int](p, c, "select pg_backend_pid()"), int(c.Conn().PgConn().PID()))
			p.held(1)
			c.Release()
			p.back()
			p.note(p.kept())
		}},
		{"it is released once", func(p *twin) {
			first := p.one()
			first.Release()
			second := p.one()
			first.Release()
			first.Release()
			p.held(1)
			third := p.one()
			require.NotSame(p, second.Conn(), third.Conn())
			second.Release()
			third.Release()
			p.held(0)
		}},
		{"in a transaction it is not lent again", func(p *twin) {
			p.spoil(func(c conn) { _, _ = c.Begin(p.ctx) })
		}},
		{"in a transaction that has failed it is not lent again", func(p *twin) {
			p.spoil(func(c conn) {
				_, _ = c.Exec(p.ctx, "begin")
				_, _ = c.Exec(p.ctx, "select 1 / 0")
				require.EqualValues(p, 'E', c.Conn().PgConn().TxStatus())
			})
		}},
		{"with rows that nobody has read it is not lent again", func(p *twin) {
			p.spoil(func(c conn) { _, _ = c.Query(p.ctx, "select 1") })
		}},
		{"with a row that nobody has scanned it is not lent again", func(p *twin) {
			p.spoil(func(c conn) { c.QueryRow(p.ctx, "select 1") })
		}},
		{"with results that nobody has closed it is not lent again", func(p *twin) {
			p.spoil(func(c conn) { c.SendBatch(p.ctx, batch("select 1", "select 2")) })
		}},
		{"closed it is not lent again", func(p *twin) {
			p.spoil(func(c conn) { p.must(c.Conn().Close(p.ctx)) })
		}},
		{"in the middle of a copy it is not lent again", func(p *twin) {
			p.spoil(func(c conn) {
				p.must(c.Conn().PgConn().ExecParams(p.ctx, "create temp table copied (n int)", nil, nil, nil, nil).Read().Err)
				c.Conn().PgConn().Exec(p.ctx, "copy copied from stdin")
			})
		}},
		{"hijacked it is no more the pool's", func(p *twin) {
			c := p.one()
			own := c.Hijack()
			p.held(0)
			require.Zero(p, p.stat().TotalConns())
			require.Equal(p, 1, ask[int](p, own, "select 1"))
			c.Release()
			require.Panics(p, func() { c.Hijack() })
			require.False(p, own.IsClosed())
			p.must(own.Close(p.ctx))
			c = p.one()
			c.Release()
			require.Panics(p, func() { c.Hijack() })
		}},
		{"AcquireFunc gives it back, whatever comes of its function", func(p *twin) {
			p.must(p.acquireFunc(p.ctx, func(c conn) error {
				p.held(1)
				return c.Ping(p.ctx)
			}))
			p.back()
			require.Equal(p, errWork, p.acquireFunc(p.ctx, func(conn) error { return errWork }))
			p.back()
			require.Panics(p, func() { _ = p.acquireFunc(p.ctx, func(conn) error { panic("the work has panicked") }) })
			p.back()
			p.must(p.acquireFunc(p.ctx, func(c conn) error { c.Release(); return nil }))
			p.back()
			p.must(p.acquireFunc(p.ctx, func(c conn) error { return c.Hijack().Close(p.ctx) }))
			p.gone()
		}},
		{"all idle ones can be acquired at once", func(p *twin) {
			require.Empty(p, p.acquireIdle(p.ctx))
			a, b := p.one(), p.one()
			require.Empty(p, p.acquireIdle(p.ctx))
			a.Release()
			b.Release()
			all := p.acquireIdle(p.ctx)
			require.Len(p, all, 2)
			p.held(2)
			for _, c := range all {
				require.Equal(p, 1, ask[int](p, c, "select 1"))
				c.Release()
			}
			p.held(0)
		}},
		{"Reset replaces idle ones at once and others when they come back", func(p *twin) {
			a, b := p.one(), p.one()
			a.Release()
			p.Reset()
			await(p, func() bool { return p.stat().TotalConns() == 1 })
			require.Equal(p, 1, ask[int](p, b, "select 1"))
			b.Release()
			p.gone()
			p.must(p.Ping(p.ctx))
			require.EqualValues(p, 3, p.stat().NewConnsCount())
		}},
		{"a pool with all in use ends the wait with the context", func(p *twin) {
			a, b := p.one(), p.one()
			_, err := p.acquire(within(p, 20e6))
			require.ErrorIs(p, err, context.DeadlineExceeded)
			a.Release()
			b.Release()
			require.EqualValues(p, 1, p.stat().CanceledAcquireCount())
			require.EqualValues(p, twinSize, p.stat().MaxConns())
		}},
		{"a closed pool does nothing", func(p *twin) {
			p.must(p.Ping(p.ctx))
			p.Close()
			p.Close()
			for name, err := range everything(p, p.ctx) {
				require.ErrorContains(p, err, "closed", name)
			}
			require.Empty(p, p.acquireIdle(p.ctx))
			p.gone()
		}},
		{"Close waits for what is in use", func(p *twin) {
			tx := p.begin()
			closed := make(chan struct{})
			go func() {
				defer close(closed)
				p.Close()
			}()
			await(p, func() bool { return p.Ping(p.ctx) != nil })
			p.note(ask[int](p, tx, "select 1"))
			select {
			case <-closed:
				p.Error("closed with a transaction under way")
			default:
			}
			p.must(tx.Commit(p.ctx))
			<-closed
			require.Zero(p, p.stat().TotalConns())
		}},
	})
}

// spoil checks that a connection to which something has been done is replaced.
func (p *twin) spoil(do func(conn)) {
	p.Helper()
	c := p.one()
	before := c.Conn().PgConn().PID()
	do(c)
	p.held(1)
	c.Release()
	p.gone()
	c = p.one()
	require.NotEqual(p, before, c.Conn().PgConn().PID())
	require.Equal(p, 42, ask[int](p, c, "select 42"))
	c.Release()
}
