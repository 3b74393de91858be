package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// replies are what a server may send, and what is to be read from it.
var replies = []struct {
	wire string
	want any
}{
	{"+OK\r\n", "OK"},
	{"+\r\n", ""},
	{"-ERR no such key\r\n", refusal("ERR no such key")},
	{":0\r\n", int64(0)},
	{":-7\r\n", int64(-7)},
	{":9223372036854775807\r\n", int64(math.MaxInt64)},
	{"$5\r\nhello\r\n", "hello"},
	{"$0\r\n\r\n", ""},
	{"$-1\r\n", nil},
	{"$8\r\n\r\n+OK\x00\xff\n\r\n", "\r\n+OK\x00\xff\n"},
	{"*0\r\n", []any{}},
	{"*-1\r\n", nil},
	{"*2\r\n$-1\r\n*-1\r\n", []any{nil, nil}},
	{"*3\r\n:1\r\n$1\r\na\r\n-EXECABORT no\r\n", []any{int64(1), "a", refusal("EXECABORT no")}},
	{"*2\r\n*2\r\n+a\r\n*1\r\n*0\r\n*1\r\n:3\r\n", []any{[]any{"a", []any{[]any{}}}, []any{int64(3)}}},
	{fmt.Sprintf("$%d\r\n%s\r\n", 3*step+1, strings.Repeat("x", 3*step+1)), strings.Repeat("x", 3*step+1)},
}

func TestRepliesAreReadOneAfterTheOther(t *testing.T) {
	var all strings.Builder
	for _, reply := range replies {
		all.WriteString(reply.wire)
	}
	for name, from := range map[string]io.Reader{
		"at once":     strings.NewReader(all.String()),
		"by the byte": iotest.OneByteReader(strings.NewReader(all.String())),
	} {
		t.Run(name, func(t *testing.T) {
			r := newReplyReader(from)
			for _, reply := range replies {
				got, err := r.read()
				require.NoError(t, err)
				require.Equal(t, reply.want, got)
			}
			_, err := r.read()
			require.Equal(t, io.EOF, err)
		})
	}
}

func TestAnUnfinishedReplyIsNone(t *testing.T) {
	for _, reply := range replies {
		for end := range min(len(reply.wire), 100) {
			got, err := newReplyReader(strings.NewReader(reply.wire[:end])).read()
			require.Nil(t, got)
			if end == 0 {
				require.Equal(t, io.EOF, err)
			} else {
				require.Equal(t, io.ErrUnexpectedEOF, err, "%q", reply.wire[:end])
			}
		}
	}
}

func TestWhatIsNoReplyIsAnErrorOfTheProtocol(t *testing.T) {
	for _, wire := range []string{
		"\r\n",
		"\n",
		"OK\r\n",
		"+OK\n",
		"HTTP/1.1 400 Bad Request\r\n",
		"_\r\n",        // RESP3
		"%1\r\n+a\r\n", // RESP3
		":\r\n",
		":1.5\r\n",
		": 1\r\n",
		":9223372036854775808\r\n",
		"$\r\n",
		"$-2\r\n",
		"$five\r\nhello\r\n",
		"$4\r\nhello\r\n",
		"$99999999999999999999\r\n",
		"*-2\r\n",
		"*x\r\n",
		"*2\r\n+a\r\n?\r\n",
		"+" + strings.Repeat("x", maxLine) + "\r\n",
		strings.Repeat("*1\r\n", maxDepth+1) + "+deep\r\n",
		fmt.Sprintf("$%d\r\n", maxReply),
	} {
		got, err := newReplyReader(strings.NewReader(wire)).read()
		require.ErrorIs(t, err, errProtocol, "%.50q", wire)
		require.Nil(t, got)
	}
}

func TestTheDeepestReplyIsRead(t *testing.T) {
	got, err := newReplyReader(strings.NewReader(strings.Repeat("*1\r\n", maxDepth) + "+deep\r\n")).read()
	require.NoError(t, err)
	for range maxDepth {
		got = got.([]any)[0]
	}
	require.Equal(t, "deep", got)
}

