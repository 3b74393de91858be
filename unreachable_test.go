package connpool

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// bulky is a connection that is missed if it is not let go.
type bulky struct{ buffer [4 << 10]byte }

// keeper opens bulky connections, and counts those that have been closed and
// those that have become garbage.
type keeper struct {
	opened, closed, gone atomic.Int64
	fail                 atomic.Bool // checks and resets fail
	hang                 chan struct{}
}

func (k *keeper) connect(context.Context) (*bulky, error) {
	if k.hang != nil && k.opened.Load() == 0 {
		<-k.hang
	}
	c := new(bulky)
	runtime.AddCleanup(c, func(gone *atomic.Int64) { gone.Add(1) }, &k.gone)
	k.opened.Add(1)
	return c, nil
}

func (k *keeper) close(context.Context, *bulky) error {
	k.closed.Add(1)
	return nil
}

func (k *keeper) doubt(context.Context, *bulky) error {
	if k.fail.Load() {
		return ErrBadConn
	}
	return nil
}

// What is closed, in whatever way, or hijacked, is garbage: neither the pool, which
// goes on, nor a lease that has ended keeps it.
func TestAClosedConnectionIsLetGo(t *testing.T) {
	endings := map[string]struct {
		edit func(*Config[*bulky], *keeper)
		end  func(*testing.T, *Pool[*bulky], *keeper, Lease[*bulky])
	}{
		"discarded": {end: func(_ *testing.T, _ *Pool[*bulky], _ *keeper, l Lease[*bulky]) { l.Discard(errors.New("broken")) }},
		"hijacked": {end: func(_ *testing.T, _ *Pool[*bulky], k *keeper, l Lease[*bulky]) {
			l.Hijack()
			k.closed.Add(1)
		}},
		"not clean": {
			edit: func(c *Config[*bulky], _ *keeper) { c.Clean = func(*bulky) error { return ErrBadConn } },
			end:  func(_ *testing.T, _ *Pool[*bulky], _ *keeper, l Lease[*bulky]) { l.Release() },
		},
		"not reset": {
			edit: func(c *Config[*bulky], k *keeper) { c.Reset = k.doubt },
			end: func(_ *testing.T, _ *Pool[*bulky], k *keeper, l Lease[*bulky]) {
				k.fail.Store(true)
				l.Release()
			},
		},
		"not fit to be lent": {
			edit: func(c *Config[*bulky], k *keeper) { c.Alive = func(*bulky) error { return k.doubt(nil, nil) } },
			end: func(t *testing.T, p *Pool[*bulky], k *keeper, l Lease[*bulky]) {
				l.Release()
				k.fail.Store(true)
				_, err := p.TryAcquire(t.Context())
				require.ErrorIs(t, err, ErrNoneIdle)
			},
		},
		"one too many idle": {
			edit: func(c *Config[*bulky], _ *keeper) { c.MaxIdle = -1 },
			end:  func(_ *testing.T, _ *Pool[*bulky], _ *keeper, l Lease[*bulky]) { l.Release() },
		},
		"retired while idle": {end: func(_ *testing.T, p *Pool[*bulky], _ *keeper, l Lease[*bulky]) { l.Release(); p.Retire() }},
		"retired while lent": {end: func(_ *testing.T, p *Pool[*bulky], _ *keeper, l Lease[*bulky]) { p.Retire(); l.Release() }},
		"closed":             {end: func(_ *testing.T, p *Pool[*bulky], _ *keeper, l Lease[*bulky]) { p.Close(); l.Release() }},
		"come too late": {
			edit: func(c *Config[*bulky], k *keeper) {
				k.hang = make(chan struct{})
				c.ConnectTimeout, c.BackoffMin, c.BackoffMax = time.Millisecond, time.Millisecond, time.Millisecond
			},
			end: func(t *testing.T, p *Pool[*bulky], k *keeper, _ Lease[*bulky]) {
				_, err := p.TryAcquire(t.Context())
				require.ErrorIs(t, err, ErrNoneIdle)
				require.Eventually(t, func() bool { return p.Stats().Abandoned > 0 }, time.Minute, time.Millisecond)
				close(k.hang)
				require.Eventually(t, func() bool { return k.closed.Load() > 0 }, time.Minute, time.Millisecond)
				p.Retire() // what the prober has dialled meanwhile
			},
		},
	}
	for name, ending := range endings {
		t.Run(name, func(t *testing.T) {
			var k keeper
			cfg := Config[*bulky]{
				Connect: k.connect, Close: k.close, MaxSize: 2, LeakStacks: StacksAlways,
				Logger: slog.New(slog.DiscardHandler),
			}
			if ending.edit != nil {
				ending.edit(&cfg, &k)
			}
			p, err := New(cfg)
			require.NoError(t, err)
			var lease Lease[*bulky]
			if k.hang == nil {
				lease = acquire(t, p)
			}
			ending.end(t, p, &k, lease)
			require.Eventually(t, func() bool {
				runtime.GC()
				return k.closed.Load() > 0 && k.gone.Load() == k.closed.Load()
			}, time.Minute, time.Millisecond, "closed and kept")
			runtime.KeepAlive(lease)
			require.NoError(t, p.Shutdown(t.Context()))
		})
	}
}
