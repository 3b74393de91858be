package pgxconn_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/internal/pgtest"
)

// transports are the ways from a pool to its server.
var transports = map[string]func(t testing.TB, server *pgtest.Server) (dsn string, edit func(*config)){
	"TCP": func(_ testing.TB, server *pgtest.Server) (string, func(*config)) {
		return server.DSN(), func(*config) {}
	},
	"a unix socket": func(_ testing.TB, server *pgtest.Server) (string, func(*config)) {
		return server.SocketDSN(), func(*config) {}
	},
	"TLS": func(t testing.TB, server *pgtest.Server) (string, func(*config)) {
		return secure(t, server), func(*config) {}
	},
	"a wrapped socket": func(_ testing.TB, server *pgtest.Server) (string, func(*config)) {
		return server.DSN(), dialing(func(c net.Conn) net.Conn { return wrapped{c.(*net.TCPConn)} })
	},
}

// wrapped is a socket with a wrapper that says what is below it.
type wrapped struct{ *net.TCPConn }

// hidden is a socket with a wrapper that says nothing.
type hidden struct{ net.Conn }

func hide(c net.Conn) net.Conn { return hidden{c} }

// dialing has all sockets wrapped.
func dialing(wrap func(net.Conn) net.Conn) func(*config) {
	return func(c *config) {
		dial := c.ConnConfig.DialFunc
		c.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return wrap(conn), nil
		}
	}
}

// secure has a server speak TLS, with a certificate of the test's own, and
// returns the DSN for it.
func secure(t testing.TB, server *pgtest.Server) string {
	w := watch(t, server)
	cert, key := certificate(t)
	for file, content := range map[string]string{"server.crt": cert, "server.key": key} {
		// The key must be the server's account's, and nobody else's to read.
		tell(t, w.Conn, fmt.Sprintf(`copy (select unnest(string_to_array('%s', E'\n'))) to program 'umask 077; cat > %s'`, content, file))
	}
	tell(t, w.Conn, "alter system set ssl = on", "select pg_reload_conf()")
	await(t, func() bool { return ask[string](t, w, "show ssl") == "on" })
	return strings.Replace(server.DSN(), "sslmode=disable", "sslmode=require", 1)
}

// certificate returns a certificate and its key, as PEM.
func certificate(t testing.TB) (cert, key string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "a test"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

// relay stands between a pool and its server, and may put in a word of its own.
type relay struct {
	net.Listener
	server string
	mu     struct {
		sync.Mutex
		clients []net.Conn
	}
}

// between starts a relay and returns the DSN that leads through it.
func between(t testing.TB, server *pgtest.Server) (*relay, string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &relay{Listener: listener, server: server.Addr()}
	t.Cleanup(func() { _ = listener.Close() })
	go r.accept()
	return r, strings.Replace(server.DSN(), server.Addr(), listener.Addr().String(), 1)
}

func (r *relay) accept() {
	for {
		client, err := r.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", r.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		r.mu.Lock()
		r.mu.clients = append(r.mu.clients, client)
		r.mu.Unlock()
		go pipe(client, server)
		go pipe(server, client)
	}
}

// pipe copies what one says to the other, until one of the two hangs up.
func pipe(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = from.Close()
}

// say says something to all clients, who are idle, and waits until it has had
// time to arrive.
func (r *relay) say(t testing.TB, message pgproto3.BackendMessage) {
	data, err := message.Encode(nil)
	require.NoError(t, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.mu.clients {
		_, err := c.Write(data)
		require.NoError(t, err)
	}
	time.Sleep(10 * time.Millisecond)
}
