package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/netconn"
)

// serve starts a peer that waits for a command on one connection and then does
// what it is told. It hangs up when that returns, which the client must bring
// about.
func serve(t *testing.T, answer func(net.Conn)) (addr string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	answered := make(chan struct{})
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		<-answered
	})
	go func() {
		defer close(answered)
		peer, err := listener.Accept()
		if err != nil {
			return
		}
		defer peer.Close()
		if _, err := newReplyReader(peer).read(); err == nil {
			answer(peer)
		}
	}()
	return listener.Addr().String()
}

// against returns a connection to such a peer.
func against(t *testing.T, answer func(net.Conn)) *conn {
	over, err := net.Dial("tcp", serve(t, answer))
	require.NoError(t, err)
	c := newConn(over)
	t.Cleanup(func() { c.Close() })
	return c
}

// say answers with a text, and then with nothing.
func say(text string) func(net.Conn) {
	return func(peer net.Conn) {
		if _, err := io.WriteString(peer, text); err == nil {
			io.Copy(io.Discard, peer) // until the client hangs up
		}
	}
}

// sayAndHangUp has read the one command that it is sent, so that closing is no
// reset, which could overtake the text.
func sayAndHangUp(text string) func(net.Conn) {
	return func(peer net.Conn) { io.WriteString(peer, text) }
}

func TestWhateverCutsACommandShortLeavesItsReplyOwed(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer func(net.Conn)
		want   error
	}{
		{"the context ends before the reply", say(""), context.DeadlineExceeded},
		{"the context ends within the reply", say("$5\r\nhel"), context.DeadlineExceeded},
		{"the server hangs up before the reply", sayAndHangUp(""), io.EOF},
		{"the server hangs up within the reply", sayAndHangUp("$5\r\nhel"), io.ErrUnexpectedEOF},
		{"the reply is none", say("HTTP/1.1 400 Bad Request\r\n"), errProtocol},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := against(t, tc.answer)
			ctx := t.Context()
			if tc.want == context.DeadlineExceeded {
				short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
				defer cancel()
				ctx = short
			}
			_, err := c.do(ctx, "GET", "key")
			require.ErrorIs(t, err, tc.want)
			require.ErrorIs(t, c.finished(), errOwed)
			patient, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			_, err = c.do(patient, "GET", "another")
			require.ErrorIs(t, err, errOwed, "the same user cannot go on either")
		})
	}
}

func TestAPanicLeavesTheReplyOwed(t *testing.T) {
	c := against(t, say("+OK\r\n"))
	c.replies.in = nil // as good a bug as any
	require.Panics(t, func() { c.do(t.Context(), "PING") })
	require.ErrorIs(t, c.finished(), errOwed)
}

func TestOfAPipelineAsManyAreOwedAsWereNotRead(t *testing.T) {
	c := against(t, sayAndHangUp("+one\r\n-two\r\n*1\r\n"))
	_, err := c.pipeline(t.Context(), []string{"A"}, []string{"B"}, []string{"C"}, []string{"D"})
	require.Error(t, err)
	require.ErrorIs(t, c.finished(), errOwed)
	require.EqualError(t, c.finished(), "redis: replies are owed: 2")
}

func TestARefusalOwesNothing(t *testing.T) {
	c := against(t, say("-ERR no\r\n"))
	_, err := c.do(t.Context(), "GET", "key")
	require.Equal(t, refusal("ERR no"), err)
	require.NoError(t, c.finished())
}

func TestWhatWasNotSentIsNotOwed(t *testing.T) {
	c := against(t, say("+OK\r\n"))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.do(ended, "GET", "key")
	require.ErrorIs(t, err, context.Canceled)
	_, err = c.pipeline(t.Context(), []string{"GET", "key"}, nil)
	require.ErrorContains(t, err, "an empty command")
	require.NoError(t, c.finished())
	reply, err := c.do(t.Context(), "GET", "key")
	require.NoError(t, err)
	require.Equal(t, "OK", reply)
}

func TestAReplyThatNobodyHasAskedForIsNoticed(t *testing.T) {
	c := against(t, say("+OK\r\n+more\r\n"))
	c.replies.in = bufio.NewReader(&atOnce{c.over, len("+OK\r\n+more\r\n")})
	reply, err := c.do(t.Context(), "GET", "key")
	require.NoError(t, err)
	require.Equal(t, "OK", reply)
	require.ErrorIs(t, c.finished(), netconn.ErrUnread)
}

// atOnce has so many bytes read at once, as they are if they arrive together.
type atOnce struct {
	io.Reader
	n int
}

func (a *atOnce) Read(b []byte) (int, error) { return io.ReadFull(a.Reader, b[:a.n]) }

// Whoever gives up may leave a goroutine behind that reads. The race detector
// watches.
func TestTheCountMayBeReadWhileAnotherGoroutineReads(t *testing.T) {
	answer := make(chan struct{})
	c := against(t, func(peer net.Conn) {
		<-answer
		say("*1\r\n+OK\r\n")(peer)
	})
	read := make(chan error)
	go func() {
		_, err := c.do(context.Background(), "MULTI")
		read <- err
	}()
	require.Eventually(t, func() bool { return errors.Is(c.finished(), errOwed) }, 10*time.Second, time.Millisecond)
	close(answer)
	require.Eventually(t, func() bool { return errors.Is(c.finished(), errMulti) }, 10*time.Second, time.Millisecond)
	require.NoError(t, <-read)
}

func TestTextTellsNoValueFromAnother(t *testing.T) {
	for wire, want := range map[string]error{"$0\r\n\r\n": nil, "$-1\r\n": errNothing, "-ERR no\r\n": refusal("ERR no")} {
		text, err := against(t, say(wire)).text(t.Context(), "GET", "key")
		require.Empty(t, text)
		require.Equal(t, want, err)
	}
	_, err := against(t, say(":1\r\n")).text(t.Context(), "INCR", "key")
	require.EqualError(t, err, "redis: the reply to INCR is no string")
}

func TestAMessageThatDoesNotComeIsOwed(t *testing.T) {
	c := against(t, say("+OK\r\n"))
	_, err := c.do(t.Context(), "SUBSCRIBE", "news")
	require.NoError(t, err)
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = c.receive(short)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	patient, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err = c.receive(patient)
	require.ErrorIs(t, err, errOwed)
}
