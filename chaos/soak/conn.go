package main

import (
	"net"
	"sync/atomic"
)

// conn is a connection that watches its users.
type conn struct {
	source *source
	id     uint64
	age    uint64        // the generation in which its dial began
	owner  atomic.Uint64 // whose it is now; 0: nobody's
	closed atomic.Bool
	dead   atomic.Bool // the other end has gone
	lost   atomic.Bool // its lease was dropped on purpose
	socket net.Conn    // nil for most
}

// owners numbers the uses of all connections.
var owners atomic.Uint64

// claim begins a use of the connection, which must be nobody else's. It returns
// the use's number, for yield.
func (c *conn) claim(use string) uint64 {
	me := owners.Add(1)
	if !c.owner.CompareAndSwap(0, me) {
		c.source.verdict.broken("%s: connection %d is lent for %s while use %d of it lasts", c.source.name, c.id, use, c.owner.Load())
	}
	if c.closed.Load() {
		c.source.verdict.broken("%s: connection %d is lent for %s and has been closed", c.source.name, c.id, use)
	}
	return me
}

func (c *conn) yield(me uint64) {
	if !c.owner.CompareAndSwap(me, 0) {
		c.source.verdict.broken("%s: connection %d was used by %d during use %d", c.source.name, c.id, c.owner.Load(), me)
	}
}

// die has the other end go, as a server does that has had enough.
func (c *conn) die() {
	c.dead.Store(true)
	if half, ok := c.socket.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // the echo server answers an end with an end; it fails if that has come already
	}
}

// finish marks the connection as closed, which happens once.
func (c *conn) finish(how string) {
	if c.closed.Swap(true) {
		c.source.verdict.broken("%s: connection %d is closed a second time, by %s", c.source.name, c.id, how)
		return
	}
	if by := c.owner.Load(); by != 0 && !c.lost.Load() {
		c.source.verdict.broken("%s: connection %d is closed by %s during use %d", c.source.name, c.id, how, by)
	}
	if c.socket != nil {
		_ = c.socket.Close() // an error of the socket is an error that was injected
	}
}
