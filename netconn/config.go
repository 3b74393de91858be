package netconn

import (
	"context"
	"crypto/tls"
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

	// TLS, if not nil, has every connection speak TLS. ServerName is by default the
	// host of the address, which a Unix socket has not. Without a
	// ClientSessionCache there is one for all connections of the pool or Dialer, so
	// that only the first needs the full handshake.
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
}

// PoolConfig returns the configuration of a pool of connections to one address,
// with Name, Connect, Close, Alive, Clean and Check filled in. All else is the
// caller's, MaxSize to begin with.
//
// Connect dials, does the TLS handshake and then Options.Handshake. Clean clears
// deadlines and destroys a connection that comes back dead or with bytes unread,
// TLS's buffers included. Alive destroys one on which something has happened
// since. Check listens for what Alive could not tell, and then runs
// Options.Check. IsBad is connpool's default: every net.Error, the end of a
// stream, and context errors destroy; a protocol's own errors, which come with a
// whole reply, do not.
func PoolConfig(network, address string, o Options) connpool.Config[net.Conn] {
	o.TLS = withSessions(o.TLS)
	t := target{network: network, address: address, Options: o}
	return connpool.Config[net.Conn]{
		Name:    address,
		Connect: t.connect,
		Close:   func(_ context.Context, conn net.Conn) error { return conn.Close() },
		Alive:   look, // what TLS holds in its buffers has been seen to by clean
		Clean:   clean,
		Check:   t.check,
	}
}

// target is where connections are opened to, and how.
type target struct {
	network, address string
	Options
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

// withSessions returns a configuration that remembers sessions.
func withSessions(c *tls.Config) *tls.Config {
	if c == nil || c.ClientSessionCache != nil {
		return c
	}
	c = c.Clone()
	c.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	return c
}

// check decides what Alive could not tell, and has Options.Check decide whether
// the server still answers.
func (t target) check(ctx context.Context, conn net.Conn) error {
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
