package netconn

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
)

// patience bounds waits for what must come. No test takes as long.
const patience = 20 * time.Second

// within returns a context that ends after d.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// kinds are the connections that the tests of sockets run on.
var kinds = []string{"tcp", "unix", "tls"}

// onEach runs a test on a fresh pair of connected sockets of each kind.
func onEach(t *testing.T, test func(t *testing.T, client, server net.Conn)) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			client, server := pair(t, kind)
			test(t, client, server)
		})
	}
}

// pair returns the two ends of a connection. The client of a TLS pair has read
// the session tickets, as it has after its first reply.
func pair(t testing.TB, kind string) (client, server net.Conn) {
	t.Helper()
	client, server = freshPair(t, kind)
	if kind == "tls" {
		write(t, server, "x")
		read(t, client, 1)
	}
	return client, server
}

// freshPair is pair without a byte having been sent.
func freshPair(t testing.TB, kind string) (client, server net.Conn) {
	t.Helper()
	listener := listenOn(t, kind)
	accepted := make(chan net.Conn, 1)
	go func() {
		defer close(accepted)
		conn, err := listener.Accept()
		if err != nil {
			return // dial fails, too, and tells
		}
		if secure, ok := conn.(*tls.Conn); ok && secure.HandshakeContext(context.Background()) != nil {
			conn.Close()
			return
		}
		accepted <- conn
	}()
	to := target{listener.Addr().Network(), listener.Addr().String(), optionsFor(kind)}
	client, err := to.connect(within(t, patience))
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	server, ok := <-accepted
	require.True(t, ok, "accepted")
	t.Cleanup(func() { server.Close() })
	return client, server
}

// optionsFor returns what it takes to open a connection of that kind. Over TLS the
// server sends session tickets, as it does where the client has a cache for them.
func optionsFor(kind string) Options {
	if kind == "tls" {
		cache := tls.NewLRUClientSessionCache(0)
		return Options{TLS: &tls.Config{RootCAs: identity().roots, ClientSessionCache: cache}}
	}
	return Options{}
}

func listenOn(t testing.TB, kind string) net.Listener {
	t.Helper()
	network, address := "tcp", "127.0.0.1:0"
	if kind == "unix" {
		network, address = "unix", socketPath(t)
	}
	listener, err := net.Listen(network, address)
	require.NoError(t, err)
	if kind == "tls" {
		listener = tls.NewListener(listener, &tls.Config{
			Certificates: []tls.Certificate{identity().cert},
			// Asked for a certificate, even one that it does not have, the client gets
			// its session tickets after the handshake, as from most servers. Go's own
			// sends them along with it otherwise.
			ClientAuth: tls.RequestClientCert,
		})
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

// socketPath returns a path short enough for a socket, which t.TempDir's may not
// be.
func socketPath(t testing.TB) string {
	dir, err := os.MkdirTemp("", "netconn")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

type certificate struct {
	cert  tls.Certificate
	roots *x509.CertPool
}

// identity returns the certificate of 127.0.0.1, made for this run.
var identity = sync.OnceValue(func() certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return certificate{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots}
})

func write(t testing.TB, conn net.Conn, text string) {
	t.Helper()
	_, err := io.WriteString(conn, text)
	require.NoError(t, err)
}

func read(t testing.TB, conn net.Conn, n int) string {
	t.Helper()
	buf := make([]byte, n)
	_, err := io.ReadFull(conn, buf)
	require.NoError(t, err)
	return string(buf)
}

// requireSoon waits for what is on its way through the kernel.
func requireSoon(t testing.TB, target error, f func() error) {
	t.Helper()
	var last error
	for began := time.Now(); time.Since(began) < patience; time.Sleep(time.Millisecond) {
		if last = f(); last != nil && errors.Is(last, target) {
			return
		}
	}
	require.ErrorIs(t, last, target)
}

// hidden is a connection of a type of one's own around a net.Conn.
type hidden struct{ net.Conn }

// buffering is a wrapper that tells what it wraps, as tls.Conn does.
type buffering struct{ hidden }

func (b buffering) NetConn() net.Conn { return b.Conn }

// transparent is a wrapper that does not hide its socket.
type transparent struct{ *net.TCPConn }

// server answers lines: "echo x" with x, "half x" with x and no line's end,
// "twice x" with two lines, "silence" not at all, and "hang up" by closing.
type server struct {
	kind     string
	listener net.Listener
	answer   func(net.Conn) // all that is said on a connection
	accepted atomic.Int64
	serving  sync.WaitGroup

	mu struct {
		sync.Mutex
		conns map[net.Conn]bool
	}
}

func startServer(t testing.TB, kind string) *server {
	s := &server{kind: kind, listener: listenOn(t, kind), answer: answerLines}
	s.start(t)
	return s
}

func (s *server) start(t testing.TB) {
	s.mu.conns = map[net.Conn]bool{}
	s.serving.Go(s.accept)
	t.Cleanup(s.stop)
}

func (s *server) network() string { return s.listener.Addr().Network() }
func (s *server) address() string { return s.listener.Addr().String() }

func (s *server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return // closed by stop
		}
		s.accepted.Add(1)
		s.note(conn, true)
		s.serving.Go(func() {
			defer s.note(conn, false)
			defer conn.Close()
			s.answer(conn)
		})
	}
}

