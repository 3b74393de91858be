package keyed

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
)

// Fixtures of the package's tests. All of them work inside a synctest bubble and
// outside.

// fakeConn is a connection that notices when two use it at once, and when it is
// used after it has been closed.
type fakeConn struct {
	fleet  *fleet
	key    string
	owners atomic.Int32
	closed atomic.Bool
}

// use uses the connection for a while, as one of the key's.
func (c *fakeConn) use(key string, d time.Duration) {
	if c.key != key {
		c.fleet.t.Errorf("a connection of %s was lent for %s", c.key, key)
	}
	if c.owners.Add(1) != 1 || c.closed.Load() {
		c.fleet.t.Errorf("a connection of %s has another user, or none", c.key)
	}
	if d > 0 {
		time.Sleep(d)
	}
	c.owners.Add(-1)
}

// fleet is the servers of all keys.
type fleet struct {
	t     testing.TB
	total gauge // dials and connections, over all keys
	fors  atomic.Int64

	mu   sync.Mutex
	keys map[string]*server
}

// server is what there is at one key.
type server struct {
	slots gauge // from the start of a dial to its failure or the end of Close
	dials atomic.Int64
	err   atomic.Pointer[error] // dials fail with it
}

func newFleet(t testing.TB) *fleet { return &fleet{t: t, keys: make(map[string]*server)} }

func (f *fleet) at(key string) *server {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.keys[key] == nil {
		f.keys[key] = new(server)
	}
	return f.keys[key]
}

var quiet = slog.New(slog.DiscardHandler)

var errRefused = errors.New("connection refused")

// down has a key's dials fail from now on.
func (f *fleet) down(key string) { err := errRefused; f.at(key).err.Store(&err) }

func (f *fleet) up(key string) { f.at(key).err.Store(nil) }

// describe is a Config's For.
func (f *fleet) describe(key string) (connpool.Config[*fakeConn], error) {
	f.fors.Add(1)
	s := f.at(key)
	return connpool.Config[*fakeConn]{
		Name: key,
		Connect: func(context.Context) (*fakeConn, error) {
			s.dials.Add(1)
			s.slots.add(1)
			f.total.add(1)
			if err := s.err.Load(); err != nil {
				s.slots.add(-1)
				f.total.add(-1)
				return nil, *err
			}
			return &fakeConn{fleet: f, key: key}, nil
		},
		Close: func(_ context.Context, c *fakeConn) error {
			if c.closed.Swap(true) {
				f.t.Errorf("a connection of %s was closed twice", key)
			}
			s.slots.add(-1)
			f.total.add(-1)
			return nil
		},
		Logger: slog.New(slog.DiscardHandler),
	}, nil
}

// newPool returns a Pool over a fleet. When the test ends it is shut down, and
// must have closed whatever it opened and never have opened too much.
func newPool(t testing.TB, edit func(*Config[string, *fakeConn])) (*Pool[string, *fakeConn], *fleet) {
	t.Helper()
	f := newFleet(t)
	cfg := Config[string, *fakeConn]{For: f.describe}
	if edit != nil {
		edit(&cfg)
	}
	p, err := New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, p.Shutdown(ctx))
		require.Zero(t, f.total.now(), "connections open after Shutdown")
		require.LessOrEqual(t, f.total.peak(), int64(p.cfg.MaxTotal), "connections open at once")
		for key, s := range f.keys {
			require.LessOrEqual(t, s.slots.peak(), int64(p.cfg.MaxPerKey), "of %s", key)
		}
	})
	return p, f
}

// limits returns an edit of a Config.
func limits(total, perKey int) func(*Config[string, *fakeConn]) {
	return func(c *Config[string, *fakeConn]) { c.MaxTotal, c.MaxPerKey = total, perKey }
}

// acquire returns a lease, which the test has to end.
func acquire(t testing.TB, p *Pool[string, *fakeConn], key string) connpool.Lease[*fakeConn] {
	t.Helper()
	lease, err := p.Acquire(t.Context(), key)
	require.NoError(t, err)
	return lease
}

func acquireN(t testing.TB, p *Pool[string, *fakeConn], key string, n int) (leases []connpool.Lease[*fakeConn]) {
	t.Helper()
	for range n {
		leases = append(leases, acquire(t, p, key))
	}
	return leases
}

func release(leases ...connpool.Lease[*fakeConn]) {
	for _, lease := range leases {
		lease.Release()
	}
}

// within returns a context that ends after d.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// gauge counts what there is now, and remembers the most there has been.
type gauge struct{ n, most atomic.Int64 }

func (g *gauge) add(d int64) {
	n := g.n.Add(d)
	for most := g.most.Load(); n > most && !g.most.CompareAndSwap(most, n); most = g.most.Load() {
	}
}

func (g *gauge) now() int64  { return g.n.Load() }
func (g *gauge) peak() int64 { return g.most.Load() }

// requireGoroutines checks that there are at most so many goroutines, once those
// that are ending have ended: in a bubble too they count until the scheduler has
// buried them.
func requireGoroutines(t testing.TB, most int) {
	t.Helper()
	for range 1_000_000 {
		if runtime.NumGoroutine() <= most {
			return
		}
		runtime.Gosched()
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), most)
}
