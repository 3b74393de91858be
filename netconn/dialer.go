package netconn

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/connpool/connpool"
)

// Dialer is for code that takes a dial function: its DialContext returns
// connections whose Close gives them back, to be handed out again for the same
// network and address. Each pair has a pool of its own, made when it is first
// asked for and removed when it has not been used for a while.
//
// The code that dials must not be able to tell an old connection from a new one,
// and neither must the server. That fits protocols in which the client speaks
// first, every request stands for itself, and both are silent in between: lines,
// Redis and memcached, HTTP/1.1, and with Options.OneWay statsd or syslog over TCP.
// It does not fit
//
//   - those in which the server speaks first (SMTP, FTP, POP3, IMAP, SSH, MySQL): the
//     second user would wait for a greeting that has been read. If all users need the
//     same greeting and login, let Options.Handshake do them, and the users not;
//   - those in which the code that dials logs in, chooses a database or subscribes: the
//     next user would act in the name of the last. Here, too, Options.Handshake;
//   - TLS that the code that dials begins itself: set Options.TLS instead;
//   - HTTP/2 and all others that use one connection for many requests at once.
//
// A protocol whose last word the server answers by hanging up needs
// Options.Goodbye, or Conn.Discard in place of Close: the connection seems fit for a
// moment, and would be lent again.
//
// The zero value is ready for use. A Dialer is safe for concurrent use and must
// not be copied, and its fields must not be changed, once it has been used. Shut
// it down when done with it.
type Dialer struct {
	// Options says how connections are opened and checked.
	Options Options

	// Configure, if not nil, may change the configuration of each pool when it is
	// made: MaxSize, to begin with, which is 10 unless set. A caller that finds as
	// many in use waits, for as long as its context allows. An invalid
	// configuration is the error of DialContext. Leak reports are off unless
	// LeakThreshold is set here: connections of a dial function are often meant to
	// be held.
	Configure func(network, address string, c *connpool.Config[net.Conn])

	// IdlePoolTimeout is how long a pool may have no connection in use, and nobody
	// dialling, before it is removed and its idle connections are closed. Default
	// 90 s; negative: never.
	IdlePoolTimeout time.Duration

	once sync.Once

	mu struct {
		sync.Mutex
		closed  bool
		byKey   map[key]*branch
		leaving map[*branch]bool // removed, but not all of their connections closed
	}
}

// defaultIdlePoolTimeout is what net/http's default transport keeps idle
// connections for.
const defaultIdlePoolTimeout = 90 * time.Second

type key struct{ network, address string }

// branch is the pool of one key. It is closed only by who finds users at zero, or
// closes the whole Dialer.
type branch struct {
	key
	dialer *Dialer
	pool   *connpool.Pool[net.Conn]

	// Guarded by Dialer.mu.
	users  int         // connections in use and calls that wait for one
	unused *time.Timer // started whenever users becomes zero; rings in vain if it is not any more
}

// Dial is DialContext without a context: it waits for 30 s at most.
func (d *Dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialContext returns a *Conn: an idle connection to the address, or a new one.
// Its error is a *connpool.AcquireError, through which errors.As finds the
// network's. A server that refuses connections is given a second (DownAfter) to
// come back before the caller is told. After Close the error matches
// connpool.ErrClosed.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	b, err := d.enter(key{network, address})
	if err != nil {
		return nil, err
	}
	served := false
	defer func() { // also if a callback of the user's panics
		if !served {
			b.leave()
		}
	}()
	lease, err := b.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	served = true
	return &Conn{inner: lease.Conn(), options: &d.Options, lease: lease, branch: b}, nil
}

// enter returns the pool of a key, with one user more. Pools are made without the
// lock, because Configure is the user's: of two made at once one is dropped.
func (d *Dialer) enter(k key) (*branch, error) {
	if b, err := d.join(k, nil); b != nil || err != nil {
		return b, err
	}
	fresh, err := d.open(k)
	if err != nil {
		return nil, err
	}
	b, err := d.join(k, fresh)
	if b != fresh {
		fresh.pool.Close()
	}
	return b, err
}

