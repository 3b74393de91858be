package scenario

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPostgresAnswersEveryWay(t *testing.T) {
	s := PostgresSettings{Size: 2, Callers: []int{1, 6}, WarmUp: time.Millisecond, For: 20 * time.Millisecond}
	results, err := Postgres(t.Context(), s)
	if errors.Is(err, ErrNoPostgres) {
		t.Skip(err)
	}
	require.NoError(t, err)
	require.Len(t, results, len(Ways())*len(s.Callers))
	for _, r := range results {
		t.Logf("%+v", r)
		assert.GreaterOrEqual(t, r.Queries, r.Callers, r.Way)
		assert.Positive(t, r.PerSecond, r.Way)
		assert.LessOrEqual(t, r.P50, r.P99, r.Way)
		if r.Way == "connection per request" {
			assert.GreaterOrEqual(t, r.Connections, r.Queries)
			continue
		}
		assert.LessOrEqual(t, r.Connections, s.Size, r.Way)
	}
}

func TestAMissingPostgresSaysSo(t *testing.T) {
	t.Setenv("PGTEST_BIN", t.TempDir())
	_, err := Postgres(t.Context(), UsualPostgres(true))
	assert.ErrorIs(t, err, ErrNoPostgres)
	assert.ErrorContains(t, err, "not installed")
}
