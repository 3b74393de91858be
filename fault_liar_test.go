package connpool

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// hostileError is an error whose methods do not do what they should.
type hostileError struct{ do func() }

func (e hostileError) Error() string { e.do(); return "hostile" }
func (e hostileError) Is(error) bool { e.do(); return false }
func (e hostileError) As(any) bool   { e.do(); return false }
func (e hostileError) Unwrap() error { e.do(); return nil }

// Every callback returns the error in turn, once a connection is open, and so do
// the work and the cause of a discard.
func TestFault85_AnErrorWhoseMethodsDoNotReturnCostsNoSlot(t *testing.T) {
	for _, hook := range hooks {
		for _, bad := range misbehaviours {
			t.Run(hook.name+" "+bad.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var armed atomic.Bool
					p, _ := newPool(t, func(c *Config[*fakeConn]) {
						c.MaxSize = 1
						hook.set(c, func() error {
							if armed.Swap(false) {
								return hostileError{bad.do}
							}
							return nil
						})
					})
					acquire(t, p).Release()
					time.Sleep(5 * time.Second) // so that a Check is due
					armed.Store(true)
					runAside(func() {
						if lease, err := p.Acquire(within(t, time.Minute)); err == nil {
							lease.ReleaseErr(errRefused)
						}
					})
					synctest.Wait()
					require.False(t, armed.Load(), "the hook was not called")
					requireFull(t, p, 1)
				})
			})
		}
	}
}

func TestFault85_HostileErrorsOfTheWorkCostNoSlot(t *testing.T) {
	for _, bad := range misbehaviours {
		for name, end := range map[string]func(Lease[*fakeConn], error){
			"ReleaseErr": Lease[*fakeConn].ReleaseErr,
			"Discard":    Lease[*fakeConn].Discard,
		} {
			t.Run(name+" "+bad.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p, _ := newPool(t, only(1))
					runAside(func() { end(acquire(t, p), hostileError{bad.do}) })
					requireFull(t, p, 1)
				})
			})
		}
	}
}

func TestFault85_AHostileErrorOfADialFreesItsSlot(t *testing.T) {
	for _, bad := range misbehaviours {
		t.Run(bad.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, f := newPool(t, only(1))
				f.failWith(hostileError{bad.do})
				_, err := p.Acquire(within(t, 3*time.Second))
				require.ErrorAs(t, err, new(*AcquireError), "it has outlasted DownAfter")
				f.failWith(nil)
				time.Sleep(3 * time.Second) // longer than the pause of the prober
				requireFull(t, p, 1)
			})
		})
	}
}

// What a callback panics with may be an error of this kind, too.
func TestFault85_APanicWithAHostileErrorCostsNoSlot(t *testing.T) {
	for _, bad := range misbehaviours {
		for name, hook := range map[string]func(*Config[*fakeConn], func()){
			"Connect": func(c *Config[*fakeConn], f func()) {
				connect := c.Connect
				c.Connect = func(ctx context.Context) (*fakeConn, error) { f(); return connect(ctx) }
			},
			"Close": func(c *Config[*fakeConn], f func()) {
				shut := c.Close
				c.Close = func(ctx context.Context, conn *fakeConn) error {
					defer f()
					return shut(ctx, conn)
				}
			},
		} {
			t.Run(name+" "+bad.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var panics atomic.Int64
					p, _ := newPool(t, func(c *Config[*fakeConn]) {
						c.MaxSize, c.CloseTimeout = 2, -1
						hook(c, func() {
							if panics.Add(1) <= 3 {
								panic(hostileError{bad.do})
							}
						})
					})
					for range 3 {
						if lease, err := p.Acquire(within(t, time.Minute)); err == nil {
							lease.Discard(nil)
						}
						time.Sleep(time.Minute)
					}
					time.Sleep(time.Hour)
					requireFull(t, p, 2)
				})
			})
		}
	}
}

// hostileContext is a context that lies or panics in one of its methods.
type hostileContext struct {
	context.Context
	done     func() <-chan struct{}
	err      func() error
	deadline func() (time.Time, bool)
}

