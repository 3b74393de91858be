package keyed

import (
	"context"
	"errors"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
)

func TestAKnownKeyIsServedFromItsOwnPool(t *testing.T) {
	p, f := newPool(t, nil)
	for range 3 {
		for _, key := range []string{"a", "b"} {
			lease := acquire(t, p, key)
			lease.Conn().use(key, 0)
			lease.Release()
		}
	}
	require.EqualValues(t, 2, f.fors.Load())
	require.EqualValues(t, 1, f.at("a").dials.Load())
	require.EqualValues(t, 1, f.at("b").dials.Load())
}

// 50 first callers: For waits until all of them do.
func TestFirstCallersOfAKeyMakeOnePool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, limits(50, 50))
		describe := p.cfg.For
		p.cfg.For = func(key string) connpool.Config[*fakeConn] {
			time.Sleep(time.Second)
			return describe(key)
		}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				lease, err := p.Acquire(t.Context(), "k")
				if err != nil {
					t.Error(err)
					return
				}
				lease.Conn().use("k", time.Second)
				lease.Release()
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, f.fors.Load())
		require.Equal(t, 1, p.Stats().Keys)
	})
}

func TestForMayUseThePoolForOtherKeys(t *testing.T) {
	p, f := newPool(t, nil)
	describe := p.cfg.For
	p.cfg.For = func(key string) connpool.Config[*fakeConn] {
		if key == "tenant" { // its address stands in the catalogue
			err := p.Do(context.Background(), "catalogue", func(context.Context, *fakeConn) error { return nil })
			require.NoError(t, err)
			p.Stats()
			p.RetireAll()
		}
		return describe(key)
	}
	acquire(t, p, "tenant").Release()
	require.EqualValues(t, 2, f.fors.Load())
}

func TestForThatAsksForItsOwnKeyIsToldInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, nil)
		describe, inner := p.cfg.For, error(nil)
		p.cfg.For = func(key string) connpool.Config[*fakeConn] {
			_, inner = p.Acquire(context.Background(), key)
			return describe(key)
		}
		lease, err := p.Acquire(within(t, time.Minute), "k")
		require.NoError(t, err)
		lease.Release()
		require.ErrorIs(t, inner, ErrNoPool)
		require.ErrorIs(t, inner, context.DeadlineExceeded)
		require.ErrorContains(t, inner, "For has not returned in 30s")
	})
}

// Whatever For does, its callers are told, and the next one may try again.
func TestForThatDoesNotReturnIsAnErrorAndNoWedge(t *testing.T) {
	broken := errors.New("no catalogue")
	for name, tc := range map[string]struct {
		misbehave func()
		is        error
	}{
		"panics":            {func() { panic(broken) }, broken},
		"exits":             {runtime.Goexit, errGoexit},
		"panics with nil":   {func() { panic(nil) }, nil},
		"panics with a key": {func() { panic([]string{"secret"}) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p, f := newPool(t, nil)
			describe := p.cfg.For
			p.cfg.For = func(key string) connpool.Config[*fakeConn] {
				if f.fors.Add(1) < 4 {
					tc.misbehave()
				}
				return describe(key)
			}
			for range 3 {
				_, err := p.Acquire(t.Context(), "k")
				require.ErrorIs(t, err, ErrNoPool)
				if tc.is != nil {
					require.ErrorIs(t, err, tc.is)
				}
				require.NotContains(t, err.Error(), "secret")
			}
			acquire(t, p, "k").Release()
		})
	}
}

func TestAPanicOfForsBringsItsStack(t *testing.T) {
	p, _ := newPool(t, nil)
	p.cfg.For = func(string) connpool.Config[*fakeConn] { panic("no such shard") }
	_, err := p.Acquire(t.Context(), "k")
	var panicked *connpool.PanicError
	require.ErrorAs(t, err, &panicked)
	require.Equal(t, "For", panicked.Callback)
	require.Contains(t, string(panicked.Stack), "making_test.go")
}