func (s *server) note(conn net.Conn, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if open {
		s.mu.conns[conn] = true
	} else {
		delete(s.mu.conns, conn)
	}
}

// open returns how many connections the server has that nobody has closed.
func (s *server) open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mu.conns)
}

func answerLines(conn net.Conn) {
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		verb, text, _ := strings.Cut(lines.Text(), " ")
		answer := map[string]string{"echo": text + "\n", "half": text, "twice": text + "\n" + text + "\n"}[verb]
		if verb == "hang" {
			return
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

// cut closes all connections, with a FIN.
func (s *server) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.mu.conns {
		conn.Close()
	}
}

// say says something that nobody has asked for, on all connections. The client may
// have closed them.
func (s *server) say(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.mu.conns {
		io.WriteString(conn, text)
	}
}

func (s *server) stop() {
	s.listener.Close()
	s.cut()
	s.serving.Wait()
}

// newPool returns a pool of connections to the server.
func (s *server) newPool(t testing.TB, o Options, edit func(*connpool.Config[net.Conn])) *connpool.Pool[net.Conn] {
	o.TLS = optionsFor(s.kind).TLS
	cfg := PoolConfig(s.network(), s.address(), o)
	cfg.Logger = slog.New(slog.DiscardHandler)
	if edit != nil {
		edit(&cfg)
	}
	pool, err := connpool.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, pool.Shutdown(ctx))
	})
	return pool
}

// ask sends a line and returns the line that answers it, reading not a byte more.
func ask(conn net.Conn, line string) (string, error) {
	if _, err := fmt.Fprintln(conn, line); err != nil {
		return "", err
	}
	return readLine(conn)
}

func readLine(conn net.Conn) (string, error) {
	var line []byte
	for b := make([]byte, 1); ; line = append(line, b[0]) {
		if _, err := io.ReadFull(conn, b); err != nil {
			return string(line), err
		}
		if b[0] == '\n' {
			return string(line), nil
		}
	}
}

func requireEcho(t testing.TB, conn net.Conn, text string) {
	t.Helper()
	answer, err := ask(conn, "echo "+text)
	require.NoError(t, err)
	require.Equal(t, text, answer)
}

func acquire(t testing.TB, pool *connpool.Pool[net.Conn]) connpool.Lease[net.Conn] {
	t.Helper()
	lease, err := pool.Acquire(within(t, patience))
	require.NoError(t, err)
	return lease
}
