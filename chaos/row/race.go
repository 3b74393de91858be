//go:build race

package row

// weighedDown: with the race detector goroutines take more time and memory than
// their own.
const weighedDown = true