func TestCallersLeaveAForThatHangsWhenTheirContextsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, nil)
		hang, describe := make(chan struct{}), p.cfg.For
		p.cfg.For = func(key string) connpool.Config[*fakeConn] {
			if key == "k" {
				<-hang
			}
			return describe(key)
		}
		began := time.Now()
		_, err := p.Acquire(within(t, time.Second), "k")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, ErrNoPool)
		require.Equal(t, time.Second, time.Since(began))

		gone := errors.New("client gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(gone)
		_, err = p.Acquire(ctx, "k")
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, gone)

		acquire(t, p, "other").Release() // is none the worse for it
		close(hang)
		acquire(t, p, "k").Release()
	})
}

func TestAKeyThatEqualsNothingIsRefused(t *testing.T) {
	p, err := New(Config[float64, int]{For: func(float64) connpool.Config[int] { panic("not asked") }})
	require.NoError(t, err)
	defer p.Close()
	_, err = p.Acquire(t.Context(), math.NaN())
	require.ErrorIs(t, err, ErrNoPool)
	require.ErrorIs(t, err, errUnequal)
}

func TestAKeyThatCannotBeComparedPanicsAndWedgesNothing(t *testing.T) {
	p, err := New(Config[any, int]{For: func(any) connpool.Config[int] {
		return connpool.Config[int]{Connect: func(context.Context) (int, error) { return 1, nil }}
	}})
	require.NoError(t, err)
	defer p.Close()
	require.Panics(t, func() { p.Acquire(t.Context(), []int{1}) })
	lease, err := p.Acquire(t.Context(), 1)
	require.NoError(t, err)
	lease.Release()
}

func TestANilContextPanicsBeforeAnythingIsHeld(t *testing.T) {
	p, _ := newPool(t, nil)
	for range 2 { // for a new key, and for a known one
		require.Panics(t, func() { p.Acquire(nil, "k") }) //nolint:staticcheck
		require.Panics(t, func() { p.Shutdown(nil) })     //nolint:staticcheck
		acquire(t, p, "k").Release()
	}
}

func TestAnEndedContextMakesNoPool(t *testing.T) {
	p, f := newPool(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := p.Acquire(ctx, "k")
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, f.fors.Load())
}

func TestTryAcquireNeverWaitsForAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, nil)
		began := time.Now()
		_, err := p.TryAcquire(t.Context(), "k")
		require.ErrorIs(t, err, connpool.ErrNoneIdle)
		require.Zero(t, time.Since(began))
		synctest.Wait() // it has started a dial for the next
		lease, err := p.TryAcquire(t.Context(), "k")
		require.NoError(t, err)
		lease.Release()
	})
}

func TestDoRunsItsFunctionOnceAndEndsTheLease(t *testing.T) {
	p, f := newPool(t, nil)
	failed, calls := errors.New("failed"), 0
	work := func(result error) error {
		return p.Do(t.Context(), "k", func(_ context.Context, c *fakeConn) error {
			calls++
			c.use("k", 0)
			return result
		})
	}
	require.NoError(t, work(nil))
	require.ErrorIs(t, work(failed), failed)
	require.ErrorIs(t, work(connpool.ErrBadConn), connpool.ErrBadConn)
	require.ErrorIs(t, work(connpool.ErrClosed), connpool.ErrClosed, "its own, of some other pool")
	require.PanicsWithValue(t, "bug", func() {
		p.Do(t.Context(), "k", func(context.Context, *fakeConn) error { panic("bug") })
	})
	require.Equal(t, 4, calls)
	require.EqualValues(t, 2, f.at("k").dials.Load(), "one was bad")
	s, _ := p.KeyStats("k")
	require.Zero(t, s.InUse)
	require.EqualValues(t, 1, s.Panics)
}

// The closed pool of a key's own factory is no closed pool of ours: nobody may
// try again and again for it.
func TestAClosedPoolBehindAKeyIsNotTakenForARemovedOne(t *testing.T) {
	p, _ := newPool(t, nil)
	var dials atomic.Int64
	p.cfg.For = func(string) connpool.Config[*fakeConn] {
		return connpool.Config[*fakeConn]{DownAfter: time.Millisecond, Logger: quiet,
			Connect: func(context.Context) (*fakeConn, error) { dials.Add(1); return nil, connpool.ErrClosed }}
	}
	_, err := p.Acquire(t.Context(), "k")
	require.ErrorIs(t, err, connpool.ErrClosed)
	var acquireErr *connpool.AcquireError
	require.ErrorAs(t, err, &acquireErr)
	require.Equal(t, connpool.StageConnect, acquireErr.Stage)
}
