package scenario

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPostgresAnswersEveryWay(t *testing.T) {
	for _, s := range []PostgresSettings{UsualPostgres(true), SecurePostgres(true)} {
		s.Size, s.Callers, s.WarmUp, s.Turn, s.Turns = 2, []int{1, 6}, time.Millisecond, 10*time.Millisecond, 2
		results, err := Postgres(t.Context(), s)
		if errors.Is(err, ErrNoPostgres) && os.Getenv("CI") == "" {
			t.Skip(err)
		}
		require.NoError(t, err)
		require.Len(t, results, len(s.Ways)*len(s.Callers))
		for _, r := range results {
			requireAnswered(t, r, s.Size)
		}
	}
}

func requireAnswered(t *testing.T, r PostgresResult, size int) {
	t.Logf("%+v", r)
	require.GreaterOrEqual(t, r.Queries, r.Callers, r.Way)
	require.Positive(t, r.PerSecond, r.Way)
	require.LessOrEqual(t, r.P50, r.P99, r.Way)
	if r.Way == perRequest.Name {
		require.GreaterOrEqual(t, r.Connections, r.Queries)
		return
	}
	require.LessOrEqual(t, r.Connections, size, r.Way)
}

func TestAMissingPostgresSaysSo(t *testing.T) {
	t.Setenv("PGTEST_BIN", t.TempDir())
	_, err := Postgres(t.Context(), UsualPostgres(true))
	assert.ErrorIs(t, err, ErrNoPostgres)
	assert.ErrorContains(t, err, "not installed")
}
