package pgxtest

import (
	"context"
	"errors"
	"testing"

	trmpgx "github.com/avito-tech/go-transaction-manager/drivers/pgxv5/v2"
	"github.com/avito-tech/go-transaction-manager/trm/v2/manager"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/pgxconn"
)

var (
	_ trmpgx.Tr            = (*pgxconn.Pool)(nil)
	_ trmpgx.Transactional = (*pgxconn.Pool)(nil)
)

var errUndo = errors.New("undo")

// A manager of transactions hands them on in the context.
func TestATransactionManagerEndsWhatItBegins(t *testing.T) {
	pool, ctx := open(t, nil, schema), patient(t)
	transactions, err := manager.New(trmpgx.NewDefaultFactory(pool))
	require.NoError(t, err)
	insert := func(ctx context.Context, title string) error {
		_, err := New(trmpgx.DefaultCtxGetter.DefaultTrOrDB(ctx, pool)).InsertBook(ctx, InsertBookParams{Title: title})
		return err
	}
	require.NoError(t, transactions.Do(ctx, func(ctx context.Context) error {
		require.EqualValues(t, 1, pool.Stat().AcquiredConns())
		require.NoError(t, insert(ctx, "kept"))
		return transactions.Do(ctx, func(ctx context.Context) error { return insert(ctx, "kept too") })
	}))
	requireBack(t, pool)
	require.ErrorIs(t, transactions.Do(ctx, func(ctx context.Context) error {
		require.NoError(t, insert(ctx, "undone"))
		return errUndo
	}), errUndo)
	requireBack(t, pool)
	require.Panics(t, func() {
		_ = transactions.Do(ctx, func(ctx context.Context) error {
			require.NoError(t, insert(ctx, "undone"))
			panic(errUndo)
		})
	})
	requireBack(t, pool)
	require.NoError(t, insert(ctx, "outside"))
	books, err := New(pool).ListBooks(ctx)
	require.NoError(t, err)
	require.Len(t, books, 3)
}
