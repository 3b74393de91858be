package pool

import (
	"io"
	"sync/atomic"
	"time"
)

// Conn is a connection that notices what is done to it.
type Conn struct {
	ID      int64     // 1 for a factory's first
	Dialled time.Time // when its dial began

	// Resource is what a scenario's Dial has opened, if anything; it is closed
	// with the connection.
	Resource io.Closer

	users  atomic.Int32
	closes atomic.Int32
}

// Enter begins a use of the connection, and reports whether nobody else uses it
// and it has not been closed.
func (c *Conn) Enter() bool { return c.users.Add(1) == 1 && c.closes.Load() == 0 }

// Leave ends the use.
func (c *Conn) Leave() { c.users.Add(-1) }

// Closes returns how often the connection has been closed.
func (c *Conn) Closes() int { return int(c.closes.Load()) }
