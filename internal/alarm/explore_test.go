//go:build explore

package alarm

import (
	"testing"
	"time"

	"github.com/connpool/connpool/internal/explore"
)

// Whoever asks, at whatever moment, sees the alarm ring afterwards.
func TestExplore_ATimeAskedForWhileItRingsIsKept(t *testing.T) {
	explore.All(t, 3, func(r *explore.Run) {
		rings, rang := 0, make(chan struct{}, 10)
		a := New(time.Time{}, func(time.Duration) {
			rings++
			rang <- struct{}{}
			explore.Point()
		})
		a.By(time.Second)
		for _, name := range []string{"one", "another"} {
			r.Go(name, func() {
				before := rings
				a.By(2 * time.Second)
				for rings == before {
					ready, _ := explore.Wait(rang, nil)
					<-ready
				}
				rang <- struct{}{} // for the other
			})
		}
		r.Finally(func() { r.Require(rings <= 3, "it has rung %d times", rings) })
	})
}