// The limit is for a whole reply, and begins anew with the next.
func TestALongReplyEndsAtTheLimit(t *testing.T) {
	for _, tc := range []struct {
		wire  string
		limit int
	}{
		{"+twelve...\r\n", 12},
		{"$3\r\nabc\r\n", 9},
		{"*2\r\n$3\r\nabc\r\n:1\r\n", 17},
	} {
		r := newReplyReader(strings.NewReader(tc.wire + tc.wire))
		r.limit = tc.limit
		for range 2 {
			_, err := r.read()
			require.NoError(t, err, tc.wire)
		}
		r = newReplyReader(strings.NewReader(tc.wire))
		r.limit = tc.limit - 1
		_, err := r.read()
		require.ErrorIs(t, err, errProtocol, tc.wire)
	}
}

func TestALengthThatIsOnlyAnnouncedTakesNoSpace(t *testing.T) {
	for _, wire := range []string{"$1000000000\r\nabc", "*2000000000\r\n+a\r\n", strings.Repeat("*2000000000\r\n", maxDepth)} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := newReplyReader(strings.NewReader(wire)).read()
		runtime.ReadMemStats(&after)
		require.Equal(t, io.ErrUnexpectedEOF, err)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
	}
}

func TestACommandIsAnArrayOfStrings(t *testing.T) {
	command := []string{"SET", "", "any\r\nbytes\x00\xff", strings.Repeat("x", 100)}
	wire := appendCommand([]byte("before "), command)
	require.True(t, bytes.HasPrefix(wire, []byte("before *4\r\n$3\r\nSET\r\n$0\r\n\r\n$12\r\nany\r\n")))
	got, err := newReplyReader(bytes.NewReader(wire[len("before "):])).read()
	require.NoError(t, err)
	require.Equal(t, []any{command[0], command[1], command[2], command[3]}, got)
}

// Whatever arrives, and in whatever pieces: what is read are whole replies, which
// mean the same when they are sent again, and then an error that says why there
// are no more.
func FuzzReplies(f *testing.F) {
	for _, reply := range replies {
		if len(reply.wire) < 100 { // a long one would take all the time
			f.Add([]byte(reply.wire))
		}
	}
	f.Add([]byte("*2\r\n$-1\r\n*-1\r\n+OK\r\n$3\r\nab"))
	f.Add([]byte("*1000000\r\n*1000000\r\n$99\r\n"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		got, err := readAll(bytes.NewReader(wire))
		pieces, piecesErr := readAll(iotest.OneByteReader(bytes.NewReader(wire)))
		require.Equal(t, got, pieces)
		require.Equal(t, err, piecesErr)
		require.True(t, err == io.EOF || err == io.ErrUnexpectedEOF || errors.Is(err, errProtocol), err)

		var again []byte
		for _, reply := range got {
			again = appendReply(again, reply)
		}
		same, err := readAll(bytes.NewReader(again))
		require.Equal(t, io.EOF, err)
		require.Equal(t, got, same)
	})
}

func readAll(from io.Reader) (all []any, err error) {
	r := newReplyReader(from)
	for {
		reply, err := r.read()
		if err != nil {
			return all, err
		}
		all = append(all, reply)
	}
}

// appendReply is what a server does.
func appendReply(to []byte, reply any) []byte {
	switch reply := reply.(type) {
	case nil:
		return append(to, "$-1\r\n"...)
	case string:
		return fmt.Appendf(to, "$%d\r\n%s\r\n", len(reply), reply)
	case int64:
		return fmt.Appendf(to, ":%d\r\n", reply)
	case refusal:
		return fmt.Appendf(to, "-%s\r\n", string(reply))
	case []any:
		to = fmt.Appendf(to, "*%d\r\n", len(reply))
		for _, nested := range reply {
			to = appendReply(to, nested)
		}
		return to
	}
	panic(fmt.Sprintf("%T is no reply", reply))
}
