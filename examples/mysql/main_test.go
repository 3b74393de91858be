package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/connpool/connpool/internal/servertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheProgramDoesWhatItSays(t *testing.T) {
	servertest.NewMariaDB(t, nil) // skips the test where a server cannot be had
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	require.Equal(t, 3, strings.Count(out.String(), "800 of 800 rows inserted."), out.String())
	require.NotContains(t, out.String(), "The last error")
	for _, want := range []string{
		"KILL CONNECTION on all 4 sessions",
		"Server 1 has 1600 rows.",
		"Server 2 has 800 rows.",
	} {
		require.Contains(t, out.String(), want)
	}
}

func TestItCanBeStopped(t *testing.T) {
	servertest.NewMariaDB(t, nil)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	require.ErrorIs(t, run(ctx, &stopper{stop: stop}), context.Canceled)
}

// stopper stops the program when it prints of its queries.
type stopper struct {
	bytes.Buffer
	stop func()
}

func (s *stopper) Write(text []byte) (int, error) {
	if strings.Contains(string(text), "rows inserted") {
		s.stop()
	}
	return s.Buffer.Write(text)
}
