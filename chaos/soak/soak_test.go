package main

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAShortSoakBreaksNothing(t *testing.T) {
	var screen, troubles bytes.Buffer
	err := command(t.Context(), []string{"-for", "2s", "-phase", "1s", "-workers", "100", "-seed", "1"}, &screen, &troubles)
	require.NoError(t, err, troubles.String())
	require.Contains(t, screen.String(), "phase 1")
	require.Contains(t, screen.String(), "nothing broken")
}

// newTestSoak returns a soak without a load.
func newTestSoak(t *testing.T) *soak {
	s, err := newSoak(order{phase: time.Second, seed: 1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.finish()) })
	return s
}

func broken(s *soak) string {
	select {
	case err := <-s.verdict.found:
		return err.Error()
	default:
		return ""
	}
}

func borrow(t *testing.T, r *rig) lease {
	l, err := r.pool.Acquire(context.Background())
	require.NoError(t, err)
	r.acquired.Add(1)
	return l
}

func TestTwoUsersOfAConnectionAreSeen(t *testing.T) {
	s := newTestSoak(t)
	l := borrow(t, s.rigs[0])
	c := l.Conn()
	first := c.claim("a test")
	require.Empty(t, broken(s))
	second := c.claim("a test")
	require.Contains(t, broken(s), "is lent for a test while use")
	c.yield(second)
	require.Contains(t, broken(s), "was used by")
	c.yield(first)
	l.Release()
}

func TestASecondCloseIsSeen(t *testing.T) {
	s := newTestSoak(t)
	c := &conn{source: s.rigs[0].source}
	c.finish("a test")
	require.Empty(t, broken(s))
	c.finish("a test")
	require.Contains(t, broken(s), "is closed a second time")
}

func TestAConnectionFromBeforeARetireIsSeen(t *testing.T) {
	s := newTestSoak(t)
	r := s.rigs[0]
	w := &worker{dice: diceFor(1), rigs: s.rigs, verdict: s.verdict}
	l := borrow(t, r)
	w.hold(r, l.Conn(), 0)
	require.Empty(t, broken(s))
	w.hold(r, l.Conn(), 1)
	require.Contains(t, broken(s), "is lent after a Retire")
	r.end()
	r.end()
	l.Release()
}

func TestMoreConnectionsThanAllowedAreSeen(t *testing.T) {
	s := newTestSoak(t)
	r := s.rigs[0]
	for range r.cfg.MaxSize {
		r.source.enter()
	}
	require.Empty(t, broken(s))
	r.source.enter()
	require.Contains(t, broken(s), "where 16 are allowed")
	r.source.slots.Store(0)
}

func TestALeaseThatNobodyHasIsSeen(t *testing.T) {
	s := newTestSoak(t)
	r := s.rigs[0]
	require.Empty(t, r.unsettled())
	l := borrow(t, r)
	require.Equal(t, "leases that nobody has", r.unsettled())
	require.ErrorContains(t, r.nothingLeft(), "one more than its whole capacity")
	r.acquired.Add(1) // that one
	l.Release()
	require.Empty(t, r.unsettled())
	r.stale.Add(1)
	require.Contains(t, r.unsettled(), "stale releases")
	r.stale.Store(0)
	r.source.opened.Add(1)
	require.Contains(t, r.unsettled(), "opened less closed")
	r.source.opened.Add(-1)
}

func TestMemoryThatOnlyGrowsIsSeen(t *testing.T) {
	s := newTestSoak(t)
	for range warmPhases {
		s.checkHeap(10 << 20)
	}
	s.checkHeap(30 << 20)
	require.Empty(t, broken(s))
	s.checkHeap(40 << 20)
	require.Contains(t, broken(s), "40 MB are in use at rest")
}

func TestASeedSettlesTheChoices(t *testing.T) {
	draw := func(seed uint64) (drawn []int) {
		d := diceFor(seed, 1, 2)
		for range 20 {
			drawn = append(drawn, d.pick(5, 3, 2))
		}
		return drawn
	}
	require.Equal(t, draw(7), draw(7))
	require.NotEqual(t, draw(7), draw(8))
}
