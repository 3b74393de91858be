// Package pgxtest runs pgxconn under what people use pgxpool with: a library that
// scans, one that manages transactions, code of the shape that sqlc generates, and
// pgx's tracers. It is a module of its own, so that none of them weighs on the
// pool's.
package pgxtest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/connpool/connpool/internal/pgtest"
	"github.com/connpool/connpool/pgxconn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patient returns a context for what must not hang.
func patient(t testing.TB) context.Context {
	ctx, end := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(end)
	return ctx
}

// open returns a pool of four connections to a server of its own, on which
// statements have been executed. When the test ends all must have come back.
func open(t *testing.T, edit func(*pgxconn.Config), statements ...string) *pgxconn.Pool {
	t.Helper()
	config, err := pgxconn.ParseConfig(pgtest.New(t, pgtest.Options{}).DSN())
	require.NoError(t, err)
	config.MaxConns = 4
	if edit != nil {
		edit(config)
	}
	pool, err := pgxconn.NewWithConfig(context.Background(), config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pool.Connpool().Shutdown(patient(t))) })
	for _, s := range statements {
		_, err := pool.Exec(patient(t), s)
		require.NoError(t, err)
	}
	return pool
}

// requireBack checks that nothing is in use, and that all has been done on one
// connection.
func requireBack(t *testing.T, pool *pgxconn.Pool) {
	t.Helper()
	require.Zero(t, pool.Stat().AcquiredConns())
	require.EqualValues(t, 1, pool.Stat().NewConnsCount())
}
