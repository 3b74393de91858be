package callers

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestGroupCountsLeasesBySiteLongestFirst(t *testing.T) {
	var p pool[int]
	slow := func() *Stack { return p.acquire() }
	quick := func() *Stack { return p.acquire() }

	sites := Group([]Held{
		{quick(), 3 * time.Second},
		{slow(), 10 * time.Second},
		{nil, 7 * time.Second},
		{quick(), 5 * time.Second},
		{slow(), 45 * time.Second},
		{nil, time.Second},
		{quick(), 4 * time.Second},
	})

	require.Len(t, sites, 3)
	require.Equal(t, slow().Caller(), sites[0].Caller)
	require.Equal(t, 2, sites[0].Count)
	require.Equal(t, 45*time.Second, sites[0].Held)
	require.Equal(t, Site{Count: 2, Held: 7 * time.Second}, sites[1], "the unnamed")
	require.Equal(t, quick().Caller(), sites[2].Caller)
	require.Equal(t, 3, sites[2].Count)
	require.Equal(t, 5*time.Second, sites[2].Held)
}

func TestGroupIgnoresTheWayThroughThePool(t *testing.T) {
	var p pool[int]
	s := []*Stack{p.acquire(), p.tryAcquire()} // one line, two depths of the pool
	require.NotEqual(t, s[0].pcs, s[1].pcs)
	require.Len(t, Group([]Held{{s[0], 1}, {s[1], 2}}), 1)
}

func TestGroupPrintsTheStackOfTheLongestHeld(t *testing.T) {
	var p pool[int]
	take := func() *Stack { return p.acquire() }
	first := take()
	longest := take() // same site, reached from another line
	last := take()

	sites := Group([]Held{{first, 1}, {longest, 3}, {last, 2}})

	require.Len(t, sites, 1)
	require.Equal(t, longest.Text(), sites[0].Stack)
	require.NotEqual(t, first.Text(), longest.Text())
}

func TestGroupTellsTwoFunctionsOnOneLineApart(t *testing.T) {
	var p pool[int]
	a, b := func() *Stack { return p.acquire() }, func() *Stack { return p.acquire() }
	require.Len(t, Group([]Held{{a(), 1}, {b(), 1}}), 2)
}

func TestGroupPutsEmptyStacksWithTheUnnamed(t *testing.T) {
	require.Equal(t, []Site{{Count: 2, Held: 2}}, Group([]Held{{new(Stack), 1}, {nil, 2}}))
}

func TestGroupOrderIsTheSameEveryTime(t *testing.T) {
	var p pool[int]
	var held []Held
	for _, take := range []func() *Stack{
		func() *Stack { return p.acquire() },
		func() *Stack { return p.acquire() },
		func() *Stack { return p.acquire() },
	} {
		held = append(held, Held{take(), time.Second})
	}
	want := Group(held)
	for range 20 {
		require.Equal(t, want, Group(held))
	}
}

func TestGroupOfNothingIsEmpty(t *testing.T) {
	require.Empty(t, Group(nil))
}

// holder is the pool's Holder as the pool declares it.
type holder struct {
	Caller string
	Stack  string
	Count  int
	Held   time.Duration
}

var _ = holder(Site{})
