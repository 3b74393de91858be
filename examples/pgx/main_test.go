package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/connpool/connpool/internal/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quick = options{size: 3, workers: 8, queries: 60, threshold: 200 * time.Millisecond}

func TestTheDatabaseMayBeTheUsersOwn(t *testing.T) {
	server := pgtest.New(t, pgtest.Options{})
	t.Setenv(databaseVariable, server.DSN())
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, quick))
	for _, want := range []string{
		"60 of 60 queries succeeded, on ",
		"account 1: 70\naccount 2: 30",
		"The server has closed ",
		"60 of 60 queries succeeded after that",
		"suspected leak",
		"3 of 3 in use; longest held",
		"(*app).countForgetfully (leak.go:",
		"idle, 0 in use",
		"Shut down: every lease has ended",
	} {
		require.Contains(t, out.String(), want)
	}
}

// Being stopped is no error, whenever it happens. The check for goroutines sees
// whether a server was left behind.
func TestItCanBeStoppedAtAnyTime(t *testing.T) {
	pgtest.New(t, pgtest.Options{}) // skips the test where a server cannot be had
	t.Setenv(databaseVariable, "")
	for _, when := range []string{"listens on", "goroutines query", "A transaction", "pg_terminate_backend", "OnLeak"} {
		t.Run(when, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			out := stopper{when: when, stop: stop}
			require.NoError(t, run(ctx, &out, quick))
			require.Contains(t, out.String(), "Stopped early.")
		})
	}
}

// stopper stops the program once it has printed a text.
type stopper struct {
	bytes.Buffer
	when string
	stop func()
}

func (s *stopper) Write(text []byte) (int, error) {
	if strings.Contains(string(text), s.when) {
		s.stop()
	}
	return s.Buffer.Write(text)
}
