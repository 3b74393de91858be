package connpooltest

import "math/rand/v2"

// What is drawn depends on the seed, what it is drawn for and its number alone.
// So the fate of the tenth dial is the same in every run, whatever else happens
// before it or at the same time.

// purpose keeps what is drawn for one thing apart from what is drawn for another.
type purpose uint64

const (
	forFailing purpose = iota + 1
	forHanging
	forPanicking
	forDelaying
	forWearing
	forBreaking
)

func (p purpose) draw(seed, number uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed^uint64(p)<<56, number))
}

// hits reports whether number is the one that is hit among the every numbers
// around it: in each row of so many exactly one is, and the seed says which.
// Numbers begin with 0.
func (p purpose) hits(seed, number uint64, every int) bool {
	if every <= 0 {
		return false
	}
	row, place := number/uint64(every), number%uint64(every)
	return p.draw(seed, row).Uint64N(uint64(every)) == place
}
