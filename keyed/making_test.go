package keyed

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
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
		p.cfg.For = func(key string) (connpool.Config[*fakeConn], error) {
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
	p.cfg.For = func(key string) (connpool.Config[*fakeConn], error) {
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
		p.cfg.For = func(key string) (connpool.Config[*fakeConn], error) {
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
			p.cfg.For = func(key string) (connpool.Config[*fakeConn], error) {
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

func TestFault79_ForRefusesAKeyInWords(t *testing.T) {
	p, f := newPool(t, func(c *Config[string, *fakeConn]) { c.Name = "tenants" })
	describe := p.cfg.For
	suspended := errors.New("suspended:\nsee postgres://u:secret@catalogue/db")
	p.cfg.For = func(key string) (connpool.Config[*fakeConn], error) {
		if f.fors.Load() < 3 {
			f.fors.Add(1)
			return connpool.Config[*fakeConn]{Connect: func(context.Context) (*fakeConn, error) {
				panic("of a key that was refused")
			}}, suspended
		}
		return describe(key)
	}
	for range 3 {
		_, err := p.Acquire(t.Context(), "k")
		require.ErrorIs(t, err, ErrNoPool)
		require.ErrorIs(t, err, suspended)
		require.EqualError(t, err,
			`keyed "tenants": no pool for the key: suspended: see postgres://u:xxxxx@catalogue/db`)
	}
	require.Zero(t, p.Stats().Keys)
	acquire(t, p, "k").Release() // it is not remembered
}

// hangs has For hang for keys that begin with "hung", until the channel is closed.
func (f *fleet) hangs(p *Pool[string, *fakeConn]) (let chan struct{}) {
	let = make(chan struct{})
	p.cfg.For = func(key string) (connpool.Config[*fakeConn], error) {
		if strings.HasPrefix(key, "hung") {
			f.fors.Add(1)
			<-let
		}
		return f.describe(key)
	}
	return let
}

func TestFault92_ForThatHangsCostsSoManyGoroutinesAndNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		acquire(t, p, "known").Release()
		let := f.hangs(p)
		before := runtime.NumGoroutine()
		var callers sync.WaitGroup
		for n := range 2 * forsAtOnce {
			callers.Go(func() {
				_, err := p.Acquire(within(t, time.Second), fmt.Sprintf("hung %d", n))
				if !errors.Is(err, ErrNoPool) || !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			})
		}
		callers.Wait()
		require.EqualValues(t, forsAtOnce+1, f.fors.Load())
		requireGoroutines(t, before+forsAtOnce)
		require.Len(t, p.mu.making, forsAtOnce)

		acquire(t, p, "known").Release() // is none the worse for it
		_, err := p.TryAcquire(t.Context(), "one more")
		require.ErrorContains(t, err, "For has not been asked: 1000 other runs of it have not returned in 30s")
		close(let)
		acquire(t, p, "one more").Release()
		synctest.Wait()
		require.Len(t, p.turns, forsAtOnce, "all have come back")
	})
}

func TestFault92_CloseAndShutdownAreNotHeldUpByAForThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		let := f.hangs(p)
		defer close(let)
		refused := make(chan error, 2*forsAtOnce)
		for n := range 2 * forsAtOnce {
			go func() {
				_, err := p.Acquire(context.Background(), fmt.Sprintf("hung %d", n))
				refused <- err
			}()
		}
		synctest.Wait()
		began := time.Now()
		err := p.Shutdown(within(t, time.Second))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, errPending)
		require.Equal(t, time.Second, time.Since(began))
		for range 2 * forsAtOnce {
			require.ErrorIs(t, <-refused, connpool.ErrClosed)
		}
	})
}

// Whatever comes of it, a turn comes back: For fails, panics or exits, another
// caller was faster, the Pool is closed, or the key equals nothing.
func TestFault92_ATurnIsNeverLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		p.cfg.For = func(key string) (connpool.Config[*fakeConn], error) {
			switch key {
			case "fails":
				return connpool.Config[*fakeConn]{}, errRefused
			case "panics":
				panic("bug")
			case "exits":
				runtime.Goexit()
			}
			return f.describe(key)
		}
		var callers sync.WaitGroup
		for range 20 {
			for _, key := range []string{"fails", "panics", "exits", "fine"} {
				callers.Go(func() {
					lease, _ := p.Acquire(t.Context(), key)
					lease.Release()
				})
			}
		}
		callers.Wait()
		synctest.Wait()
		require.Len(t, p.turns, forsAtOnce)
		require.NoError(t, p.Close())
		_, err := p.Acquire(t.Context(), "late")
		require.ErrorIs(t, err, connpool.ErrClosed)
		require.Len(t, p.turns, forsAtOnce)
	})
}

func TestAPanicOfForsBringsItsStack(t *testing.T) {
	p, _ := newPool(t, nil)
	p.cfg.For = func(string) (connpool.Config[*fakeConn], error) { panic("no such shard") }
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
		p.cfg.For = func(key string) (connpool.Config[*fakeConn], error) {
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
	p, err := New(Config[float64, int]{For: func(float64) (connpool.Config[int], error) { panic("not asked") }})
	require.NoError(t, err)
	defer p.Close()
	_, err = p.Acquire(t.Context(), math.NaN())
	require.ErrorIs(t, err, ErrNoPool)
	require.ErrorIs(t, err, errUnequal)
}

func TestAKeyThatCannotBeComparedPanicsAndWedgesNothing(t *testing.T) {
	p, err := New(Config[any, int]{For: func(any) (connpool.Config[int], error) {
		return connpool.Config[int]{Connect: func(context.Context) (int, error) { return 1, nil }}, nil
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
	p.cfg.For = func(string) (connpool.Config[*fakeConn], error) {
		return connpool.Config[*fakeConn]{DownAfter: time.Millisecond, Logger: quiet,
			Connect: func(context.Context) (*fakeConn, error) { dials.Add(1); return nil, connpool.ErrClosed }}, nil
	}
	_, err := p.Acquire(t.Context(), "k")
	require.ErrorIs(t, err, connpool.ErrClosed)
	var acquireErr *connpool.AcquireError
	require.ErrorAs(t, err, &acquireErr)
	require.Equal(t, connpool.StageConnect, acquireErr.Stage)
}
