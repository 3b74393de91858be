package connpool

import (
	"bytes"
	"context"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Fixtures of the package's tests. All of them work inside a synctest bubble and
// outside.

// newPool returns a pool of fakeConns and the factory that makes them. The pool
// is quiet, unless edit gives it a Logger. When the test ends it is shut down,
// and must have closed whatever it opened, once.
func newPool(t testing.TB, edit func(*Config[*fakeConn])) (*Pool[*fakeConn], *factory) {
	t.Helper()
	f := newFactory(t)
	return f.newPool(edit), f
}

// newPool returns a pool that dials with f, as the function of the same name
// does.
func (f *factory) newPool(edit func(*Config[*fakeConn])) *Pool[*fakeConn] {
	f.t.Helper()
	cfg := Config[*fakeConn]{Connect: f.connect, Close: f.close, Logger: slog.New(slog.DiscardHandler)}
	if edit != nil {
		edit(&cfg)
	}
	p, err := New(cfg)
	require.NoError(f.t, err)
	f.t.Cleanup(func() { shutdown(f.t, p, f) })
	return p
}

// shutdown shuts the pool down and checks that nothing is left of it.
func shutdown(t testing.TB, p *Pool[*fakeConn], f *factory) {
	t.Helper()
	f.unhang()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	require.NoError(t, p.Shutdown(ctx))
	f.requireBalanced(t)
}

// acquire returns a lease, which the test has to end.
func acquire[T any](t testing.TB, p *Pool[T]) Lease[T] {
	t.Helper()
	lease, err := p.Acquire(t.Context())
	require.NoError(t, err)
	return lease
}

// acquireN returns n leases, held all at once.
func acquireN[T any](t testing.TB, p *Pool[T], n int) []Lease[T] {
	t.Helper()
	leases := make([]Lease[T], n)
	for i := range leases {
		leases[i] = acquire(t, p)
	}
	return leases
}

func release[T any](leases ...Lease[T]) {
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

// fakeConn is a connection that notices when two use it at once, when it is used
// after it has been closed, and when it is closed twice.
type fakeConn struct {
	id     int64 // 1 for a factory's first
	t      testing.TB
	owners atomic.Int32
	closes atomic.Int32
}

// claim begins the use of the connection, which must be nobody else's.
func (c *fakeConn) claim() {
	if n := c.owners.Add(1); n != 1 {
		c.t.Errorf("connection %d has %d users", c.id, n)
	}
	if c.closes.Load() != 0 {
		c.t.Errorf("connection %d is in use and has been closed", c.id)
	}
}

// release ends the use that claim began.
func (c *fakeConn) release() {
	if n := c.owners.Add(-1); n != 0 {
		c.t.Errorf("connection %d has %d users after one has ended", c.id, n)
	}
}

// factory makes fakeConns, and fails, dawdles or hangs on demand.
type factory struct {
	t testing.TB

	dials  atomic.Int64 // calls of connect
	opens  atomic.Int64 // of those, ended with a connection
	closes atomic.Int64 // calls of close that have returned

	// slots counts from the start of a dial to its failure or to the end of the
	// connection's Close: what a limit is a limit of. Factories may share one.
	slots    *gauge
	dialling gauge

	mu struct {
		sync.Mutex
		err   error
		delay time.Duration
		hang  chan struct{} // not nil: dials wait for it, whatever their context says
		conns []*fakeConn
	}
}

func newFactory(t testing.TB) *factory { return &factory{t: t, slots: new(gauge)} }

// failWith has dials fail from now on; nil ends that.
func (f *factory) failWith(err error) { f.set(func() { f.mu.err = err }) }

// delayBy has each dial take this long, or until its context ends.
func (f *factory) delayBy(d time.Duration) { f.set(func() { f.mu.delay = d }) }

// hang has dials hang until unhang, whatever becomes of their context.
func (f *factory) hang() { f.set(func() { f.mu.hang = make(chan struct{}) }) }

func (f *factory) unhang() {
	f.set(func() {
		if f.mu.hang != nil {
			close(f.mu.hang)
			f.mu.hang = nil
		}
	})
}

func (f *factory) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// made returns every connection that was ever opened, the oldest first.
func (f *factory) made() []*fakeConn {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.mu.conns)
}

func (f *factory) orders() (err error, delay time.Duration, hang <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.err, f.mu.delay, f.mu.hang
}

// connect is a Config's Connect. What it does is settled when it begins.
func (f *factory) connect(ctx context.Context) (*fakeConn, error) {
	f.dials.Add(1)
	f.slots.add(1)
	f.dialling.add(1)
	defer f.dialling.add(-1)
	err, delay, hang := f.orders()
	if hang != nil {
		<-hang
	}
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		f.slots.add(-1)
		return nil, err
	}
	return f.make(), nil
}

func (f *factory) make() *fakeConn {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := &fakeConn{t: f.t, id: f.opens.Add(1)}
	f.mu.conns = append(f.mu.conns, c)
	return c
}

// close is a Config's Close.
func (f *factory) close(_ context.Context, c *fakeConn) error {
	if n := c.closes.Add(1); n != 1 {
		f.t.Errorf("connection %d has been closed %d times", c.id, n)
	}
	if c.owners.Load() != 0 {
		f.t.Errorf("connection %d has been closed while in use", c.id)
	}
	f.slots.add(-1)
	f.closes.Add(1)
	return nil
}

// requireBalanced checks that every connection has been closed, once. It waits
// a while for those that abandoned callbacks come back with.
func (f *factory) requireBalanced(t testing.TB) {
	t.Helper()
	for range 1000 {
		if f.dialling.now() == 0 && f.opens.Load() == f.closes.Load() {
			break
		}
		time.Sleep(time.Millisecond)
	}
	for _, c := range f.made() {
		require.EqualValues(t, 1, c.closes.Load(), "closes of connection %d", c.id)
	}
	require.Equal(t, f.opens.Load(), f.closes.Load(), "connections opened and closed")
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

// logbook records what is logged, one line a record, as slog's TextHandler
// prints it: so a value that would print a secret does so here.
type logbook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// logger returns a logger that writes into the book, at all levels.
func (b *logbook) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (b *logbook) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(line)
}

func (b *logbook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// lines returns the lines so far that contain text; all of them for "".
func (b *logbook) lines(text string) []string {
	all := slices.Collect(strings.Lines(b.String()))
	return slices.DeleteFunc(all, func(line string) bool { return !strings.Contains(line, text) })
}

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
