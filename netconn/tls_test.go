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
	"log/slog"
	"math/big"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
)

// startIdentifier starts a TLS server that answers every line with the number of
// the client's certificate and whether the session was resumed.
func startIdentifier(t *testing.T) (address string) {
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{identity().cert},
		ClientAuth:   tls.RequireAnyClientCert,
	})
	require.NoError(t, err)
	s := &server{listener: listener, answer: func(conn net.Conn) {
		secure := conn.(*tls.Conn)
		if secure.HandshakeContext(context.Background()) != nil {
			return
		}
		state := secure.ConnectionState()
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			fmt.Fprintln(conn, state.PeerCertificates[0].SerialNumber, "resumed:", state.DidResume)
		}
	}}
	s.start(t)
	return s.address()
}

// clientCertificate returns a certificate with that serial number.
func clientCertificate(t *testing.T, number int64) *tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(number),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// wary is a client's configuration with certificates that change, for a server
// that may come to be refused.
func wary(t *testing.T) (cfg *tls.Config, number *atomic.Int64, refused *atomic.Pointer[error]) {
	certificates := map[int64]*tls.Certificate{1: clientCertificate(t, 1), 2: clientCertificate(t, 2)}
	number, refused = new(atomic.Int64), new(atomic.Pointer[error])
	number.Store(1)
	return &tls.Config{
		RootCAs: identity().roots,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return certificates[number.Load()], nil
		},
		VerifyPeerCertificate: func([][]byte, [][]*x509.Certificate) error {
			if err := refused.Load(); err != nil {
				return *err
			}
			return nil
		},
	}, number, refused
}

var errRevoked = errors.New("the server's certificate has been revoked")

// What a pool and a Dialer see of a server must be what crypto/tls itself would
// see with the same configuration.
func TestFault62_AfterRetireTheServerSeesTheRotatedCertificate(t *testing.T) {
	cfg, number, _ := wary(t)
	pool := poolOf(t, startIdentifier(t), Options{TLS: cfg})
	answer, err := request(t.Context(), pool, "who am I?")
	require.NoError(t, err)
	require.Equal(t, "1 resumed: false", answer)

	number.Store(2)
	pool.Retire()
	answer, err = request(t.Context(), pool, "who am I?")
	require.NoError(t, err)
	require.Equal(t, "2 resumed: false", answer)
}

func TestFault62_AServerThatTheVerifierNowRefusesIsRefused(t *testing.T) {
	cfg, _, refused := wary(t)
	pool := poolOf(t, startIdentifier(t), Options{TLS: cfg})
	_, err := request(t.Context(), pool, "who am I?")
	require.NoError(t, err)

	refused.Store(&errRevoked)
	pool.Retire()
	_, err = request(within(t, patience), pool, "who am I?")
	require.ErrorIs(t, err, errRevoked)
}

func TestFault62_ADialerResumesNothingThatItWasNotToldTo(t *testing.T) {
	cfg, number, refused := wary(t)
	d := newDialer(t, "tcp", func(c *connpool.Config[net.Conn]) { c.DownAfter = time.Millisecond })
	d.Options.TLS = cfg
	address := startIdentifier(t)
	for n := range 2 {
		number.Store(int64(n + 1))
		conn, err := d.DialContext(within(t, patience), "tcp", address)
		require.NoError(t, err)
		answer, err := ask(conn, "who am I?")
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("%d resumed: false", n+1), answer)
		require.NoError(t, conn.(*Conn).Discard())
	}
	d.CloseIdle()
	refused.Store(&errRevoked)
	_, err := d.DialContext(within(t, patience), "tcp", address)
	require.ErrorIs(t, err, errRevoked)
}

func TestTheUsersOwnSessionCacheIsUsed(t *testing.T) {
	cfg, _, _ := wary(t)
	cfg.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	pool := poolOf(t, startIdentifier(t), Options{TLS: cfg})
	for n := range 2 {
		answer, err := request(t.Context(), pool, "who am I?")
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("1 resumed: %t", n > 0), answer)
		pool.Retire()
	}
}

func poolOf(t *testing.T, address string, o Options) *connpool.Pool[net.Conn] {
	cfg := PoolConfig("tcp", address, o)
	cfg.Logger, cfg.DownAfter = slog.New(slog.DiscardHandler), time.Millisecond
	pool, err := connpool.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, pool.Shutdown(ctx))
	})
	return pool
}
