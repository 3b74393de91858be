package connpool

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// hammer has workers borrow, use and end leases in every way, and fails if a
// connection ever has two users.
func hammer(t *testing.T, p *Pool[*fakeConn], workers, rounds int) {
	t.Helper()
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range rounds {
				useOnce(t, p, i)
			}
		})
	}
	wg.Wait()
}

func useOnce(t *testing.T, p *Pool[*fakeConn], i int) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if i%7 == 0 {
		go cancel()
	}
	lease, err := p.Acquire(ctx)
	if err != nil {
		if !errors.Is(err, context.Canceled) && !errors.Is(err, ErrClosed) {
			t.Errorf("acquire: %v", err)
		}
		return
	}
	conn := lease.Conn()
	conn.claim()
	conn.release()
	switch {
	case i%97 == 0:
		lease.Discard(ErrBadConn)
	case i%101 == 0:
		lease.ReleaseErr(context.Canceled)
	default:
		lease.Release()
		lease.Release()
	}
}

func TestStress_NothingIsLentTwiceOrLost(t *testing.T) {
	checkable := func(c *Config[*fakeConn]) {
		c.Check = func(context.Context, *fakeConn) error { return nil }
	}
	for name, edit := range map[string]func(*Config[*fakeConn]){
		"one connection": func(c *Config[*fakeConn]) { c.MaxSize = 1 },
		"no cells":       func(c *Config[*fakeConn]) { c.MaxSize = 3 },
		"few uses":       func(c *Config[*fakeConn]) { c.MaxSize, c.MaxUses = 4, 5 },
		"in turn":        func(c *Config[*fakeConn]) { c.MaxSize, c.FIFO = 4, true },
		"cells":          func(c *Config[*fakeConn]) { c.MaxSize = 16 },
		"checks":         func(c *Config[*fakeConn]) { c.MaxSize = 4; checkable(c); c.CheckAfterIdle = time.Millisecond },
		"reset": func(c *Config[*fakeConn]) {
			c.MaxSize = 4
			c.Reset = func(context.Context, *fakeConn) error { return nil }
		},
		"few idle":    func(c *Config[*fakeConn]) { c.MaxSize, c.MaxIdle, c.MinIdle = 8, 2, 1 },
		"none idle":   func(c *Config[*fakeConn]) { c.MaxSize, c.MaxIdle = 4, -1 },
		"stacks":      func(c *Config[*fakeConn]) { c.MaxSize, c.LeakStacks = 4, StacksAlways },
		"lost leases": func(c *Config[*fakeConn]) { c.MaxSize, c.ReclaimLost = 4, true },
		"unsure": func(c *Config[*fakeConn]) {
			c.MaxSize = 4
			checkable(c)
			c.Alive = func(*fakeConn) error { return ErrUnsure }
		},
		"short lives":         func(c *Config[*fakeConn]) { c.MaxSize, c.MaxLifetime, c.MinSize = 8, 20*time.Millisecond, 4 },
		"prepare fails":       func(c *Config[*fakeConn]) { c.MaxSize = 4; c.Prepare = failEvery(50) },
		"a small queue":       func(c *Config[*fakeConn]) { c.MaxSize, c.MaxWaiting = 2, 100 },
		"with a budget":       func(c *Config[*fakeConn]) { c.MaxSize, c.Budget = 8, NewBudget(4) },
		"everything together": everything,
	} {
		t.Run(name, func(t *testing.T) {
			p, f := newPool(t, edit)
			hammer(t, p, 16, rounds(5000))
			requireQuiet(t, p)
			require.LessOrEqual(t, f.slots.peak(), int64(p.Stats().MaxSize))
		})
	}
}

func everything(c *Config[*fakeConn]) {
	c.MaxSize, c.MinSize, c.MinIdle, c.MaxIdle = 8, 2, 1, 6
	c.Check = func(context.Context, *fakeConn) error { return nil }
	c.Reset = func(context.Context, *fakeConn) error { return nil }
	c.Clean = func(*fakeConn) error { return nil }
	c.Prepare = failEvery(80)
	c.CheckAfterIdle, c.IdleTimeout, c.MaxLifetime = time.Millisecond, 10*time.Millisecond, 30*time.Millisecond
	c.LeakStacks, c.ReclaimLost = StacksAlways, true
	c.Budget = NewBudget(7)
}

func failEvery(n int64) func(context.Context, *fakeConn) error {
	var calls atomic.Int64
	return func(context.Context, *fakeConn) error {
		if calls.Add(1)%n == 0 {
			return ErrBadConn
		}
		return nil
	}
}

// rounds returns fewer rounds for a short run, and under the race detector,
// which slows each down.
func rounds(n int) int {
	if testing.Short() || raceEnabled {
		return n / 10
	}
	return n
}

// requireQuiet checks what must hold when nobody uses the pool: no lease, no
// waiter, and every slot accounted for.
func requireQuiet(t *testing.T, p *Pool[*fakeConn]) {
	t.Helper()
	require.Eventually(t, func() bool {
		s := p.Stats()
		return s.InUse == 0 && s.Waiting == 0 && s.Closing == 0 && s.Resetting == 0
	}, 30*time.Second, time.Millisecond, "%+v", p.Stats())
	p.mu.Lock()
	defer p.mu.Unlock()
	require.Equal(t, int(p.mu.high), p.mu.open+len(p.mu.free), "slots open and free")
	require.GreaterOrEqual(t, p.mu.closing, 0)
	require.GreaterOrEqual(t, p.mu.connecting, 0)
	require.GreaterOrEqual(t, p.coming.Load(), int64(0))
}

// Resizes, pauses, retirements and stats go on while the pool is hammered.
func TestStress_ControlsUnderLoad(t *testing.T) {
	p, _ := newPool(t, func(c *Config[*fakeConn]) {
		c.MaxSize = 8
		c.Check = func(context.Context, *fakeConn) error { return nil }
	})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			switch rand.IntN(6) {
			case 0:
				require.NoError(t, p.Resize(1+rand.IntN(16)))
			case 1:
				p.Retire()
			case 2:
				p.Pause()
				p.Resume()
			case 3:
				s := p.Stats()
				require.Equal(t, s.Size, s.Idle+s.InUse+s.Connecting+s.Checking+s.Resetting+s.Closing)
			case 4:
				p.Holders()
			case 5:
				release(p.AcquireIdle()...)
			}
			time.Sleep(100 * time.Microsecond)
		}
	})
	hammer(t, p, 16, rounds(10_000))
	close(stop)
	wg.Wait()
	require.NoError(t, p.Resize(5))
	requireQuiet(t, p)
	held := acquireN(t, p, 5)
	_, err := p.Acquire(within(t, 10*time.Millisecond))
	require.ErrorIs(t, err, ErrExhausted)
	release(held...)
}

// A pool that is closed under load opens and closes the same number.
func TestStress_CloseUnderLoad(t *testing.T) {
	for range 30 {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize = 4 })
		var wg sync.WaitGroup
		wg.Go(func() { hammer(t, p, 8, 200) })
		wg.Go(func() {
			time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond)
			p.Close()
		})
		wg.Wait()
		shutdown(t, p, f)
	}
}
