//go:build explore

package slot

import (
	"testing"

	"github.com/connpool/connpool/internal/explore"
)

// Whoever releases or lends takes what is there and replaces it, a marker what
// it finds: no mark is lost, and no move is undone.
func TestExplore_NoMarkIsLostAndNoMoveUndone(t *testing.T) {
	explore.All(t, 3, func(r *explore.Run) {
		c := cell(word(Leased, 3, 0))
		ended := 0
		for _, name := range []string{"one end", "another"} {
			r.Go(name, func() {
				if end(c, word(Leased, 3, 0)) {
					ended++
				}
			})
		}
		r.Go("marker", func() { c.Mark(Retired); c.Unmark(Due) })
		r.Go("waverer", func() { c.Mark(Due) })
		r.Finally(func() {
			w := c.Load()
			r.Require(ended == 1, "the lease ended %d times", ended)
			r.Require(w.State() == Idle && w.Turn() == 4 && w.Has(Retired), "the word is %x", w)
		})
	})
}

func TestExplore_ASlotIsLentToOne(t *testing.T) {
	explore.All(t, 3, func(r *explore.Run) {
		c := cell(word(Idle, 2, Listed))
		lent := 0
		for _, name := range []string{"one", "two", "three"} {
			r.Go(name, func() {
				if w := c.Load(); w.State() == Idle && c.CAS(w, w.Lend()) {
					lent++
				}
			})
		}
		r.Go("marker", func() { c.Mark(Due) })
		r.Finally(func() { r.Require(lent <= 1 && c.Load().Has(Due), "lent to %d: %x", lent, c.Load()) })
	})
}
