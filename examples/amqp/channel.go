package main

import (
	"context"
	"errors"

	amqp "github.com/rabbitmq/amqp091-go"
)

// channel is a channel in confirm mode, with what has to be known to lend it
// again. One goroutine uses it at a time.
type channel struct {
	conn *connection // with our share in it
	amqp *amqp.Channel

	closed   <-chan *amqp.Error // the broker's reason for closing it, which comes once
	reason   *amqp.Error        // the same, when it has come
	returned <-chan amqp.Return // the message of publish, if no queue wants it

	// sent is what has been published, in that order, from the first on that may be
	// unconfirmed.
	sent      []*amqp.DeferredConfirmation
	dedicated bool
}

// connect is the pool's Connect. It opens a channel on a connection that has room,
// or on a new one. The client knows no contexts: a channel that comes too late is
// closed by the goroutine that has waited for it.
func (t *connections) connect(ctx context.Context) (*channel, error) {
	conn, err := t.share(ctx)
	if err != nil {
		return nil, err
	}
	type result struct {
		*channel
		error
	}
	opened := make(chan result)
	go func() {
		ch, err := conn.open()
		if err != nil {
			conn.leave()
		}
		select {
		case opened <- result{ch, err}:
		case <-ctx.Done():
			if err == nil {
				_ = ch.close()
			}
		}
	}()
	select {
	case r := <-opened:
		return r.channel, r.error
	case <-ctx.Done():
		conn.forsake() // the next is not to wait for it too
		return nil, context.Cause(ctx)
	}
}

// open opens a channel and has the broker confirm what will be published on it.
func (c *connection) open() (*channel, error) {
	ch, err := c.amqp.Channel()
	if err != nil {
		return nil, err
	}
	// Each has room for the one that may come, so that the client need not wait for
	// us.
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	returned := ch.NotifyReturn(make(chan amqp.Return, 1))
	if err := ch.Confirm(false); err != nil {
		return nil, errors.Join(err, ch.Close())
	}
	return &channel{conn: c, amqp: ch, closed: closed, returned: returned}, nil
}

// close is the pool's Close. The client has it wait for the broker, or until the
// heartbeat says that there is none: the pool does not wait that long.
func (c *channel) close() error {
	defer c.conn.leave()
	return c.amqp.Close()
}

// dedicate returns the client's channel, for what is not done here: a consumer,
// a limit on deliveries, a queue to declare. Much of that changes the channel for
// good, and nobody can see how. So it is the borrower's for as long as the lease
// lasts, and is then closed. A transaction is the one thing it cannot do: the broker
// has none on a channel in confirm mode.
func (c *channel) dedicate() *amqp.Channel {
	c.dedicated = true
	return c.amqp
}
