package connpool

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// misbehave is one way for a callback not to return.
type misbehave struct {
	name string
	do   func()
}

var misbehaviours = []misbehave{
	{"panics", func() { panic("on fire") }},
	{"calls Goexit", runtime.Goexit},
}

// hooks are the callbacks that are about one connection. Each sets the hook to a
// function that runs f once it is armed.
var hooks = []struct {
	name   string
	inline bool // in the caller's goroutine, which it ends
	set    func(*Config[*fakeConn], func() error)
}{
	{"Alive", true, func(c *Config[*fakeConn], f func() error) { c.Alive = func(*fakeConn) error { return f() } }},
	{"Prepare", true, func(c *Config[*fakeConn], f func() error) {
		c.Prepare = func(context.Context, *fakeConn) error { return f() }
	}},
	{"Clean", true, func(c *Config[*fakeConn], f func() error) { c.Clean = func(*fakeConn) error { return f() } }},
	{"IsBad", true, func(c *Config[*fakeConn], f func() error) { c.IsBad = func(error) bool { return f() != nil } }},
	{"Reset", false, func(c *Config[*fakeConn], f func() error) {
		c.Reset = func(context.Context, *fakeConn) error { return f() }
	}},
	{"Check", false, func(c *Config[*fakeConn], f func() error) {
		c.Check = func(context.Context, *fakeConn) error { return f() }
	}},
}

func TestFault15_AHookThatDoesNotReturnCostsItsConnectionAndNoSlot(t *testing.T) {
	for _, hook := range hooks {
		for _, bad := range misbehaviours {
			t.Run(hook.name+" "+bad.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var armed atomic.Bool
					p, f := newPool(t, func(c *Config[*fakeConn]) {
						c.MaxSize = 1
						hook.set(c, func() error {
							if armed.Swap(false) {
								bad.do()
							}
							return nil
						})
					})
					acquire(t, p).Release()
					time.Sleep(5 * time.Second) // so that a Check is due
					armed.Store(true)
					runAside(func() {
						lease, err := p.Acquire(t.Context())
						if err == nil {
							lease.ReleaseErr(errRefused)
						}
					})
					synctest.Wait()
					require.False(t, armed.Load(), "the hook was not called")
					require.EqualValues(t, 1, f.made()[0].closes.Load(), "the connection was kept")
					require.EqualValues(t, 1, p.Stats().Panics)
					requireFull(t, p, 1)
				})
			})
		}
	}
}

// runAside runs f on a goroutine of its own, which f may end.
func runAside(f func()) {
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		defer func() { _ = recover() }()
		f()
	}()
	wg.Wait()
}

func TestFault15_DoDestroysTheConnectionOfWorkThatDoesNotReturn(t *testing.T) {
	for _, bad := range misbehaviours {
		t.Run(bad.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, f := newPool(t, only(1))
				runAside(func() {
					_ = p.Do(t.Context(), func(context.Context, *fakeConn) error { bad.do(); return nil })
				})
				synctest.Wait()
				require.EqualValues(t, 1, f.closes.Load())
				requireFull(t, p, 1)
			})
		})
	}
}

func TestFault16_ACloseThatPanicsIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFactory(t)
		p := f.newPool(func(c *Config[*fakeConn]) {
			c.MaxSize = 1
			c.Close = func(ctx context.Context, conn *fakeConn) error {
				_ = f.close(ctx, conn)
				panic("on fire")
			}
		})
		acquire(t, p).Discard(nil)
		synctest.Wait()
		require.EqualValues(t, 1, p.Stats().Panics)
		requireFull(t, p, 1)
	})
}

func TestFault17_ACloseThatHangsHoldsItsSlotUntilCloseTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := make(chan struct{})
		f := newFactory(t)
		p := f.newPool(func(c *Config[*fakeConn]) {
			c.MaxSize, c.CloseTimeout = 1, time.Second
			c.Close = func(ctx context.Context, conn *fakeConn) error {
				<-hung
				return f.close(ctx, conn)
			}
		})
		acquire(t, p).Discard(nil)
		began := time.Now()
		lease := acquire(t, p)
		require.InDelta(t, time.Second, time.Since(began), float64(2*grace))
		require.Equal(t, 1, p.Stats().Abandoned)
		close(hung)
		synctest.Wait()
		require.Zero(t, p.Stats().Abandoned)
		lease.Release()
	})
}

func TestAHungCheckOrResetIsAbandonedAndItsConnectionClosedWhenItEnds(t *testing.T) {
	for _, hook := range hooks[4:] {
		t.Run(hook.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var armed atomic.Bool
				hung := make(chan struct{})
				p, f := newPool(t, func(c *Config[*fakeConn]) {
					c.MaxSize, c.CheckTimeout = 1, time.Second
					hook.set(c, func() error {
						if armed.Swap(false) {
							<-hung
						}
						return nil
					})
				})
				acquire(t, p).Release()
				time.Sleep(5 * time.Second)
				armed.Store(true)
				acquire(t, p).Release()
				lease := acquire(t, p)
				require.EqualValues(t, 2, lease.Conn().id)
				require.Equal(t, 1, p.Stats().Abandoned)
				require.Zero(t, f.closes.Load(), "it is still in use by the callback")
				close(hung)
				synctest.Wait()
				require.EqualValues(t, 1, f.made()[0].closes.Load())
				lease.Release()
			})
		})
	}
}

