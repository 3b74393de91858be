package pgxconn

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/internal/pgtest"
)

func TestCloseDoesNotWaitForEverAndSaysWhoHoldsWhat(t *testing.T) {
	c, err := ParseConfig(pgtest.New(t, pgtest.Options{}).DSN())
	require.NoError(t, err)
	var log bytes.Buffer
	c.Tune = func(s *connpool.Config[*pgx.Conn]) { s.Logger = slog.New(slog.NewTextHandler(&log, nil)) }
	pool, err := NewWithConfig(t.Context(), c)
	require.NoError(t, err)
	held, err := pool.Acquire(t.Context())
	require.NoError(t, err)

	pool.close(20 * time.Millisecond)
	require.Contains(t, log.String(), "pgxconn: closed while connections are in use")
	require.Contains(t, log.String(), "1 lease held")
	require.Contains(t, log.String(), "pgxconn.TestCloseDoesNotWaitForEverAndSaysWhoHoldsWhat (bound_test.go:")
	require.NoError(t, held.Ping(context.Background()), "it is its user's yet")
	held.Release()
	pool.Close()
	require.Zero(t, pool.Stat().TotalConns())
}

func TestCloseWaitsForAMinute(t *testing.T) {
	require.Equal(t, time.Minute, closing, "what the documentation says")
}
