package connpool

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// firstDialHangs has the first dial hang for as long as its context lasts, and the
// others take as long as they are told.
func firstDialHangs(c *Config[*fakeConn], takes time.Duration) {
	var dials atomic.Int64
	connect := c.Connect
	c.Connect = func(ctx context.Context) (*fakeConn, error) {
		if dials.Add(1) == 1 {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		time.Sleep(takes)
		return connect(ctx)
	}
}

func TestFault57_ADialThatHangsInAQuietPoolHoldsUpNobodyForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { firstDialHangs(c, 0) })
		began := time.Now()
		acquire(t, p).Release()
		require.Equal(t, slowestUsual, time.Since(began), "a second dial has served it")
		acquire(t, p).Release()
		require.EqualValues(t, 1, f.opens.Load())
	})
}

// A caller that gives up leaves the slow dial to the next one, which need not wait
// as long again.
func TestFault57_TheNextCallerDialsAtOnceBesideASlowDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[*fakeConn]) { firstDialHangs(c, 0) })
		require.ErrorIs(t, acquireFails(within(t, 900*time.Millisecond), p), context.DeadlineExceeded)
		time.Sleep(2 * time.Second)
		began := time.Now()
		acquire(t, p).Release()
		require.Zero(t, time.Since(began))
	})
}

func TestFault57_WhereDialsTakeLongNoneIsSlowForThat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.IdleTimeout = 20, time.Second })
		f.delayBy(1200 * time.Millisecond)
		release(acquireN(t, p, 1)...)
		p.Retire()
		synctest.Wait()
		f.delayBy(2 * time.Second)
		acquire(t, p).Release()
		require.EqualValues(t, 2, f.dials.Load())
	})
}

// A pool of one has no room for a second dial: its caller waits for the first.
func TestFault57_APoolOfOneWaitsForItsDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize, c.ConnectTimeout = 1, 5*time.Second
			firstDialHangs(c, 0)
		})
		acquire(t, p).Release()
		require.LessOrEqual(t, f.slots.peak(), int64(1))
	})
}
