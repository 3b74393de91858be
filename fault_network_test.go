package connpool_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
)

// A line is a request, and a line is its answer: the protocol of these tests. A
// server answers what it is asked to say, in the way that it is told to:
//
//	"say hello"     hello
//	"reset"         cuts the connection off
//	"half hello"    half of the answer, and hangs up
//	"slices hello"  the answer, a byte at a time
//	"stall hello"   half of the answer, and no more
type lineServer struct {
	net.Listener
	conns sync.WaitGroup
	stop  chan struct{}
}

func startLineServer(t *testing.T) *lineServer {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &lineServer{Listener: listener, stop: make(chan struct{})}
	s.conns.Go(s.accept)
	t.Cleanup(func() {
		close(s.stop)
		s.Close()
		s.conns.Wait()
	})
	return s
}

func (s *lineServer) accept() {
	for {
		conn, err := s.Accept()
		if err != nil {
			return
		}
		s.conns.Go(func() {
			defer conn.Close()
			s.serve(conn.(*net.TCPConn))
		})
	}
}

func (s *lineServer) serve(conn *net.TCPConn) {
	requests := bufio.NewScanner(conn)
	for requests.Scan() {
		how, answer, _ := strings.Cut(requests.Text(), " ")
		if !s.answer(conn, how, answer+"\n") {
			return
		}
	}
}

// answer reports whether the connection goes on.
func (s *lineServer) answer(conn *net.TCPConn, how, text string) bool {
	half := text[:len(text)/2]
	var err error
	switch how {
	case "reset":
		err = errors.Join(conn.SetLinger(0), conn.Close())
		return false
	case "half":
		_, err = io.WriteString(conn, half)
		return false
	case "stall":
		_, err = io.WriteString(conn, half)
		<-s.stop
		return false
	case "slices":
		err = s.slices(conn, text)
	default:
		_, err = io.WriteString(conn, text)
	}
	return err == nil
}

func (s *lineServer) slices(conn *net.TCPConn, text string) error {
	if err := conn.SetNoDelay(true); err != nil {
		return err
	}
	for i := range len(text) {
		if _, err := conn.Write([]byte{text[i]}); err != nil {
			return err
		}
		time.Sleep(time.Millisecond) // so that each is a packet of its own
	}
	return nil
}

// line is a connection to a lineServer.
type line struct {
	net.Conn
	id      int64
	answers *bufio.Reader
}

// ask makes one request, within the context.
func (l *line) ask(ctx context.Context, request string) (string, error) {
	if deadline, ok := ctx.Deadline(); ok {
		if err := l.SetDeadline(deadline); err != nil {
			return "", err
		}
	}
	if _, err := fmt.Fprintln(l, request); err != nil {
		return "", err
	}
	answer, err := l.answers.ReadString('\n')
	if err != nil {
		return answer, err
	}
	return strings.TrimSuffix(answer, "\n"), l.SetDeadline(time.Time{})
}

// newLines returns a pool of connections to the server.
func newLines(t *testing.T, s *lineServer, edit func(*connpool.Config[*line])) *connpool.Pool[*line] {
	var last atomic.Int64
	cfg := connpool.Config[*line]{
		Connect: func(ctx context.Context) (*line, error) {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Addr().String())
			if err != nil {
				return nil, err
			}
			return &line{Conn: conn, id: last.Add(1), answers: bufio.NewReader(conn)}, nil
		},
		MaxSize: 1,
		Logger:  slog.New(slog.DiscardHandler),
	}
	if edit != nil {
		edit(&cfg)
	}
	p, err := connpool.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Shutdown(context.Background())) })
	return p
}

// requireAnswers makes a plain request, and returns the number of the connection
// that it used.
func requireAnswers(t *testing.T, p *connpool.Pool[*line], text string) (id int64) {
	t.Helper()
	require.NoError(t, p.Do(t.Context(), func(ctx context.Context, l *line) error {
		id = l.id
		answer, err := l.ask(ctx, "say "+text)
		require.Equal(t, text, answer)
		return err
	}))
	return id
}

