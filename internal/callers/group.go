package callers

import (
	"cmp"
	"slices"
	"time"
)

// Held is one lease: who took it, nil if that was not captured, and for how
// long it has been held.
type Held struct {
	Stack *Stack
	Held  time.Duration
}

// Site is one call site and the leases it holds. Its fields are those of the
// pool's Holder, in order, so that one converts to the other.
type Site struct {
	Caller string        // as Stack.Caller; empty for all leases without a stack
	Stack  string        // as Stack.Text, of the lease held longest
	Count  int           // leases held from here
	Held   time.Duration // the longest of them
}

// Group sorts leases by the place that took them, longest held first. Leases
// are of one site when the frame that Caller names first is the same line of the
// same function, whichever way they went on through libraries and the pool.
// Leases without a stack are one site without a name.
//
// Only one stack a site is printed, and the way that it went is named.
func Group(held []Held) []Site {
	sites := make([]Site, 0, 8)
	for place, t := range tallies(held) {
		sites = append(sites, t.site(place))
	}
	slices.SortFunc(sites, func(a, b Site) int {
		return cmp.Or(cmp.Compare(b.Held, a.Held), cmp.Compare(b.Count, a.Count),
			cmp.Compare(a.Caller, b.Caller), cmp.Compare(a.Stack, b.Stack))
	})
	return sites
}

// tally counts the leases of one site.
type tally struct {
	longest Held
	count   int
}

// tallies counts leases by place; those without a stack under the zero frame.
func tallies(held []Held) map[frame]*tally {
	sites := make(map[frame]*tally)
	for _, h := range held {
		place, _ := h.Stack.place()
		if sites[place] == nil {
			sites[place] = &tally{longest: h}
		}
		sites[place].add(h)
	}
	return sites
}

func (t *tally) add(h Held) {
	t.count++
	if h.Held > t.longest.Held {
		t.longest = h
	}
}

func (t *tally) site(place frame) Site {
	s := Site{Count: t.count, Held: t.longest.Held}
	if place != (frame{}) {
		s.Caller, s.Stack = t.longest.Stack.Caller(), t.longest.Stack.Text()
	}
	return s
}
