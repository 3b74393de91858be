package netconn

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/connpool/connpool"
)

// Options says how connections are opened and checked. The zero value opens
// plain ones and needs nothing of the protocol. All functions may be called from
// several goroutines at once.
type Options struct {
	// Dial opens a connection. Default: DialContext of a zero net.Dialer. Set it to
	// another's DialContext for time-outs, keep-alive, a local address, a proxy or
	// a tunnel.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// TLS, if not nil, has every connection speak TLS, as tls.Client does with it.
	// ServerName is by default the host of the address, which a Unix socket has
	// not. Nothing else is added.
	//
	// In particular there is no ClientSessionCache unless you set one. With one,
	// later connections resume the session of an earlier one, which saves half of
	// the handshake, and crypto/tls does not ask again what it asked then:
	// VerifyPeerCertificate is not called (VerifyConnection is), the server goes on
	// seeing the client certificate of the first handshake, and that its own has
	// been revoked goes unnoticed; all that after Retire as well. Whether
	// other RootCAs are noticed depends on the version of Go.
	TLS *tls.Config

	// Handshake readies a connection that has just been opened, such as by reading
	// the server's greeting or by logging in. It runs as Do runs requests, so it
	// need not set deadlines. It must read the whole of what the server answers.
	// Default: none.
	Handshake func(ctx context.Context, conn net.Conn) error

	// Check finds out by a round trip whether a connection works, as
	// connpool.Config.Check does. It runs as Do runs requests. Default: none. A
	// server that is gone without a word is then found out by the request. On
	// connections that hide their socket (see the package's documentation) it must
	// not take a reply that somebody has left unread for its own: have it ask for
	// what nobody else asks for.
	Check func(ctx context.Context, conn net.Conn) error

	// Goodbye lists the lines after which the server hangs up: "QUIT" for SMTP, FTP,
	// POP3, Redis and memcached, "Connection: close" for HTTP, "* BYE" for IMAP. Once
	// a line that was written or read is one of them, or begins with one and a
	// space, the connection is not given back: the server's FIN may come when it has
	// been lent again. Case and the space around a line do not matter. Lines longer
	// than 256 bytes are compared up to there. A text that happens to have such a line
	// in it costs a connection and nothing else. Default: none.
	Goodbye []string

	// OneWay says that the server replies to nothing. Otherwise a connection whose
	// last call was a Write is not given back, as the reply, of which nothing has
	// been read, would be taken for the reply to the next request. A request under
	// Do that returns nil may end with a Write without this.
	OneWay bool
}

// PoolConfig returns the configuration of a pool of connections to one address,
// with Name, Connect, Close, Alive, Clean and Check filled in. All else is the
// caller's, MaxSize to begin with.
//
// The connections are *Conns, which know what has happened to them: the TLS
// connection or the socket is below, see Conn.NetConn. Connect dials, does the TLS
// handshake and then Options.Handshake. Clean clears deadlines and destroys a
// connection that comes back unfit, for which see Conn, or dead, or with bytes
// unread, TLS's buffers included. Alive destroys one on which something has
// happened since. Check listens for what Alive could not tell, and then runs
// Options.Check. IsBad is left to the connection, see Conn.IsBad: where work ends
// with an error that is another system's or the protocol's own, no connection is
// lost. A Connect that puts a type of its own around the connection has its errors
// judged by connpool.DefaultIsBad instead, unless that type has an IsBad.
func PoolConfig(network, address string, o Options) connpool.Config[net.Conn] {
	t := target{network: network, address: address, Options: o}
	cfg := t.config()
	cfg.Connect = func(ctx context.Context) (net.Conn, error) {
		conn, err := t.connect(ctx)
		if err != nil {
			return nil, err
		}
		return &Conn{inner: conn, options: &t.Options}, nil
	}
	return cfg
}

// target is where connections are opened to, and how.
type target struct {
	network, address string
	Options
}

// config is PoolConfig with connections of which nothing is noted.
func (t target) config() connpool.Config[net.Conn] {
	return connpool.Config[net.Conn]{
		Name:    t.address,
		Connect: t.connect,
		Close:   func(_ context.Context, conn net.Conn) error { return closed(conn.Close()) },
		Alive:   look, // what TLS holds in its buffers has been seen to by clean
		Clean:   clean,
		Check:   t.check,
	}
}

// closed is the error of a Close. The user may have closed the connection already.
func closed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (t target) connect(ctx context.Context) (ready net.Conn, err error) {
	conn, err := t.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if ready == nil { // also if Handshake panics
			_ = conn.Close() // err says more
		}
	}()
	return t.ready(ctx, conn)
}

func (t target) dial(ctx context.Context) (net.Conn, error) {
	if t.Dial != nil {
		return t.Dial(ctx, t.network, t.address)
	}
	var d net.Dialer
	return d.DialContext(ctx, t.network, t.address)
}

// ready does the handshakes. If it fails, closing conn closes what it has made
// of it.
func (t target) ready(ctx context.Context, conn net.Conn) (net.Conn, error) {
	if t.TLS != nil {
		secure := tls.Client(conn, t.tlsConfig())
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		conn = secure
	}
	if t.Handshake != nil {
		if err := roundTrip(ctx, conn, t.Handshake); err != nil {
			return nil, err
		}
	}
	return conn, nil
}

// tlsConfig names the server, which its certificate must match.
func (t target) tlsConfig() *tls.Config {
	host, _, err := net.SplitHostPort(t.address)
	if err != nil || t.TLS.ServerName != "" || strings.HasPrefix(t.network, "unix") {
		return t.TLS // the handshake says so if a name is needed
	}
	named := t.TLS.Clone()
	named.ServerName = host
	return named
}

// check decides what Alive could not tell, and has Options.Check decide whether
// the server still answers.
func (t target) check(ctx context.Context, conn net.Conn) error {
	conn = below(conn)
	err := Alive(conn)
	if err == errRecords || err == errHidden && t.Check == nil {
		err = listen(conn)
	}
	switch {
	case err != nil && err != errHidden:
		return err
	case t.Check == nil:
		return nil
	}
	return roundTrip(ctx, conn, t.Check)
}

// roundTrip runs a callback that speaks with the server, and sees to it that it
// leaves nothing unread.
func roundTrip(ctx context.Context, conn net.Conn, f func(context.Context, net.Conn) error) error {
	if err := Do(ctx, conn, func() error { return f(ctx, conn) }); err != nil {
		return err
	}
	return clean(conn)
}

// listening is how long listen waits for bytes that have arrived but cannot be
// seen: long enough to be given the processor and read them, short enough for a
// borrower to wait.
const listening = 5 * time.Millisecond

// listen reads what has arrived: nothing that anybody has sent for, on a
// connection that is fit to be lent. Session tickets, and the like that TLS keeps
// to itself, are gone afterwards. Half a record would be gone, too, and out of
// sight: reading does not tell it from silence.
func listen(conn net.Conn) error {
	if secure, ok := conn.(*tls.Conn); ok && !wholeRecords(arrived(secure.NetConn(), make([]byte, largestRecord))) {
		return ErrUnread
	}
	if err := probe(conn, time.Now().Add(listening)); err != nil {
		return err
	}
	return look(conn)
}
