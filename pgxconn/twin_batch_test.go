package pgxconn_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestABatchIsWhatItIsWithPgxpool(t *testing.T) {
	tellBoth(t, []story{
		{"results give the connection back when they are closed", func(p *twin) {
			results := p.SendBatch(p.ctx, batch("select 1", "select 2", "select 3"))
			p.held(1)
			tag, err := results.Exec()
			p.note(tag, err, results.Tx() == nil)
			rows, err := results.Query()
			p.must(err)
			n, err := pgx.CollectOneRow(rows, pgx.RowTo[int])
			p.note(n, err)
			p.must(results.QueryRow().Scan(&n))
			p.note(n)
			p.held(1)
			p.must(results.Close())
			p.back()
			p.must(results.Close())
			_, err = results.Exec()
			p.refused(err)
			p.back()
		}},
		{"results that nobody reads give the connection back", func(p *twin) {
			p.table()
			p.must(p.SendBatch(p.ctx, batch("insert into kept values (1)", "select generate_series(1, 10000)")).Close())
			p.back()
			p.must(p.SendBatch(p.ctx, &pgx.Batch{}).Close())
			p.back()
			p.note(p.kept())
		}},
		{"a statement that is refused undoes the batch and gives the connection back", func(p *twin) {
			p.table()
			results := p.SendBatch(p.ctx, batch("insert into kept values (1)", "select 1 / 0", "insert into kept values (2)"))
			_, err := results.Exec()
			p.note(err)
			_, err = results.Exec()
			p.refused(err)
			p.held(1)
			p.refused(results.Close())
			p.back()
			p.refused(results.Close())
			p.refused(p.SendBatch(p.ctx, batch("nonsense")).Close())
			p.back()
			p.note(p.kept())
		}},
		{"callbacks run while the connection is held, and may fail", callbacks},
		{"a batch that its context ends costs the connection", func(p *twin) {
			p.cutShort(func(ctx context.Context) error {
				return p.SendBatch(ctx, batch("select 1", "select pg_sleep(3600)")).Close()
			})
			p.gone()
		}},
		{"a transaction that a batch begins keeps the connection until it is committed", func(p *twin) {
			p.table()
			results := p.SendBatch(p.ctx, transaction("insert into kept values (1)"))
			tx := results.Tx()
			p.must(results.Close())
			p.held(1)
			p.insert(tx, "2")
			p.must(tx.Commit(p.ctx))
			p.back()
			p.over(tx)
			p.note(p.kept())
		}},
		{"a transaction that a batch begins keeps the connection until it is rolled back", func(p *twin) {
			p.table()
			results := p.SendBatch(p.ctx, transaction("insert into kept values (1)"))
			p.must(results.Close())
			p.held(1)
			p.must(results.Tx().Rollback(p.ctx))
			p.back()
			p.must(results.Close())
			p.note(p.kept())
		}},
		{"a transaction of a batch that fails is rolled back", func(p *twin) {
			results := p.SendBatch(p.ctx, transaction("select 1 / 0"))
			p.refused(results.Close())
			p.held(1)
			p.note(results.Tx().Rollback(p.ctx))
			p.back()
		}},
		{"a transaction that a batch could not begin gives the connection back at its end", func(p *twin) {
			b := &pgx.Batch{}
			b.BeginTx(pgx.TxOptions{BeginQuery: "begin nonsense"})
			results := p.SendBatch(p.ctx, b)
			p.refused(results.Close())
			tx := results.Tx()
			if tx != nil {
				p.note(tx.Rollback(p.ctx))
			}
			p.note(tx == nil)
			p.back()
		}},
		{"a rollback before the results are closed costs the connection", func(p *twin) {
			results := p.SendBatch(p.ctx, transaction("select generate_series(1, 100000)"))
			p.note(results.Tx().Rollback(p.ctx))
			p.gone()
			require.Error(p, results.Close())
		}},
		{"each of pgx's ways to make a query is understood in a batch", func(p *twin) {
			for _, mode := range modes {
				c := p.one()
				c.Conn().Config().DefaultQueryExecMode = mode
				b := &pgx.Batch{}
				b.Queue("select $1::int", 7)
				b.Queue("select $1::text", "seven")
				results := c.SendBatch(p.ctx, b)
				var n int
				var s string
				p.note(results.QueryRow().Scan(&n), results.QueryRow().Scan(&s), n, s, results.Close())
				c.Release()
				p.back()
			}
		}},
	})
}

// transaction is a batch that begins one.
func transaction(statements ...string) *pgx.Batch {
	b := &pgx.Batch{}
	b.BeginTx(pgx.TxOptions{})
	for _, s := range statements {
		b.Queue(s)
	}
	return b
}

func callbacks(p *twin) {
	b := &pgx.Batch{}
	b.Queue("select generate_series(1, 3)").Query(func(rows pgx.Rows) error {
		p.held(1)
		list, err := pgx.CollectRows(rows, pgx.RowTo[int])
		p.note(list, err)
		return err
	})
	b.Queue("select 4").QueryRow(func(row pgx.Row) error {
		var n int
		err := row.Scan(&n)
		p.note(n, err)
		return err
	})
	b.Queue("select 6 from generate_series(1, 1000)").Query(func(pgx.Rows) error { return errWork })
	b.Queue("select 7").QueryRow(func(pgx.Row) error { panic("it was called") })
	require.ErrorIs(p, p.SendBatch(p.ctx, b).Close(), errWork)
	p.back()
}
