package connpool

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// scripted is a pool, as a Budget sees it, whose steps a test decides.
type scripted struct {
	waiting int
	give    func() bool
}

func (s *scripted) offer() bool             { s.waiting--; return true }
func (s *scripted) yield(bool) (bool, bool) { return s.give(), false }
func (s *scripted) demand() int             { return s.waiting }
func (s *scripted) heedBudget(bool)         {}
func (s *scripted) inBackground(f func())   { go f() }
func (s *scripted) sampleStacks() bool      { return false }

// TestAClaimThatFailsHidesNobodyWhoWaits: while one pool is asked for a
// connection, and turns out to have none, all others are passed by because of it.
func TestAClaimThatFailsHidesNobodyWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(1)
		asked := make(chan bool)
		rich, waiter := new(scripted), &scripted{waiting: 1}
		rich.give = func() bool { go b.put(rich); return true }
		busy := &scripted{give: func() bool { return <-asked }}
		for _, m := range []*scripted{rich, waiter, busy} {
			b.join(m)
		}
		require.True(t, b.take(rich))

		// waiter asks, and busy is asked first.
		b.mu.Lock()
		b.waitLocked(waiter)
		b.mu.Unlock()
		go b.press(busy)
		synctest.Wait()
		b.squeeze() // passes by: busy is going to give one
		asked <- false
		synctest.Wait()
		require.Zero(t, waiter.waiting, "still waits, while rich has an idle connection")
	})
}
