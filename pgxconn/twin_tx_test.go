package pgxconn_test

import (
	"io"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestATransactionIsWhatItIsWithPgxpool(t *testing.T) {
	tellBoth(t, []story{
		{"a commit gives the connection back", func(p *twin) {
			p.table()
			tx := p.begin()
			p.insert(tx, "1")
			p.held(1)
			p.must(tx.Commit(p.ctx))
			p.back()
			p.note(p.kept())
		}},
		{"a rollback gives the connection back", func(p *twin) {
			p.table()
			tx := p.begin()
			p.insert(tx, "1")
			p.held(1)
			p.must(tx.Rollback(p.ctx))
			p.back()
			p.note(p.kept())
		}},
		{"a transaction that has failed cannot be committed, and its connection is whole", func(p *twin) {
			tx := p.begin()
			_, err := tx.Exec(p.ctx, "select 1 / 0")
			p.refused(err)
			p.held(1)
			require.ErrorIs(p, tx.Commit(p.ctx), pgx.ErrTxCommitRollback)
			p.back()
		}},
		{"a transaction ends once", func(p *twin) {
			tx := p.begin()
			p.must(tx.Commit(p.ctx))
			p.over(tx)
			tx = p.begin()
			p.must(tx.Rollback(p.ctx))
			p.over(tx)
		}},
		{"a transaction that is over does not touch who has its connection", func(p *twin) {
			old := p.begin()
			p.must(old.Rollback(p.ctx))
			p.table()
			tx := p.begin()
			p.insert(tx, "1")
			p.over(old)
			p.held(1)
			p.must(tx.Commit(p.ctx))
			p.note(p.kept())
		}},
		{"a commit for which there is no time costs the connection", func(p *twin) {
			tx := p.begin()
			p.cut(tx.Commit(expired()))
			p.gone()
			require.ErrorIs(p, tx.Rollback(p.ctx), pgx.ErrTxClosed)
		}},
		{"a rollback for which there is no time costs the connection", func(p *twin) {
			tx := p.begin()
			p.cut(tx.Rollback(expired()))
			p.gone()
			require.ErrorIs(p, tx.Commit(p.ctx), pgx.ErrTxClosed)
		}},
		{"a session that ends with its transaction costs the connection", func(p *twin) {
			tx := p.begin()
			_, err := tx.Exec(p.ctx, "select pg_terminate_backend(pg_backend_pid())")
			p.refused(err)
			p.held(1)
			require.Error(p, tx.Commit(p.ctx))
			p.gone()
		}},
		{"rows that a transaction leaves unread cost the connection", func(p *twin) {
			tx := p.begin()
			rows, err := tx.Query(p.ctx, "select generate_series(1, 100000)")
			p.must(err)
			p.note(rows.Next())
			p.refused(tx.Commit(p.ctx))
			p.gone()
		}},
		{"a transaction begins as it is asked to", func(p *twin) {
			tx, err := p.BeginTx(p.ctx, pgx.TxOptions{IsoLevel: pgx.Serializable, AccessMode: pgx.ReadOnly, DeferrableMode: pgx.Deferrable})
			p.must(err)
			p.note(ask[string](p, tx, "show transaction_isolation"), ask[string](p, tx, "show transaction_read_only"),
				ask[string](p, tx, "show transaction_deferrable"))
			p.must(tx.Rollback(p.ctx))
			tx, err = p.BeginTx(p.ctx, pgx.TxOptions{BeginQuery: "begin read only", CommitQuery: "commit and no chain"})
			p.must(err)
			p.note(ask[string](p, tx, "show transaction_read_only"))
			p.must(tx.Commit(p.ctx))
			p.back()
		}},
		{"a transaction that cannot begin gives its connection back", func(p *twin) {
			_, err := p.BeginTx(p.ctx, pgx.TxOptions{BeginQuery: "begin nonsense"})
			p.refused(err)
			p.back()
		}},
		{"a transaction in a transaction keeps the connection", func(p *twin) {
			p.table()
			tx := p.begin()
			p.insert(tx, "1")
			inner, err := tx.Begin(p.ctx)
			p.must(err)
			p.insert(inner, "2")
			p.must(inner.Rollback(p.ctx))
			p.held(1)
			inner, err = tx.Begin(p.ctx)
			p.must(err)
			p.insert(inner, "3")
			p.must(inner.Commit(p.ctx))
			p.held(1)
			p.must(tx.Commit(p.ctx))
			p.back()
			p.note(p.kept())
		}},
		{"all of a transaction's methods work on its connection", func(p *twin) {
			p.table()
			tx := p.begin()
			_, err := tx.Prepare(p.ctx, "insertion", "insert into kept values ($1)")
			p.must(err)
			_, err = tx.Exec(p.ctx, "insertion", 1)
			p.must(err)
			p.must(tx.SendBatch(p.ctx, batch("insert into kept values (2)")).Close())
			n, err := tx.CopyFrom(p.ctx, pgx.Identifier{"kept"}, []string{"n"}, pgx.CopyFromRows([][]any{{3}, {4}}))
			p.note(n, err)
			rows, err := tx.Query(p.ctx, "select n from kept order by n")
			p.must(err)
			list, err := pgx.CollectRows(rows, pgx.RowTo[int])
			p.note(list, err)
			require.Equal(p, ask[int](p, tx, "select pg_backend_pid()"), int(tx.Conn().PgConn().PID()))
			p.held(1)
			p.must(tx.Rollback(p.ctx))
			p.back()
		}},
		{"large objects live in a transaction", func(p *twin) {
			tx := p.begin()
			objects := tx.LargeObjects()
			oid, err := objects.Create(p.ctx, 0)
			p.must(err)
			object, err := objects.Open(p.ctx, oid, pgx.LargeObjectModeRead|pgx.LargeObjectModeWrite)
			p.must(err)
			_, err = object.Write([]byte("large"))
			p.must(err)
			_, err = object.Seek(0, io.SeekStart)
			p.must(err)
			content, err := io.ReadAll(object)
			p.note(string(content), err)
			p.must(tx.Commit(p.ctx))
			p.back()
			_, err = objects.Create(p.ctx, 0)
			require.ErrorIs(p, err, pgx.ErrTxClosed)
		}},
		{"pgx.BeginFunc ends what it begins", beginFunc},
	})
}

// begin begins a transaction.
func (p *twin) begin() pgx.Tx {
	p.Helper()
	tx, err := p.Begin(p.ctx)
	p.must(err)
	p.held(1)
	return tx
}

func (p *twin) insert(tx pgx.Tx, n string) {
	p.Helper()
	_, err := tx.Exec(p.ctx, "insert into kept values ("+n+")")
	p.must(err)
}

// over checks that nothing can be done with a transaction.
func (p *twin) over(tx pgx.Tx) {
	p.Helper()
	before := p.stat().AcquiredConns()
	_, exec := tx.Exec(p.ctx, "select 1")
	_, query := tx.Query(p.ctx, "select 1")
	_, prepare := tx.Prepare(p.ctx, "stale", "select 1")
	_, begin := tx.Begin(p.ctx)
	_, copied := tx.CopyFrom(p.ctx, pgx.Identifier{"kept"}, []string{"n"}, pgx.CopyFromRows(nil))
	for i, err := range []error{
		tx.Commit(p.ctx), tx.Rollback(p.ctx), exec, query, prepare, begin, copied,
		tx.QueryRow(p.ctx, "select 1").Scan(new(int)), tx.SendBatch(p.ctx, batch("select 1")).Close(),
	} {
		require.ErrorIs(p, err, pgx.ErrTxClosed, i)
	}
	require.Equal(p, before, p.stat().AcquiredConns())
}

func beginFunc(p *twin) {
	p.table()
	insert := func(n string, err error) func(pgx.Tx) error {
		return func(tx pgx.Tx) error {
			p.held(1)
			p.insert(tx, n)
			return err
		}
	}
	p.must(pgx.BeginFunc(p.ctx, p, insert("1", nil)))
	p.back()
	require.ErrorIs(p, pgx.BeginFunc(p.ctx, p, insert("2", errWork)), errWork)
	p.back()
	require.Panics(p, func() {
		_ = pgx.BeginFunc(p.ctx, p, func(tx pgx.Tx) error { p.insert(tx, "3"); panic("the work has panicked") })
	})
	p.back()
	p.must(pgx.BeginTxFunc(p.ctx, p, pgx.TxOptions{IsoLevel: pgx.Serializable}, insert("4", nil)))
	p.refused(pgx.BeginFunc(p.ctx, p, func(tx pgx.Tx) error {
		_, _ = tx.Exec(p.ctx, "select 1 / 0")
		return nil
	}))
	p.back()
	p.note(p.kept())
}