func TestFault30_AConnectionThatBreaksInTheMiddleIsNeverLentAgain(t *testing.T) {
	for _, tc := range []struct {
		request string
		patient time.Duration
	}{
		{"reset", time.Minute},
		{"half of an answer", time.Minute},
		{"stall in the middle", 50 * time.Millisecond}, // and the caller does not wait for the rest
	} {
		t.Run(tc.request, func(t *testing.T) {
			p := newLines(t, startLineServer(t), nil)
			require.EqualValues(t, 1, requireAnswers(t, p, "one"))
			require.EqualValues(t, 1, requireAnswers(t, p, "two"), "what works is kept")

			ctx, cancel := context.WithTimeout(t.Context(), tc.patient)
			defer cancel()
			err := p.Do(ctx, func(ctx context.Context, l *line) error {
				require.EqualValues(t, 1, l.id)
				_, err := l.ask(ctx, tc.request)
				return err
			})
			require.Error(t, err)
			require.EqualValues(t, 1, p.Stats().Closes[connpool.ClosedDiscarded])
			require.EqualValues(t, 2, requireAnswers(t, p, "three"), "nothing of the old answer is left")
			require.EqualValues(t, 2, p.Stats().Connects)
		})
	}
}

func TestFault30_AnAnswerInSlicesBreaksNothing(t *testing.T) {
	p := newLines(t, startLineServer(t), nil)
	const text = "all in good time"
	require.NoError(t, p.Do(t.Context(), func(ctx context.Context, l *line) error {
		answer, err := l.ask(ctx, "slices "+text)
		require.Equal(t, text, answer)
		return err
	}))
	require.EqualValues(t, 1, requireAnswers(t, p, "and on"))
}

// A peer that takes what it is sent and never answers, as behind a firewall that
// has begun to drop everything. Pipes, in a bubble: the time that passes is the
// time that something waits for.
func TestFault29_ACheckIntoABlackHoleIsBoundedAndItsBorrowerGetsAnother(t *testing.T) {
	for name, heedless := range map[string]bool{"a Check that sets a deadline": false, "a Check that waits for ever": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hole := newBlackHole()
				p := hole.pool(t, heedless)
				borrow(t, p, 1)
				hole.open.Store(true) // from now on connection 1 is in the dark, and new ones are not
				time.Sleep(10 * time.Second)

				began := time.Now()
				borrow(t, p, 2)
				const grace = 10 * time.Millisecond // the pool's, for a Check that is about to return
				require.LessOrEqual(t, time.Since(began), checkTimeout+grace)
				require.EqualValues(t, 1, p.Stats().Closes[connpool.ClosedCheck])

				if heedless {
					require.Equal(t, 1, p.Stats().Abandoned)
				}
				close(hole.gone)
				require.NoError(t, p.Shutdown(t.Context()))
				synctest.Wait()
				require.Zero(t, p.Stats().Abandoned)
				require.EqualValues(t, 2, hole.closed.Load(), "the one in the dark is closed, too, once its Check lets go of it")
			})
		})
	}
}

const checkTimeout = 300 * time.Millisecond

func borrow(t *testing.T, p *connpool.Pool[*line], want int64) {
	t.Helper()
	lease, err := p.Acquire(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, lease.Conn().id)
	lease.Release()
}

// blackHole is the other end of pipes: it reads everything, and answers
// connection 1 only until the hole has opened.
type blackHole struct {
	open   atomic.Bool
	opened atomic.Int64
	closed atomic.Int64
	gone   chan struct{} // closed when heedless Checks may end
}

func newBlackHole() *blackHole { return &blackHole{gone: make(chan struct{})} }

func (h *blackHole) pool(t *testing.T, heedless bool) *connpool.Pool[*line] {
	p, err := connpool.New(connpool.Config[*line]{
		Connect: func(context.Context) (*line, error) { return h.dial(), nil },
		Close:   func(_ context.Context, l *line) error { h.closed.Add(1); return l.Close() },
		Check: func(ctx context.Context, l *line) error {
			if heedless && h.open.Load() && l.id == 1 {
				<-h.gone
				return io.EOF
			}
			_, err := l.ask(ctx, "ping")
			return err
		},
		CheckTimeout: checkTimeout, CheckInterval: -1,
		MaxSize: 1,
		Logger:  slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	return p
}

func (h *blackHole) dial() *line {
	here, there := net.Pipe()
	l := &line{Conn: here, id: h.opened.Add(1), answers: bufio.NewReader(here)}
	go func() {
		for requests := bufio.NewScanner(there); requests.Scan(); {
			if h.open.Load() && l.id == 1 {
				continue
			}
			fmt.Fprintln(there, "pong")
		}
	}()
	return l
}
