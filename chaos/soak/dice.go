package main

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// dice are one goroutine's own.
type dice struct{ *rand.Rand }

// diceFor returns the dice of a goroutine that is known by its numbers.
func diceFor(seed uint64, who ...uint64) dice {
	for _, n := range who {
		seed = mix(seed + n)
	}
	return dice{rand.New(rand.NewPCG(seed, mix(seed)))}
}

// chance reports true with the given probability.
func (d dice) chance(p float64) bool { return d.Float64() < p }

// upTo draws a duration.
func (d dice) upTo(most time.Duration) time.Duration { return time.Duration(d.Int64N(int64(most) + 1)) }

// pick draws one of the choices, by their weights.
func (d dice) pick(weights ...int) int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	n := d.IntN(sum)
	for i, w := range weights {
		if n -= w; n < 0 {
			return i
		}
	}
	panic("unreachable: the weights sum up to more than n")
}

// sharedDice are thrown by many goroutines: the nth throw is settled, not who
// makes it.
type sharedDice struct {
	seed   uint64
	throws atomic.Uint64
}

func (s *sharedDice) chance(p float64) bool {
	return float64(mix(s.seed+s.throws.Add(1))>>11)/(1<<53) < p
}

// mix scatters the bits of a number: the finalizer of SplitMix64 (Steele, Lea
// and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
