package connpool

import (
	"context"
	"sync"
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
