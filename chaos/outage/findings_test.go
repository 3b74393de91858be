package main

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const second = time.Second

var errQuery = errors.New("broken")

// backEarly is a tape of a server that answers before its start is known: the
// dials that follow the first one answered may go together.
func backEarly() *tape {
	t := goodTape()
	t.refused.Store(int64(second + 1))
	t.mu.dials = []dial{
		{second, second + 1, errQuery},
		{2 * second, 2*second + 10, nil},
		{2*second + 10, 2*second + 30, nil},
		{2*second + 11, 2*second + 30, nil},
	}
	return t
}

// goodTape is a tape of a fault from 1 s to 3 s with nothing to object to.
func goodTape() *tape {
	t := newTape()
	t.began, t.ended = second, 3*second
	for range 100 {
		t.mu.calls = append(t.mu.calls,
			call{began: 0, got: 1, ended: second / 2, allowed: 8 * second, patient: true, held: true, server: firstName},
			call{began: 2 * second, got: 3 * second, ended: 3*second + second/10, allowed: 8 * second, patient: true,
				held: true, born: 3 * second, proved: 3 * second, server: secondName})
	}
	t.mu.samples = []sample{{0, 1}, {4 * second, 1}}
	return t
}

func (t *tape) with(c call) *tape { t.mu.calls = append(t.mu.calls, c); return t }

func missedBy(s scenario, t *tape) (missed []string) {
	for _, r := range (outcome{s, [2]*tape{t, goodTape()}}).requirements() {
		if !r.met[0] {
			missed = append(missed, r.what)
		}
	}
	return missed
}

func TestAGoodTapeMeetsEveryRequirement(t *testing.T) {
	for _, s := range scenarios(false) {
		require.Empty(t, missedBy(s, goodTape()), s.name)
		require.Empty(t, missedBy(s, backEarly()), s.name)
	}
}

func TestEachBrokenPromiseIsSeen(t *testing.T) {
	all := map[string]scenario{}
	for _, s := range scenarios(false) {
		all[s.name] = s
	}
	late := goodTape()
	late.ended = second + 1 // so that the first success is two seconds late
	wide := goodTape()
	wide.sockets.add(maxSize + 1)
	crowded := goodTape()
	crowded.refused.Store(int64(second + second/5))
	for i := range 3 {
		at := second + time.Duration(i)*second/10
		crowded.mu.dials = append(crowded.mu.dials, dial{at, at + second/5, errQuery})
	}
	crowded.mu.dials = append(crowded.mu.dials, dial{2 * second, 2*second + second/2, errQuery}, dial{2*second + 1, 3 * second, errQuery})
	storm := goodTape()
	for i := range 100 {
		storm.mu.dials = append(storm.mu.dials, dial{second + time.Duration(i), second + time.Duration(i), errQuery})
	}
	cut := goodTape()
	for range maxSize + 1 {
		cut.with(call{began: second, got: second, ended: second + 1, patient: true, held: true, err: errQuery})
	}
	unchecked := goodTape()
	unchecked.reported.Store(int64(second + 5))
	unchecked.with(call{began: second + 6, got: second + 7, ended: second + 8, held: true, proved: second + 4})

	for _, test := range []struct {
		scenario string
		tape     *tape
		missed   string
	}{
		{"failover", goodTape().with(call{began: second, ended: 2 * second, patient: true, err: errQuery}), "failed calls whose deadline was longer than it lasted"},
		{"absence", cut, "queries that it cut off, on connections from before it"},
		{"slowness", late, "from its end to the first success"},
		{"slowness", wide, "most connections at once"},
		{"hole", crowded, "of those, begun while another was under way, after the first had failed"},
		{"crash", storm, "dials while it lasted"},
		{"failover", goodTape().with(call{began: 3*second + 1, ended: 4 * second, held: true, proved: 3 * second, server: firstName}), "leases on the old server, asked for after Retire"},
		{"absence", unchecked, "older connections lent unchecked after the first failure"},
	} {
		t.Run(fmt.Sprint(test.scenario, ": ", test.missed), func(t *testing.T) {
			require.Equal(t, []string{test.missed}, missedBy(all[test.scenario], test.tape))
		})
	}
}
