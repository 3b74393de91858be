package connpool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/internal/slot"
)

func TestFault01_ASecondReleaseDoesNotTouchTheNextUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, only(1))
		first := acquire(t, p)
		first.Release()
		second := acquire(t, p)
		first.Release()
		first.Discard(ErrBadConn)
		first.ReleaseErr(ErrBadConn)
		second.Conn().claim()
		_, err := p.TryAcquire(t.Context())
		require.ErrorIs(t, err, ErrNoneIdle, "the connection was lent twice")
		second.Conn().release()
		second.Release()
		require.EqualValues(t, 3, p.Stats().StaleReleases)
		requireFull(t, p, 1)
	})
}

func TestFault02_OfManyReleasesOfOneLeaseOneWins(t *testing.T) {
	p, _ := newPool(t, only(2))
	const rounds = 3000
	for range rounds {
		lease := acquire(t, p)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(lease.Release)
		}
		wg.Wait()
	}
	s := p.Stats()
	require.EqualValues(t, rounds, s.StaleReleases)
	require.Equal(t, s.Size, s.Idle)
}

func TestFault03_UseAfterReleasePanicsAndSaysWhy(t *testing.T) {
	p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.Name = 1, "orders" })
	stale := acquire(t, p)
	stale.Release()
	next := acquire(t, p)
	defer next.Release()
	const why = `connpool "orders": Lease.Conn after the lease has ended: the connection may be in another's hands`
	require.PanicsWithValue(t, why, func() { stale.Conn() })
	require.Panics(t, func() { stale.Hijack() })
	next.Conn().claim()
	next.Conn().release()
}

func TestFault39_EndsAfterHijackOrDiscardAreCounted(t *testing.T) {
	p, f := newPool(t, only(1))
	lease := acquire(t, p)
	conn := lease.Hijack()
	lease.Release()
	lease.KeepLong()
	require.Panics(t, func() { lease.Hijack() })
	require.NoError(t, f.close(t.Context(), conn))

	lease = acquire(t, p)
	lease.Discard(nil)
	lease.Release()
	require.EqualValues(t, 3, p.Stats().StaleReleases)
	require.EqualValues(t, 1, p.Stats().Hijacks)
}

func TestFault39_TheZeroLeaseSaysWhatItIs(t *testing.T) {
	var zero Lease[*fakeConn]
	zero.Release()
	zero.ReleaseErr(ErrBadConn)
	zero.Discard(ErrBadConn)
	zero.KeepLong()
	const why = "connpool: Lease.Conn on a zero Lease: Acquire returned an error, or it was never called"
	require.PanicsWithValue(t, why, func() { zero.Conn() })
	require.Panics(t, func() { zero.Hijack() })
}

func TestFault40_ANilContextPanicsBeforeAnythingIsLocked(t *testing.T) {
	p, _ := newPool(t, only(1))
	const why = "connpool: nil context: pass context.Background() if there is none"
	acquire(t, p).Release()                                        // so that one is idle
	require.PanicsWithValue(t, why, func() { p.Acquire(nil) })     //nolint:staticcheck // the point
	require.PanicsWithValue(t, why, func() { p.TryAcquire(nil) })  //nolint:staticcheck
	require.PanicsWithValue(t, why, func() { p.Warm(nil) })        //nolint:staticcheck
	require.PanicsWithValue(t, why, func() { p.Shutdown(nil) })    //nolint:staticcheck
	require.PanicsWithValue(t, why, func() { _ = p.Do(nil, nil) }) //nolint:staticcheck
	requireStillWorks(t, p)
}

func requireStillWorks(t *testing.T, p *Pool[*fakeConn]) {
	t.Helper()
	require.NoError(t, p.Do(t.Context(), func(_ context.Context, c *fakeConn) error {
		c.claim()
		c.release()
		return nil
	}))
}

// A lease just below the wrap-around of its slot's turn is as good as any, and a
// stale one as harmless.
func TestTurnsWrapHarmlessly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, only(1))
		acquire(t, p).Release()
		p.Stats() // so that nothing is left to tally
		s := p.seats.at(0)
		w := s.word.Load()
		const last = 1<<48 - 2
		s.word.Store(slot.At(last).To(w.State()).With(w & slot.Listed))
		p.mu.Lock()
		s.tallied = last
		p.mu.Unlock()
		before := p.Stats().Acquires

		var stale []Lease[*fakeConn]
		for range 4 {
			lease := acquire(t, p)
			lease.Conn().claim()
			for _, old := range stale {
				old.Release()
				require.Panics(t, func() { old.Conn() })
			}
			lease.Conn().release()
			lease.Release()
			stale = append(stale, lease)
		}
		require.EqualValues(t, 4, p.Stats().Acquires-before)
		require.EqualValues(t, 6, p.Stats().StaleReleases)
		requireFull(t, p, 1)
	})
}