func (c hostileContext) Done() <-chan struct{} {
	if c.done != nil {
		return c.done()
	}
	return c.Context.Done()
}

func (c hostileContext) Err() error {
	if c.err != nil {
		return c.err()
	}
	return c.Context.Err()
}

func (c hostileContext) Deadline() (time.Time, bool) {
	if c.deadline != nil {
		return c.deadline()
	}
	return c.Context.Deadline()
}

func (hostileContext) Value(any) any { return nil }

// Each method misbehaves from its first call on, or from its second: then the
// caller has been in the queue.
func TestFault86_AContextWhoseMethodsDoNotReturnCostsNoSlot(t *testing.T) {
	for _, bad := range misbehaviours {
		for method, set := range map[string]func(*hostileContext, func()){
			"Done": func(c *hostileContext, f func()) {
				done := c.Context.Done()
				c.done = func() <-chan struct{} { f(); return done }
			},
			"Err": func(c *hostileContext, f func()) {
				c.err = func() error { f(); return nil }
			},
			"Deadline": func(c *hostileContext, f func()) {
				c.deadline = func() (time.Time, bool) { f(); return time.Time{}, false }
			},
		} {
			for _, from := range []int{1, 2} {
				t.Run(method+" "+bad.name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						p, _ := newPool(t, func(c *Config[*fakeConn]) {
							c.MaxSize = 1
							c.Alive = func(*fakeConn) error { return ErrUnsure } // so it waits twice
							c.Check = func(context.Context, *fakeConn) error { return nil }
						})
						lease := acquire(t, p)
						calls := 0
						ctx := hostileContext{Context: within(t, time.Minute)}
						set(&ctx, func() {
							if calls++; calls >= from {
								bad.do()
							}
						})
						go runAside(func() {
							if lease, err := p.Acquire(ctx); err == nil {
								lease.Release()
							}
						})
						synctest.Wait()
						lease.Release()
						synctest.Wait()
						requireFull(t, p, 1)
						require.Zero(t, p.Stats().Waiting)
					})
				})
			}
		}
	}
}

// A context that has ended and says that it has not gets no lease of nothing.
func TestFault86_AContextThatEndsWithoutAnErrorIsCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		prepared := 0
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize = 1
			c.Prepare = func(context.Context, *fakeConn) error { prepared++; return nil }
		})
		lease := acquire(t, p)
		over, end := context.WithCancel(t.Context())
		ctx := hostileContext{Context: over, err: func() error { return nil }}
		failed := make(chan error)
		go func() {
			_, err := p.Acquire(ctx)
			failed <- err
		}()
		synctest.Wait()
		end()
		require.ErrorIs(t, <-failed, context.Canceled)
		require.Equal(t, 1, prepared)
		require.ErrorIs(t, p.Shutdown(ctx), context.Canceled)
		lease.Release()
	})
}

func TestFault99_AClosedPoolRefusesWithoutALock(t *testing.T) {
	p, _ := newPool(t, only(1))
	require.NoError(t, p.Close())
	_, err := p.Acquire(t.Context())
	require.ErrorIs(t, err, ErrClosed)
	var acquireErr *AcquireError
	require.ErrorAs(t, err, &acquireErr)
	require.Equal(t, p.Name(), acquireErr.Pool)
	p.mu.Lock() // whoever holds it holds up nobody
	defer p.mu.Unlock()
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = p.Acquire(context.Background()) }))
	done, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("over"))
	_, err = p.Acquire(done)
	require.ErrorIs(t, err, ErrClosed)
}

// deadlined is a context with a deadline that never ends it.
type deadlined struct{ context.Context }

func (deadlined) Deadline() (time.Time, bool) { return time.Now().Add(time.Second), true }

func TestFault86_ADeadlineOfAContextThatIsNeverDoneIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, only(1))
		defer acquire(t, p).Release()
		began := time.Now()
		_, err := p.Acquire(deadlined{context.Background()})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, defaultAcquireTimeout, time.Since(began))
	})
}
