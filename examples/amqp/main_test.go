package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if shared.server != nil {
			if err := shared.server.Stop(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = max(code, 1)
			}
		}
		os.Exit(code)
	}))
}

var quick = options{
	channels: 6, each: 4, publishers: 16, messages: 300,
	before: 200 * time.Millisecond, after: 200 * time.Millisecond, downAfter: -1,
}

func TestTheProgramDoesWhatItSays(t *testing.T) {
	sharedBroker(t) // skips the test where a broker cannot be had
	t.Setenv(brokerVariable, "")
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, quick))
	for _, want := range []string{
		"A private RabbitMQ listens on",
		"confirmed 300 of 300 messages",
		"channels are open, on",
		"300 messages have come back, 0 of them more than once",
		"NOT_FOUND - no exchange",
		"The next publishing has succeeded",
		"The broker is dead",
		"It is back",
		"messages were confirmed; the longest",
		"idle, 0 in use",
		"0 time-outs, 0 leaks, 0 stale releases",
		"every channel is closed, and 0 connections are open",
	} {
		require.Contains(t, out.String(), want)
	}
}

func TestTheBrokerMayBeTheUsersOwn(t *testing.T) {
	t.Setenv(brokerVariable, urlOf(sharedBroker(t)))
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, quick))
	require.Contains(t, out.String(), "The broker is that of AMQP_URL")
	require.Contains(t, out.String(), "Not that of AMQP_URL")
	require.NotContains(t, out.String(), "The broker is dead")
}

func TestNoQueueIsLeftBehind(t *testing.T) {
	app, err := newApp(io.Discard, broker{url: urlOf(sharedBroker(t))}, quick)
	require.NoError(t, err)
	require.NoError(t, app.tour(t.Context()))
	_, err = app.drain(t.Context())
	require.True(t, refused(err), "%v", err)
	require.ErrorContains(t, err, "no queue")
	require.NoError(t, app.shutdown(t.Context()))
}

// Being stopped is no error, whenever it happens.
func TestItCanBeStoppedAtAnyTime(t *testing.T) {
	t.Setenv(brokerVariable, urlOf(sharedBroker(t)))
	for _, when := range []string{"that of AMQP_URL", "goroutines publish", "goroutine consumes", "closes a channel", "killed and started"} {
		t.Run(when, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			out := stopper{when: when, stop: stop}
			require.NoError(t, run(ctx, &out, quick))
			require.Contains(t, out.String(), "Stopped early.")
		})
	}
}

// Nor is a broker left behind that was just coming back.
func TestItCanBeStoppedWhileTheBrokerIsDown(t *testing.T) {
	sharedBroker(t) // skips the test where a broker cannot be had
	t.Setenv(brokerVariable, "")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out := stopper{when: "The broker is dead", stop: stop}
	require.NoError(t, run(ctx, &out, quick))
	require.Contains(t, out.String(), "Stopped early.")
	require.NotContains(t, out.String(), "It is back")
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