// join is enter for a pool that is there. If it is not, fresh takes its place,
// which may be nil.
func (d *Dialer) join(k key, fresh *branch) (*branch, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.closed {
		return nil, connpool.ErrClosed
	}
	b := d.mu.byKey[k]
	if b == nil && fresh != nil {
		b, d.mu.byKey[k] = fresh, fresh
	}
	if b != nil {
		b.users++
	}
	return b, nil
}

func (d *Dialer) open(k key) (*branch, error) {
	d.once.Do(d.begin)
	cfg := target{network: k.network, address: k.address, Options: d.Options}.config()
	cfg.LeakThreshold = -1
	if d.Configure != nil {
		d.Configure(k.network, k.address, &cfg)
	}
	pool, err := connpool.New(cfg)
	if err != nil {
		return nil, err
	}
	return &branch{key: k, dialer: d, pool: pool}, nil
}

func (d *Dialer) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.byKey, d.mu.leaving = map[key]*branch{}, map[*branch]bool{}
}

// leave ends one use of the pool. Its connection, if any, has been given back.
func (b *branch) leave() {
	d := b.dialer
	d.mu.Lock()
	defer d.mu.Unlock()
	b.users--
	patience := cmp.Or(d.IdlePoolTimeout, defaultIdlePoolTimeout)
	switch {
	case b.users > 0 || d.mu.closed || patience < 0:
	case b.unused == nil:
		b.unused = time.AfterFunc(patience, b.remove)
	default:
		b.unused.Reset(patience)
	}
}

// remove removes the pool unless somebody uses it, and returns when its
// connections are closed, or given up after CloseTimeout.
func (b *branch) remove() {
	d := b.dialer
	d.mu.Lock()
	unused := b.users == 0 && !d.mu.closed && d.mu.byKey[b.key] == b
	if unused {
		delete(d.mu.byKey, b.key)
		d.mu.leaving[b] = true
	}
	d.mu.Unlock()
	if !unused {
		return
	}
	// Without users there are no leases, so this ends, and without an error.
	_ = b.pool.Shutdown(context.Background())
	d.mu.Lock()
	delete(d.mu.leaving, b)
	d.mu.Unlock()
}

// CloseIdle closes the connections that are not in use, and removes the pools
// without users. Connections in use are not touched, and are kept when they are
// given back. It returns when those of removed pools are closed.
func (d *Dialer) CloseIdle() {
	for _, b := range d.branches() {
		for _, lease := range b.pool.AcquireIdle() {
			lease.Discard(nil)
		}
		b.remove()
	}
}

// branches returns the pools there are, those on their way out included.
func (d *Dialer) branches() []*branch {
	d.mu.Lock()
	defer d.mu.Unlock()
	branches := slices.Collect(maps.Values(d.mu.byKey))
	return slices.AppendSeq(branches, maps.Keys(d.mu.leaving))
}

// Stats returns a snapshot of each pool, by name. The name is the address, unless
// Configure has set another.
func (d *Dialer) Stats() []connpool.Stats {
	var all []connpool.Stats
	for _, b := range d.branches() {
		all = append(all, b.pool.Stats())
	}
	slices.SortFunc(all, func(a, b connpool.Stats) int { return strings.Compare(a.Pool, b.Pool) })
	return all
}

// Close closes the Dialer: DialContext fails, also where it waits already, idle
// connections are closed, and those in use are closed when they are given back.
// It waits for none of that, and returns nil.
func (d *Dialer) Close() error {
	d.mu.Lock()
	d.mu.closed = true
	for _, b := range d.mu.byKey {
		if b.unused != nil {
			b.unused.Stop()
		}
	}
	d.mu.Unlock()
	for _, b := range d.branches() {
		b.pool.Close()
	}
	return nil
}

// Shutdown closes the Dialer and waits until every connection has been given
// back and closed. If ctx ends first it returns an error that says, for each
// address, who holds what; the Dialer is closed all the same, and Shutdown may be
// called again.
func (d *Dialer) Shutdown(ctx context.Context) error {
	d.Close()
	var errs []error
	for _, b := range d.branches() {
		errs = append(errs, b.pool.Shutdown(ctx))
	}
	return errors.Join(errs...)
}
