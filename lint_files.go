package connpool

import "fmt"

// fileRule compares what may be open at once with how many files the process
// may have open. A quarter of these is left to the rest of it: the connections of
// its own callers, logs, and whatever is closed a moment later than the pool
// believes.
func (c *Config[T]) fileRule(limit uint64) rule {
	n := c.mayOpen()
	return when(uint64(n) > limit-limit/4, "MaxSize",
		fmt.Sprintf("%d connections may be open, of the %d files that the process may have open (RLIMIT_NOFILE) for everything it does", n, limit),
		"raise that limit (ulimit -n, LimitNOFILE), or lower MaxSize; a connection that is no file does not count")
}

// mayOpen returns how many connections may be open at once.
func (c *Config[T]) mayOpen() int {
	if c.Budget != nil {
		return max(0, min(c.MaxSize, c.Budget.units))
	}
	return max(0, c.MaxSize)
}
