package connpool

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// Sixteen connections return while one caller waits, whose turn has not come: each
// is let in for it.
func TestFault89_NoMoreThanMaxIdleStayIdleWhereOneWaiterMeetsManyReleases(t *testing.T) {
	for _, most := range []int{-1, 1, 4} {
		for range rounds(200) {
			synctest.Test(t, func(t *testing.T) {
				p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.MaxIdle = 16, most })
				leases := acquireN(t, p, 16)
				waiter := begin(t.Context(), p)
				synctest.Wait()
				start := make(chan struct{})
				for _, lease := range leases {
					go func() {
						<-start
						lease.Release()
					}()
				}
				close(start)
				synctest.Wait()
				require.LessOrEqual(t, p.Stats().Idle, max(most, 0))
				waiter.get(t).Release()
				synctest.Wait()
				require.LessOrEqual(t, p.Stats().Idle, max(most, 0))
			})
		}
	}
}