// TestFault77_EndSeesTheErrorThatTheFunctionReturns, which is not known yet where
// the call is deferred.
func TestFault77_EndSeesTheErrorThatTheFunctionReturns(t *testing.T) {
	wrong := errors.New("no such table")
	for _, tc := range []struct {
		returns error
		closed  int64
	}{{nil, 0}, {wrong, 0}, {io.EOF, 1}, {fmt.Errorf("query: %w", ErrBadConn), 1}} {
		synctest.Test(t, func(t *testing.T) { // one borrower
			var tp tape
			p, f := newPool(t, func(c *Config[*fakeConn]) { c.Trace = &Trace{Released: traced(tp.record).Released} })
			work := func() (err error) {
				lease, err := p.Acquire(t.Context())
				if err != nil {
					return err
				}
				defer lease.End(&err)
				return tc.returns
			}
			require.Equal(t, tc.returns, work())
			synctest.Wait()
			require.Equal(t, tc.closed, f.closes.Load(), "%v", tc.returns)
			require.Equal(t, tc.returns, tp.only(t, "Released").(ReleasedInfo).Err)
			require.Zero(t, p.Stats().InUse)
		})
	}
}

// TestFault77_APanicInFlightDestroysTheConnectionAndGoesOn, whatever the panic's
// value is, and whether or not the lease has ended before.
func TestFault77_APanicInFlightDestroysTheConnectionAndGoesOn(t *testing.T) {
	for name, value := range map[string]any{"a string": "boom", "an error": io.ErrNoProgress} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // one borrower
				p, f := newPool(t, only(1))
				lease := acquire(t, p)
				require.PanicsWithValue(t, value, func() {
					var err error
					defer lease.End(&err)
					panic(value)
				})
				synctest.Wait()
				require.EqualValues(t, 1, f.closes.Load())
				require.EqualValues(t, 1, p.Stats().Closes[ClosedDiscarded])
				require.EqualValues(t, 1, p.Stats().Panics)
				requireFull(t, p, 1)

				lease = acquire(t, p)
				require.PanicsWithValue(t, value, func() {
					defer lease.End(nil)
					lease.Release()
					panic(value)
				})
				require.PanicsWithValue(t, value, func() {
					defer Lease[*fakeConn]{}.End(nil)
					panic(value)
				})
				requireFull(t, p, 1)
				require.EqualValues(t, 1, f.closes.Load(), "a stale End destroys nothing")
			})
		})
	}
}

// TestFault77_APanicThatIsOverIsNoneInFlight: it was recovered before End came.
func TestFault77_APanicThatIsOverIsNoneInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // one borrower
		p, f := newPool(t, only(1))
		func() {
			lease := acquire(t, p)
			defer lease.End(nil)
			defer func() { _ = recover() }()
			panic("boom")
		}()
		synctest.Wait()
		require.Zero(t, f.closes.Load())
		require.EqualValues(t, 1, p.Stats().Idle)
	})
}

func TestFault77_EndWithoutAnErrorIsARelease(t *testing.T) {
	p, f := newPool(t, only(1))
	for range 3 {
		acquire(t, p).End(nil)
	}
	Lease[*fakeConn]{}.End(nil)
	require.Zero(t, f.closes.Load())
	require.EqualValues(t, 1, p.Stats().Idle)
	ctx, err := t.Context(), error(nil)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		lease, _ := p.Acquire(ctx)
		lease.End(&err)
	}))
}

// judge is a connection that knows what has happened to it.
type judge struct{ broken bool }

func (j *judge) IsBad(error) bool { return j.broken }
func (j *judge) Close() error     { return nil }

// T is an interface without the method, as net.Conn is: what it holds is asked.
func TestFault55_TheConnectionItselfIsAskedBeforeItsErrorsTypeIsBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var own *judge
		p, err := New(Config[io.Closer]{
			Connect: func(context.Context) (io.Closer, error) { own = new(judge); return own, nil },
		})
		require.NoError(t, err)
		defer p.Close()
		elsewhere := func(err error) {
			t.Helper()
			require.Equal(t, err, p.Do(t.Context(), func(context.Context, io.Closer) error { return err }))
		}
		elsewhere(io.EOF)
		elsewhere(context.DeadlineExceeded)
		lease := acquire(t, p)
		lease.ReleaseErr(io.EOF)
		lease.ReleaseErr(io.EOF) // stale: it asks nothing
		require.EqualValues(t, 1, p.Stats().Connects)

		own.broken = true
		elsewhere(errRefused)
		require.EqualValues(t, 1, p.Stats().Closes[ClosedDiscarded])
	})
}

// A connection that Clean finds dead after work that failed says as much of the others
// as an error that IsBad condemns.
func TestFault55_AConnectionThatCleanFindsDeadMakesTheOthersSuspect(t *testing.T) {
	for name, c := range map[string]struct {
		clean, work error
		suspects    bool
	}{
		"dead":             {ErrBadConn, errRefused, true},
		"not clean":        {errors.New("unread"), errRefused, false},
		"dead by a cancel": {ErrBadConn, context.Canceled, false},
		"closed on end":    {ErrBadConn, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var checks atomic.Int64
				p, err := New(Config[*judge]{
					Connect: func(context.Context) (*judge, error) { return new(judge), nil },
					IsBad:   func(error) bool { return false },
					Clean: func(conn *judge) error {
						if conn.broken {
							return c.clean
						}
						return nil
					},
					Check:          func(context.Context, *judge) error { checks.Add(1); return nil },
					CheckAfterIdle: -1, CheckInterval: -1,
				})
				require.NoError(t, err)
				defer p.Close()
				first, second := acquire(t, p), acquire(t, p)
				second.Release()
				first.Conn().broken = true
				first.ReleaseErr(c.work)
				acquire(t, p).Release()
				synctest.Wait() // a dial may have been sooner than the check
				require.Equal(t, c.suspects, checks.Load() > 0)
			})
		})
	}
}
