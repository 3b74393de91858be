//go:build !unix

package connpool

import "math"

// fileLimit returns how many files the process may have open: here there is no
// such limit, or none that can be asked for.
func fileLimit() uint64 { return math.MaxUint64 }
