//go:build unix

package connpool_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
)

// silent says whether a line can be lent: nothing has been said that nobody has
// read, neither here nor in the kernel.
func silent(l *line) error {
	if l.answers.Buffered() > 0 {
		return errUnread
	}
	return peek(l.Conn)
}

func newSilentLines(t *testing.T) *connpool.Pool[*line] {
	return newLines(t, startLineServer(t), func(c *connpool.Config[*line]) { c.Alive, c.Clean = silent, silent })
}

// askAndForget asks, and ends the lease without having read the answer: when it
// has come, or before.
func askAndForget(t *testing.T, p *connpool.Pool[*line], hasCome func(*line) bool) {
	t.Helper()
	lease, err := p.Acquire(t.Context())
	require.NoError(t, err)
	_, err = fmt.Fprintln(lease.Conn(), "say the secret of another")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return hasCome(lease.Conn()) }, time.Minute, time.Millisecond)
	lease.Release()
}

func TestFault33_AnUnreadAnswerIsFoundWhenItsConnectionComesBack(t *testing.T) {
	for name, hasCome := range map[string]func(*line) bool{
		"in the kernel":    func(l *line) bool { return peek(l.Conn) == errUnread },
		"in the program's": func(l *line) bool { _, err := l.answers.Peek(1); return err == nil },
	} {
		t.Run(name+" buffer", func(t *testing.T) {
			p := newSilentLines(t)
			askAndForget(t, p, hasCome)
			require.EqualValues(t, 1, p.Stats().Closes[connpool.ClosedClean])
			require.EqualValues(t, 2, requireAnswers(t, p, "mine"))
		})
	}
}

// An answer that is still on its way when the connection comes back is found by
// Alive, at the next hand-out.
func TestFault33_AnAnswerThatComesLateIsFoundBeforeItsConnectionIsLent(t *testing.T) {
	p := newSilentLines(t)
	var conn *line
	lease, err := p.Acquire(t.Context())
	require.NoError(t, err)
	conn = lease.Conn()
	lease.Release() // clean, and idle
	_, err = fmt.Fprintln(conn, "say the secret of another")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return peek(conn.Conn) == errUnread }, time.Minute, time.Millisecond)

	require.EqualValues(t, 2, requireAnswers(t, p, "mine"))
	require.EqualValues(t, 1, p.Stats().Closes[connpool.ClosedCheck])
}

// What the callbacks are there for: without them the next user reads it.
func TestFault33_WithoutAliveAndCleanTheNextUserReadsTheAnswer(t *testing.T) {
	p := newLines(t, startLineServer(t), nil)
	askAndForget(t, p, func(l *line) bool { return peek(l.Conn) == errUnread })
	lease, err := p.Acquire(t.Context())
	require.NoError(t, err)
	defer lease.Discard(nil)
	answer, err := lease.Conn().ask(t.Context(), "say mine")
	require.NoError(t, err)
	require.Equal(t, "the secret of another", answer)
}