func TestFault34_AResetThatFailsInWhateverWayDestroys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize = 1
			c.Reset = func(_ context.Context, conn *fakeConn) error {
				if conn.id == 1 {
					return errors.New("some error or other")
				}
				return nil
			}
		})
		acquire(t, p).Release()
		lease := acquire(t, p)
		require.EqualValues(t, 2, lease.Conn().id)
		require.EqualValues(t, 1, p.Stats().Closes[ClosedClean])
		lease.Release()
	})
}

func TestFault37_DoRunsItsWorkOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, only(1))
		runs := 0
		err := p.Do(t.Context(), func(context.Context, *fakeConn) error { runs++; return ErrBadConn })
		require.ErrorIs(t, err, ErrBadConn)
		require.Equal(t, 1, runs)
		require.EqualValues(t, 1, p.Stats().Closes[ClosedDiscarded])
	})
}

func TestPrepareTriesAnotherOnlyForABadConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := ErrBadConn
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize = 3
			c.Prepare = func(_ context.Context, conn *fakeConn) error {
				if conn.id <= 3 {
					return answer
				}
				return nil
			}
		})
		lease := acquire(t, p)
		require.EqualValues(t, 4, lease.Conn().id)
		require.EqualValues(t, 3, p.Stats().Closes[ClosedPrepare])
		lease.Release()

		answer = errRefused
		p2, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.Prepare = func(context.Context, *fakeConn) error { return answer }
		})
		_, err := p2.Acquire(t.Context())
		require.ErrorIs(t, err, errRefused)
		var failed *AcquireError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, StagePrepare, failed.Stage)
		answer = ErrBadConn
		_, err = p2.Acquire(t.Context())
		require.ErrorIs(t, err, ErrBadConn, "at most one more try than there may be connections")
	})
}

func TestFault42_CallbacksMayReenterThePool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p *Pool[*fakeConn]
		var depth, entries atomic.Int32
		enter := func() {
			// Neither acquires in callbacks of acquires nor resets that lead to resets of
			// other connections, one after the other, need to go on for ever.
			if depth.Add(1) > 8 || entries.Add(1) > 1000 {
				depth.Add(-1)
				return
			}
			defer depth.Add(-1)
			p.Stats()
			p.Holders()
			if lease, err := p.TryAcquire(context.Background()); err == nil {
				lease.Release()
			}
			_ = p.Resize(4)
		}
		f := newFactory(t)
		p = f.newPool(func(c *Config[*fakeConn]) {
			c.MaxSize, c.MinIdle = 4, 0
			c.Connect = func(ctx context.Context) (*fakeConn, error) { enter(); return f.connect(ctx) }
			shut := c.Close
			c.Close = func(ctx context.Context, conn *fakeConn) error { enter(); return shut(ctx, conn) }
			c.Alive = func(*fakeConn) error { enter(); return nil }
			c.Clean = func(*fakeConn) error { enter(); return nil }
			c.Check = func(context.Context, *fakeConn) error { enter(); return nil }
			c.Prepare = func(context.Context, *fakeConn) error { enter(); return nil }
			c.Reset = func(context.Context, *fakeConn) error { enter(); return nil }
			c.IsBad = func(error) bool { enter(); return true }
			c.OnLeak = func(Leak) { enter(); p.Retire() }
			c.Trace = &Trace{
				Acquired: func(context.Context, AcquiredInfo) { enter() },
				Released: func(context.Context, ReleasedInfo) { enter() },
				Closed:   func(ClosedInfo) { enter() },
			}
		})
		for range 3 {
			entries.Store(0)
			lease, err := p.Acquire(t.Context())
			require.NoError(t, err)
			time.Sleep(2 * time.Minute) // long enough for a leak report
			lease.ReleaseErr(errRefused)
			time.Sleep(2 * time.Second)
		}
		require.EqualValues(t, 3, p.Stats().Leaks)
		require.Zero(t, p.Stats().InUse)
	})
}

func TestACallbackMayCloseThePool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p *Pool[*fakeConn]
		p, _ = newPool(t, func(c *Config[*fakeConn]) {
			c.Clean = func(*fakeConn) error { p.Close(); return nil }
		})
		acquire(t, p).Release()
		_, err := p.Acquire(t.Context())
		require.ErrorIs(t, err, ErrClosed)
	})
}

func TestACallbackThatPanicsInAcquireIdleLosesNoLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls, cleaned atomic.Int64
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize = 3
			c.Alive = func(*fakeConn) error {
				if calls.Add(1) == 6 { // three for the leases before, and one is left to get
					panic("as planned")
				}
				return nil
			}
			c.Clean = func(*fakeConn) error {
				if cleaned.Add(1) == 0 { // the first that is given back
					panic("dirty")
				}
				return nil
			}
		})
		release(acquireN(t, p, 3)...)
		cleaned.Store(-1)
		require.PanicsWithValue(t, "dirty", func() { p.AcquireIdle() })
		synctest.Wait()
		require.Zero(t, p.Stats().InUse)
		require.EqualValues(t, 3, p.Stats().Acquires, "nobody got the others")
		requireFull(t, p, 3)
	})
}
