//go:build unix

package connpool

import (
	"math"
	"syscall"
)

// fileLimit returns how many files the process may have open: the soft limit,
// which Go programs raise to the hard one as they start.
func fileLimit() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return math.MaxUint64 // nothing is known against any number
	}
	return uint64(limit.Cur)
}
