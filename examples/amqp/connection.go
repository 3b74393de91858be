package main

import (
	"context"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// connection is one of the table, or has been.
type connection struct {
	in     *connections
	shares int // guarded by in.mu

	cancel  context.CancelFunc // ends the dial
	dialled chan struct{}      // closed at its end; from then on the rest does not change
	amqp    *amqp.Connection
	err     error
}

// dead reports whether the dial has failed or the connection has died.
func (c *connection) dead() bool {
	select {
	case <-c.dialled:
		return c.err != nil || c.amqp.IsClosed()
	default:
		return false
	}
}

// leave gives back a share. The last one to leave closes the connection.
func (c *connection) leave() {
	c.in.mu.Lock()
	c.shares--
	last := c.shares == 0
	if last {
		c.in.removeLocked(c)
	}
	c.in.mu.Unlock()
	if last {
		c.close()
	}
}

// forsake has the connection get no more shares.
func (c *connection) forsake() {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.in.removeLocked(c)
}

// closeTimeout bounds the farewell to a broker that may not answer.
const closeTimeout = 2 * time.Second

func (c *connection) close() {
	c.cancel()
	<-c.dialled // a dial that is called off ends at once
	if c.err == nil {
		// An error says that the broker has not heard of it: it will find out.
		_ = c.amqp.CloseDeadline(time.Now().Add(closeTimeout))
	}
}
