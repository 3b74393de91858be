package pgxconn_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/pgxconn"
)

// senders are what sends batches, and what then gives the connection back.
var senders = map[string]func(*testing.T, *pgxconn.Pool) (send func(*pgx.Batch) pgx.BatchResults, giveBack func()){
	"the pool": func(t *testing.T, p *pgxconn.Pool) (func(*pgx.Batch) pgx.BatchResults, func()) {
		return func(b *pgx.Batch) pgx.BatchResults { return p.SendBatch(patient(t), b) }, func() {}
	},
	"a connection": func(t *testing.T, p *pgxconn.Pool) (func(*pgx.Batch) pgx.BatchResults, func()) {
		c := acquire(t, p)
		return func(b *pgx.Batch) pgx.BatchResults { return c.SendBatch(patient(t), b) }, c.Release
	},
	"a transaction": func(t *testing.T, p *pgxconn.Pool) (func(*pgx.Batch) pgx.BatchResults, func()) {
		tx, err := p.Begin(patient(t))
		require.NoError(t, err)
		return func(b *pgx.Batch) pgx.BatchResults { return tx.SendBatch(patient(t), b) },
			func() { _ = tx.Rollback(context.Background()) }
	},
}

// In pgx all rows of a connection read from the same place.
func TestRowsOfABatchThatIsOverReadNothingOfTheNextUsers(t *testing.T) {
	server := start(t, nil)
	for name, sender := range senders {
		for _, mode := range modes {
			t.Run(name+", "+mode.String(), func(t *testing.T) {
				pool := open(t, server.DSN(), size(1), func(c *config) { c.ConnConfig.DefaultQueryExecMode = mode })
				send, giveBack := sender(t, pool)
				results := send(batch("select 1 from generate_series(1, 10)", "select 2"))
				rows, err := results.Query()
				require.NoError(t, err)
				require.True(t, rows.Next())
				require.NotNil(t, rows.Conn())
				row := results.QueryRow()
				_ = results.Close()
				giveBack()

				theirs, err := pool.Query(patient(t), "select generate_series(1, 3)")
				require.NoError(t, err)
				require.False(t, rows.Next())
				require.Error(t, rows.Scan(new(int)))
				_, err = rows.Values()
				require.Error(t, err)
				require.Nil(t, rows.RawValues())
				require.Nil(t, rows.FieldDescriptions())
				require.Nil(t, rows.Conn())
				rows.Close()
				require.Error(t, row.Scan(new(int)))
				list, err := pgx.CollectRows(theirs, pgx.RowTo[int])
				require.NoError(t, err)
				require.Equal(t, []int{1, 2, 3}, list)
			})
		}
	}
}

// pgx has a batch that has failed look into the connection's caches whenever its
// results are closed, as people who defer that do twice.
func TestResultsThatAreClosedAgainTouchNothingOfTheNextUsers(t *testing.T) {
	server := start(t, nil)
	for name, sender := range senders {
		t.Run(name, func(t *testing.T) {
			pool := open(t, server.DSN(), size(1))
			send, giveBack := sender(t, pool)
			results := send(batch("select 1 / 0"))
			first := results.Close()
			require.ErrorContains(t, first, "22012")
			giveBack()

			done := make(chan error)
			go func() {
				var err error
				for range 20 {
					if again := pool.SendBatch(context.Background(), batch("select 1", "select 2")).Close(); again != nil {
						err = again
					}
				}
				done <- err
			}()
			for range 1000 {
				require.Equal(t, first, results.Close())
			}
			require.NoError(t, <-done)
		})
	}
}

func TestResultsThatWereNeverClosedSayThatTheyCannotBeAnyMore(t *testing.T) {
	pool, _ := startPool(t, size(1))
	results := pool.SendBatch(patient(t), transaction("select 1"))
	_ = results.Tx().Rollback(patient(t))
	require.ErrorContains(t, results.Close(), "given back before the results of the batch were closed")
	requireWhole(t, pool)
}
