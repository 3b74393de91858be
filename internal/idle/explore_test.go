//go:build explore

package idle

import (
	"slices"
	"testing"

	"github.com/connpool/connpool/internal/explore"
)

// listOf returns a list with the numbers below n, the highest on top, whose tag
// is about to wrap. With a cell, 0 lies in it.
func listOf(cells, n int) *List {
	l := aboutToWrap(cells)
	l.Grow(n)
	for _, i := range upTo(n) {
		l.Push(i)
	}
	return l
}

// hands are the numbers that a thread has popped and not pushed back.
type hands []uint32

func (h *hands) pop(l *List) {
	if n, ok := l.Pop(); ok {
		*h = append(*h, n)
	}
}

// put pushes the oldest number.
func (h *hands) put(l *List) {
	if len(*h) > 0 {
		n := (*h)[0]
		*h = (*h)[1:]
		l.Push(n)
	}
}

// exploreList runs threads over a list of the numbers below n. In the end each
// number is in the list or in somebody's hands, once.
func exploreList(t *testing.T, cells, n int, threads ...func(l *List, h *hands)) {
	t.Helper()
	explore.All(t, 3, func(r *explore.Run) {
		l := listOf(cells, n)
		held := make([]hands, len(threads))
		for i, act := range threads {
			r.Go(string(rune('a'+i)), func() { act(l, &held[i]) })
		}
		r.Finally(func() {
			all := slices.Concat(held...)
			for _, i := range drain(l) {
				if all = append(all, i); len(all) > n {
					break // lost in a ring
				}
			}
			slices.Sort(all)
			r.Require(slices.Equal(all, upTo(n)), "in the list or in hand: %v", all)
		})
	})
}

func popTwicePutOne(l *List, h *hands) {
	h.pop(l)
	h.pop(l)
	h.put(l)
}

func popOne(l *List, h *hands) { h.pop(l) }

func popPut(l *List, h *hands) {
	h.pop(l)
	h.put(l)
}

func settle(l *List, _ *hands) { l.Settle() }

// One pops while another takes what is on top and what is beneath, and puts the
// first back: the head is as it was, and the link beneath it is not.
func TestExplore_AHeadThatGoesAndComesBackIsNotMistaken(t *testing.T) {
	exploreList(t, 0, 3, popOne, popTwicePutOne)
}

func TestExplore_TwoPoppersAndAPusherLoseNothing(t *testing.T) {
	exploreList(t, 0, 2, popOne, popTwicePutOne, popPut)
}

func TestExplore_ACellIsTakenAndFilledOnce(t *testing.T) {
	exploreList(t, 1, 1, popPut, popPut)
	exploreList(t, 1, 3, popTwicePutOne, popTwicePutOne)
}

func TestExplore_WhatIsMovedFromACellToTheStackIsNotLost(t *testing.T) {
	exploreList(t, 1, 2, settle, popTwicePutOne)
	exploreList(t, 1, 2, settle, popPut, popPut)
	exploreList(t, 1, 2, settle, settle)
}
