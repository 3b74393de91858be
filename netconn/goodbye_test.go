package netconn

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/internal/servertest"
)

// hangingUp is a server that answers every line with "ok", and QUIT with "bye" and,
// a little later, by hanging up.
func hangingUp(t *testing.T) *server {
	s := &server{listener: listenOn(t, "tcp"), answer: func(conn net.Conn) {
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			if strings.EqualFold(lines.Text(), "quit") {
				fmt.Fprintln(conn, "bye")
				time.Sleep(time.Millisecond)
				return
			}
			fmt.Fprintln(conn, "ok")
		}
	}}
	s.start(t)
	return s
}

func TestFault66_NobodyGetsAConnectionOnWhichAGoodbyeWasSaid(t *testing.T) {
	s := hangingUp(t)
	options := Options{Goodbye: []string{"LOGOUT", "QUIT"}}
	d := newDialer(t, "tcp", nil)
	d.Options = options
	pool := s.newPool(t, options, one)
	speak := func(conn net.Conn, lines ...string) {
		for _, line := range lines {
			answer, err := ask(conn, line)
			require.NoError(t, err)
			require.NotEmpty(t, answer)
		}
	}
	for range 100 {
		conn := s.dial(t, d)
		speak(conn, "one", "two", "QUIT")
		require.NoError(t, conn.Close())
		lease := acquire(t, pool)
		speak(lease.Conn(), "one", "quit")
		lease.Release()
		require.NoError(t, pool.Do(t.Context(), func(ctx context.Context, conn net.Conn) error {
			return Do(ctx, conn, func() error { speak(conn, "one", "Quit"); return nil })
		}))
	}
	require.EqualValues(t, 300, s.accepted.Load())
}

// The end of the stream after a goodbye is no failure, which would have the other
// connections checked.
func TestFault66_TheEndAfterAGoodbyeMakesNothingSuspect(t *testing.T) {
	s := hangingUp(t)
	cfg := PoolConfig("tcp", s.address(), Options{Goodbye: []string{"QUIT"}})
	conn, err := cfg.Connect(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	write(t, conn, "QUIT\r\n")
	_, err = io.ReadAll(conn)
	require.NoError(t, err)
	require.False(t, conn.(*Conn).IsBad(io.EOF))
	require.ErrorIs(t, cfg.Clean(conn), errGoodbye)
}

func TestFault66_RedisHangsUpAfterQUIT(t *testing.T) {
	redis := servertest.NewRedis(t)
	d := newDialer(t, "tcp", nil)
	d.Options.Goodbye = []string{"QUIT"}
	for range 100 {
		conn, err := d.DialContext(within(t, patience), "tcp", redis.Addr())
		require.NoError(t, err)
		answer, err := ask(conn, "*1\r\n$4\r\nPING\r")
		require.NoError(t, err)
		require.Equal(t, "+PONG\r", answer)
		answer, err = ask(conn, "*1\r\n$4\r\nQUIT\r")
		require.NoError(t, err)
		require.Equal(t, "+OK\r", answer)
		require.NoError(t, conn.Close())
	}
	require.EqualValues(t, 100, d.Stats()[0].Connects)
}

// Either side says it, in a header of the request or of the reply.
func TestFault66_HTTPSaysConnectionClose(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/close" {
			w.Header().Set("Connection", "close")
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer s.Close()
	d := newDialer(t, "tcp", nil)
	d.Options.Goodbye = []string{"Connection: close"}
	get := func(path, header string) {
		t.Helper()
		conn, err := d.DialContext(within(t, patience), "tcp", s.Listener.Addr().String())
		require.NoError(t, err)
		defer conn.Close()
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: h\r\n%s\r\n", path, header)
		reply, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusNoContent, reply.StatusCode)
	}
	for range 30 {
		get("/", "")
		get("/close", "")
		get("/", "connection: Close\r\n")
	}
	require.GreaterOrEqual(t, d.Stats()[0].Connects, uint64(60))
}

func TestAGoodbyeIsRecognisedHoweverItIsCut(t *testing.T) {
	goodbyes := []string{"QUIT", "* BYE", "421"}
	for text, want := range map[string]bool{
		"QUIT\r\n":                    true,
		"quit\n":                      true,
		" Quit \n":                    true,
		"NOOP\r\nQUIT\r\nNOOP\r\n":    true,
		"* BYE logging out\r\n":       true,
		"421 4.3.2 shutting down\r\n": true,
		"421\n":                       true,
		"QUIT":                        false, // not said yet
		"QUITE\n":                     false,
		"4210 bytes\n":                false,
		"DO NOT QUIT\n":               false,
		"\n\n\n":                      false,
		"":                            false,
		strings.Repeat("x", 3*longestLine) + "QUIT\n":   false,
		strings.Repeat("x", 3*longestLine) + "\nQUIT\n": true,
	} {
		for piece := 1; piece <= len(text)+1; piece += max(1, len(text)/7) {
			var l line
			said := false
			for rest := []byte(text); len(rest) > 0; {
				n := min(piece, len(rest))
				said = l.says(rest[:n], goodbyes) || said
				rest = rest[n:]
			}
			require.Equal(t, want, said, "%q by %d", text, piece)
		}
	}
	var l line
	require.False(t, l.says([]byte("\nQUIT\n"), nil))
	require.False(t, l.says([]byte("\n\n"), []string{""}), "an empty line is no goodbye")
}

// What a user has begun to say is not the beginning of what the next one says.
func TestTheNextUserBeginsALineOfItsOwn(t *testing.T) {
	client, server := pair(t, "tcp")
	go io.Copy(server, server)
	conn := &Conn{inner: client, options: &Options{Goodbye: []string{"QUIT"}}}
	write(t, conn, "QU")
	read(t, conn, 2)
	require.NoError(t, clean(conn))
	write(t, conn, "IT\n")
	read(t, conn, 3)
	require.NoError(t, clean(conn))
}
