package pgxtest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/pgxconn"
)

var (
	_ DBTX = (*pgxconn.Pool)(nil)
	_ DBTX = (*pgxconn.Conn)(nil)
	_ DBTX = (*pgxconn.Tx)(nil)
)

func TestGeneratedQueriesRunOnThePool(t *testing.T) {
	pool := open(t, nil, schema)
	useBooks(t, New(pool))
	requireBack(t, pool)
}

func TestGeneratedQueriesRunInATransaction(t *testing.T) {
	pool, ctx := open(t, nil, schema), patient(t)
	tx, err := pool.Begin(ctx)
	require.NoError(t, err)
	defer tx.Rollback(ctx)
	useBooks(t, New(pool).WithTx(tx))
	require.NoError(t, tx.Rollback(ctx))
	requireBack(t, pool)
	books, err := New(pool).ListBooks(ctx)
	require.NoError(t, err)
	require.Empty(t, books)
}

func TestGeneratedQueriesRunOnAConnection(t *testing.T) {
	pool := open(t, nil, schema)
	require.NoError(t, pool.AcquireFunc(patient(t), func(c *pgxconn.Conn) error {
		useBooks(t, New(c))
		return nil
	}))
	requireBack(t, pool)
}

func useBooks(t *testing.T, q *Queries) {
	t.Helper()
	ctx := patient(t)
	pages := int32(100)
	book, err := q.InsertBook(ctx, InsertBookParams{Title: "A", Pages: &pages})
	require.NoError(t, err)
	require.Equal(t, "A", book.Title)
	n, err := q.InsertBooks(ctx, []InsertBookParams{{Title: "B"}, {Title: "C", Pages: &pages}})
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	updates := q.SetPages(ctx, []SetPagesParams{{"A", 1}, {"B", 2}})
	updates.Exec(func(i int, err error) { require.NoError(t, err, i) })
	require.NoError(t, updates.Close(), "for a second time")
	n, err = q.DeleteBook(ctx, "C")
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	books, err := q.ListBooks(ctx)
	require.NoError(t, err)
	require.Len(t, books, 2)
	require.EqualValues(t, 2, *books[1].Pages)
}

func TestGeneratedQueriesThatFailGiveTheConnectionBack(t *testing.T) {
	pool, ctx := open(t, nil, schema), patient(t)
	q := New(pool)
	_, err := q.InsertBook(ctx, InsertBookParams{Title: "A"})
	require.NoError(t, err)
	_, err = q.InsertBook(ctx, InsertBookParams{Title: "A"})
	require.ErrorContains(t, err, "23505")
	_, err = q.InsertBooks(ctx, []InsertBookParams{{Title: "B"}, {Title: "A"}})
	require.ErrorContains(t, err, "23505")
	requireBack(t, pool)

	_, err = pool.Exec(ctx, "alter table books add check (pages > 0)")
	require.NoError(t, err)
	var errs []error
	updates := q.SetPages(ctx, []SetPagesParams{{"A", 1}, {"A", -1}, {"A", 3}})
	updates.Exec(func(_ int, err error) { errs = append(errs, err) })
	require.Len(t, errs, 3)
	require.NoError(t, errs[0])
	require.ErrorContains(t, errs[1], "23514")
	require.Error(t, errs[2])
	require.Error(t, updates.Close())
	requireBack(t, pool)
}

func TestGeneratedQueriesOfManyAtOnce(t *testing.T) {
	pool, ctx := open(t, nil, schema), patient(t)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for n := range 10 {
				err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
					_, err := New(pool).WithTx(tx).InsertBook(ctx, InsertBookParams{Title: fmt.Sprint(worker, n)})
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	books, err := New(pool).ListBooks(ctx)
	require.NoError(t, err)
	require.Len(t, books, 80)
	require.Zero(t, pool.Stat().AcquiredConns())
	require.LessOrEqual(t, pool.Stat().NewConnsCount(), int64(4))
}
