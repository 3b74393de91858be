package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What is taken down of a session is held against what the server makes of it.
func TestWhatCommandsLeaveBehindIsKnown(t *testing.T) {
	to := private(t)
	witness := open(t, to)
	for _, tc := range []struct {
		name     string
		commands [][]string
		left     error
	}{
		{"nothing", [][]string{{"SET", "k", "v"}, {"GET", "k"}}, nil},
		{"MULTI", [][]string{{"MULTI"}}, errMulti},
		{"multi", [][]string{{"multi"}, {"SET", "k", "v"}}, errMulti},
		{"MULTI and EXEC", [][]string{{"MULTI"}, {"SET", "k", "v"}, {"EXEC"}}, nil},
		{"MULTI and DISCARD", [][]string{{"MULTI"}, {"SET", "k", "v"}, {"DISCARD"}}, nil},
		{"an EXEC that is refused and ends it", [][]string{{"MULTI"}, {"NOSUCH"}, {"EXEC"}}, nil},
		{"an EXEC that is malformed and ends it", [][]string{{"MULTI"}, {"EXEC", "now"}}, nil},
		{"a second MULTI, refused", [][]string{{"MULTI"}, {"MULTI"}}, errMulti},
		{"a DISCARD that is malformed", [][]string{{"MULTI"}, {"DISCARD", "now"}}, errMulti},
		{"EXEC and MULTI", [][]string{{"MULTI"}, {"EXEC"}, {"MULTI"}}, errMulti},
		{"WATCH", [][]string{{"WATCH", "k"}}, errWatch},
		{"WATCH and UNWATCH", [][]string{{"WATCH", "k"}, {"UNWATCH"}}, nil},
		{"WATCH and a malformed UNWATCH", [][]string{{"WATCH", "k"}, {"UNWATCH", "now"}}, errWatch},
		{"WATCH and a DISCARD of nothing", [][]string{{"WATCH", "k"}, {"DISCARD"}}, errWatch},
		{"WATCH and an EXEC of nothing", [][]string{{"WATCH", "k"}, {"EXEC"}}, errWatch},
		{"WATCH and EXEC", [][]string{{"WATCH", "k"}, {"MULTI"}, {"EXEC"}}, nil},
		{"WATCH and DISCARD", [][]string{{"WATCH", "k"}, {"MULTI"}, {"DISCARD"}}, nil},
		{"an UNWATCH that waits for its EXEC", [][]string{{"WATCH", "k"}, {"MULTI"}, {"UNWATCH"}}, errMulti},
		{"an UNWATCH that is discarded", [][]string{{"WATCH", "k"}, {"MULTI"}, {"UNWATCH"}, {"DISCARD"}}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := open(t, to)
			_, err := c.pipeline(t.Context(), tc.commands...)
			require.NoError(t, err)
			require.Equal(t, tc.left, c.finished())
			require.Equal(t, tc.left, asTheServerSees(t, c, witness))
		})
	}
}

// asTheServerSees returns what is left behind, by what the server does next: it
// queues commands, or does not execute a transaction since the witness has written
// to the key.
func asTheServerSees(t *testing.T, c, witness *conn) error {
	pong, err := c.do(t.Context(), "PING")
	require.NoError(t, err)
	if pong == "QUEUED" {
		return errMulti
	}
	_, err = witness.do(t.Context(), "SET", "k", "changed")
	require.NoError(t, err)
	replies, err := c.pipeline(t.Context(), []string{"MULTI"}, []string{"PING"}, []string{"EXEC"})
	require.NoError(t, err)
	if replies[2] == nil {
		return errWatch
	}
	require.Equal(t, []any{"PONG"}, replies[2])
	return nil
}

func TestSomeCommandsChangeAConnectionForGood(t *testing.T) {
	to := private(t)
	for _, command := range [][]string{
		{"SUBSCRIBE", "news"}, {"psubscribe", "n*"}, {"MONITOR"}, {"SELECT", "1"}, {"select", "0"},
		{"HELLO", "2"}, {"AUTH", "wrong"}, {"RESET"}, {"CLIENT", "ID"}, {"QUIT"},
	} {
		c := open(t, to)
		_, err := c.pipeline(t.Context(), command)
		require.NoError(t, err)
		require.ErrorContains(t, c.finished(), "has changed the connection", "%v", command)
	}
}
