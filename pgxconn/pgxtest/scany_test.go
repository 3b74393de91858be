package pgxtest

import (
	"testing"

	"github.com/georgysavva/scany/v2/pgxscan"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/pgxconn"
)

var (
	_ pgxscan.Querier = (*pgxconn.Pool)(nil)
	_ pgxscan.Querier = (*pgxconn.Conn)(nil)
	_ pgxscan.Querier = (*pgxconn.Tx)(nil)
)

type user struct {
	ID      int
	Name    string
	Email   *string
	Address struct{ City string }
}

const users = `select id, 'user ' || id as name, case id when 1 then 'one@example.com' end as email, 'Paris' as "address.city"
	from generate_series(1, $1::int) id`

func TestScanyScansAndGivesTheConnectionBack(t *testing.T) {
	pool, ctx := open(t, nil), patient(t)
	var all []*user
	require.NoError(t, pgxscan.Select(ctx, pool, &all, users, 3))
	require.Len(t, all, 3)
	require.Equal(t, "one@example.com", *all[0].Email)
	require.Nil(t, all[2].Email)
	require.Equal(t, "Paris", all[2].Address.City)
	requireBack(t, pool)

	var one user
	require.NoError(t, pgxscan.Get(ctx, pool, &one, users, 1))
	require.Equal(t, "user 1", one.Name)
	requireBack(t, pool)
	var n int
	require.NoError(t, pgxscan.Get(ctx, pool, &n, "select 7"))
	require.Equal(t, 7, n)
	requireBack(t, pool)
	var list []map[string]any
	require.NoError(t, pgxscan.Select(ctx, pool, &list, "select 1 as a, 'x' as b"))
	require.Equal(t, []map[string]any{{"a": int32(1), "b": "x"}}, list)
	requireBack(t, pool)
}

func TestScanysErrorsGiveTheConnectionBack(t *testing.T) {
	pool, ctx := open(t, nil), patient(t)
	var one user
	require.True(t, pgxscan.NotFound(pgxscan.Get(ctx, pool, &one, users, 0)))
	requireBack(t, pool)
	require.Error(t, pgxscan.Get(ctx, pool, &one, users, 1000), "too many")
	requireBack(t, pool)
	require.Error(t, pgxscan.Get(ctx, pool, &one, "select 1 as nowhere"))
	requireBack(t, pool)
	require.Error(t, pgxscan.Select(ctx, pool, &[]int{}, "select 'x' from generate_series(1, 1000)"))
	requireBack(t, pool)
	require.Error(t, pgxscan.Select(ctx, pool, &[]int{}, "select 1 / (500 - n) from generate_series(1, 1000) n"))
	requireBack(t, pool)
	require.Error(t, pgxscan.Select(ctx, pool, &[]int{}, "nonsense"))
	requireBack(t, pool)
}

func TestScanyGoesThroughRowsByItself(t *testing.T) {
	pool, ctx := open(t, nil), patient(t)
	rows, err := pool.Query(ctx, users, 3)
	require.NoError(t, err)
	scanner := pgxscan.NewRowScanner(rows)
	var got []int
	for rows.Next() {
		var u user
		require.NoError(t, scanner.Scan(&u))
		got = append(got, u.ID)
	}
	require.NoError(t, rows.Err())
	require.Equal(t, []int{1, 2, 3}, got)
	requireBack(t, pool)
}

func TestScanyWorksInATransactionAndOnAConnection(t *testing.T) {
	pool, ctx := open(t, nil), patient(t)
	require.NoError(t, pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		var n int
		return pgxscan.Get(ctx, tx, &n, "select 1")
	}))
	requireBack(t, pool)
	require.NoError(t, pool.AcquireFunc(ctx, func(c *pgxconn.Conn) error {
		var n int
		return pgxscan.Get(ctx, c, &n, "select 1")
	}))
	requireBack(t, pool)
}
