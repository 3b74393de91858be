package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/internal/servertest"
)

var quick = options{size: 3, workers: 8, commands: 60, rounds: 20, patience: 5 * time.Millisecond}

func TestTheServerMayBeTheUsersOwn(t *testing.T) {
	redis := servertest.NewRedis(t)
	t.Setenv(urlVariable, "redis://"+redis.Addr()+"/2")
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, quick))
	told(t, out.String(), "Not this one: it is yours.")

	to, err := parseURL("redis://" + redis.Addr() + "/2")
	require.NoError(t, err)
	c := open(t, to)
	keys, err := c.do(t.Context(), "KEYS", "*")
	require.NoError(t, err)
	require.NotEmpty(t, keys)
	for _, key := range keys.([]any) {
		require.Regexp(t, "^connpool-example:", key)
		seconds, err := c.do(t.Context(), "TTL", key.(string))
		require.NoError(t, err)
		require.Positive(t, seconds, "%s does not expire", key)
	}
}

func TestTheProgramTellsItsStory(t *testing.T) {
	servertest.NewRedis(t) // skips the test where a server cannot be had
	t.Setenv(urlVariable, "")
	for _, size := range []int{1, 3} {
		o := quick
		o.size = size
		var out bytes.Buffer
		require.NoError(t, run(t.Context(), &out, o))
		told(t, out.String(), "60 of 60 commands succeeded after that")
	}
}

// told requires what a run prints, the wrong replies of the client that does not
// count included.
func told(t *testing.T, out, end string) {
	t.Helper()
	for _, want := range []string{
		"60 of 60 commands succeeded, on ",
		"[OK QUEUED QUEUED [41 42]]",
		"redis: WRONGTYPE ",
		"The counter is at 42.",
		"20 callers waited for a letter, and 20 gave up.",
		"20 next callers: 20 got their own reply.\nReplies that went to the wrong caller: 0.",
		"The first of them: ",
		"MULTI  the next caller's SET is answered with OK. Closed on return: 1 (redis: a MULTI without EXEC or DISCARD)",
		"WATCH  the next caller's SET is answered with OK. Closed on return: 1 (redis: keys are still watched)",
		"A message has come: [message connpool-example:",
		"Closed on return: 1 (redis: SUBSCRIBE has changed the connection)",
		end,
		" idle, 0 in use",
		"Shut down: every lease has ended",
	} {
		require.Contains(t, out, want)
	}
}

// Being stopped is no error, whenever it happens. The check for goroutines sees
// whether a server was left behind.
func TestItCanBeStoppedAtAnyTime(t *testing.T) {
	servertest.NewRedis(t)
	t.Setenv(urlVariable, "")
	for _, when := range []string{
		"listens on", "goroutines send", "A pipeline", "gives up", "did not count", "left open", "subscriber", "killed",
	} {
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

func TestAServerThatIsNotThereIsAnError(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	t.Setenv(urlVariable, "redis://"+listener.Addr().String())
	err = run(t.Context(), &bytes.Buffer{}, quick)
	var refused *net.OpError
	require.ErrorAs(t, err, &refused)
}

func TestAURLSaysWhereAndAsWhom(t *testing.T) {
	for text, want := range map[string]server{
		"redis://cache":                      {addr: "cache:6379", user: "default"},
		"redis://cache:7000/3":               {addr: "cache:7000", user: "default", database: 3},
		"redis://:secret@[::1]/":             {addr: "[::1]:6379", user: "default", password: "secret"},
		"redis://reader:a%2Fb@127.0.0.1:1/0": {addr: "127.0.0.1:1", user: "reader", password: "a/b"},
	} {
		got, err := parseURL(text)
		require.NoError(t, err)
		require.Equal(t, want, got, text)
	}
	secure, err := parseURL("rediss://cache")
	require.NoError(t, err)
	require.NotNil(t, secure.tls)
}

func TestABadURLIsNotPrinted(t *testing.T) {
	for _, text := range []string{
		"redis://reader:secret/@cache", "redis://reader:secret%zz@cache", "redis://reader:secret@cache/ten",
		"http://reader:secret@cache", "reader:secret@cache", "secret", "redis://", "redis://cache:secret",
	} {
		_, err := parseURL(text)
		require.ErrorIs(t, err, errURL, text)
		require.NotContains(t, fmt.Sprint(err), "secret")
		t.Setenv(urlVariable, text)
		require.ErrorIs(t, run(t.Context(), &bytes.Buffer{}, quick), errURL)
	}
}

func TestNobodyToDoTheWorkIsAnError(t *testing.T) {
	for _, o := range []options{{size: 0, workers: 1}, {size: 1, workers: 0}} {
		require.ErrorContains(t, run(t.Context(), &bytes.Buffer{}, o), "must be at least 1")
	}
}

// Without Redis the program says what to do.
func TestWithoutRedisItSaysWhatToSet(t *testing.T) {
	t.Setenv(urlVariable, "")
	t.Setenv("PATH", t.TempDir())
	host, err := findServer(t.Context(), &bytes.Buffer{})
	if err == nil {
		require.NoError(t, host.stop())
		t.Skip("it is where it is found without PATH")
	}
	require.ErrorIs(t, err, servertest.ErrNotInstalled)
	require.ErrorContains(t, err, urlVariable)
}
