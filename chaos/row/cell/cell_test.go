package cell

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/connpool/connpool/chaos/row"
	"github.com/connpool/connpool/chaos/row/pool"
)

func TestMain(m *testing.M) {
	Serve(os.Stdout) // in the processes that the tests start it does not return
	goleak.VerifyTestMain(m)
}

func TestARowThatPassesSaysWhatItSaw(t *testing.T) {
	outcome, err := Run(t.Context(), numbered(t, 39), pool.Ours)
	require.NoError(t, err)
	require.Equal(t, row.Passed, outcome.Verdict)
	require.Contains(t, outcome.Seen, "capacity 1/1")
}

func TestAPoolThatTakesTheProcessDownHasFailed(t *testing.T) {
	outcome, err := Run(t.Context(), numbered(t, 16), pool.Puddle)
	require.NoError(t, err)
	require.Equal(t, row.Outcome{Seen: "the process died: panic: on fire", Verdict: row.Failed}, outcome)
}

func TestARowThatDoesNotApplyIsAnOrderNobodyCanCarryOut(t *testing.T) {
	require.ErrorIs(t, serve(new(bytes.Buffer), []byte(`{"Row": 38, "Pool": "puddle"}`)), errNoSuchRow)
	require.Error(t, serve(new(bytes.Buffer), []byte(`nonsense`)))
}

func TestAProcessThatSaysNothingIsAnError(t *testing.T) {
	_, err := outcome(t.Context(), nil, []byte("not an outcome"), "")
	require.ErrorContains(t, err, "not an outcome")
	broken := errors.New("no such program")
	_, err = outcome(t.Context(), broken, nil, "")
	require.ErrorIs(t, err, broken)
}

func numbered(t *testing.T, n int) row.Row {
	t.Helper()
	rows := row.All()
	require.Equal(t, n, rows[n-1].Number)
	return rows[n-1]
}
