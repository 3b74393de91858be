package main

import (
	"errors"
	"net"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/connpool/connpool"
)

// alive is the pool's Alive. The client hears at once when the broker closes a
// channel, and when a connection breaks.
func (c *channel) alive() error {
	if c.amqp.IsClosed() || c.conn.amqp.IsClosed() {
		return connpool.ErrBadConn
	}
	return nil
}

var errDedicated = errors.New("amqp: the channel was dedicated to its borrower")

// clean is the pool's Clean. What one borrower has left unconfirmed is not for the
// next, who could not tell from his own message what is said about it.
func (c *channel) clean() error {
	c.settle()
	switch {
	case c.dedicated:
		return errDedicated
	case len(c.sent) > 0:
		return errUnconfirmed
	}
	return c.alive()
}

// check is the pool's Check: a round trip that asks for an exchange that every
// broker has. If no answer comes, the pool does not wait for it longer than its
// CheckTimeout.
func (c *channel) check() error {
	return c.amqp.ExchangeDeclarePassive("amq.direct", amqp.ExchangeDirect, true, false, false, false, nil)
}

// isBad is the pool's IsBad: it reports whether an error means that the connection
// is broken, so that the other channels are checked before they are lent. After a
// refusal only the channel is closed, which clean sees.
func isBad(err error) bool {
	var protocol *amqp.Error
	var network *net.OpError
	return errors.As(err, &network) || errors.As(err, &protocol) && !protocol.Recover
}

// refused reports whether the broker has said no, and closed the channel for it:
// there is no such exchange, or access is denied. It would say so again.
func refused(err error) bool {
	var protocol *amqp.Error
	return errors.As(err, &protocol) && protocol.Recover
}

// because returns why the broker has closed the channel, if it has, or else err.
func (c *channel) because(err error) error {
	select {
	case reason := <-c.closed:
		if reason != nil { // the first time
			c.reason = reason
		}
	default:
	}
	if c.reason != nil {
		return c.reason
	}
	return err
}
