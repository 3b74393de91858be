package main

import (
	"context"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

var (
	errNacked      = errors.New("amqp: the broker did not take the message")
	errUnroutable  = errors.New("amqp: no queue wants the message")
	errUnconfirmed = errors.New("amqp: publishings on the channel are unconfirmed")
)

// publish publishes a message and returns when the broker has confirmed that a
// queue has it. Nothing else may be unconfirmed, so that what comes back is about
// this one.
func (c *channel) publish(ctx context.Context, exchange, key string, message amqp.Publishing) error {
	if c.settle(); len(c.sent) > 0 {
		return errUnconfirmed
	}
	_ = c.routed() // whatever it says, it is about one that was given up
	confirmation, err := c.post(ctx, exchange, key, true, message)
	if err != nil {
		return err
	}
	if err := c.await(ctx, confirmation); err != nil {
		return err
	}
	return c.routed()
}

// routed returns an error if the message has come back. That happens before it is
// confirmed.
func (c *channel) routed() error {
	select {
	case back, ok := <-c.returned:
		if ok {
			return fmt.Errorf("%w: %s", errUnroutable, back.ReplyText)
		}
	default:
	}
	return nil
}

// send publishes a message without waiting for what becomes of it, so that many
// can be on their way. The broker drops it, and confirms it, if no queue wants it.
func (c *channel) send(ctx context.Context, exchange, key string, message amqp.Publishing) (*amqp.DeferredConfirmation, error) {
	return c.post(ctx, exchange, key, false, message)
}

func (c *channel) post(ctx context.Context, exchange, key string, mandatory bool, message amqp.Publishing) (*amqp.DeferredConfirmation, error) {
	confirmation, err := c.amqp.PublishWithDeferredConfirmWithContext(ctx, exchange, key, mandatory, false, message)
	if err != nil {
		return nil, c.because(err)
	}
	c.settle()
	c.sent = append(c.sent, confirmation)
	return confirmation, nil
}

// await returns when the broker has confirmed a publishing. A persistent message
// for a durable queue is on disk by then. If ctx ends first, or the channel breaks,
// nobody knows whether the message has arrived.
func (c *channel) await(ctx context.Context, confirmation *amqp.DeferredConfirmation) error {
	taken, err := confirmation.WaitContext(ctx)
	switch {
	case err != nil || taken:
		return err
	case c.amqp.IsClosed(): // to the client that, too, is not taken
		return c.because(amqp.ErrClosed)
	}
	return errNacked
}

// settle forgets the publishings that have been confirmed, up to the first that
// has not.
func (c *channel) settle() {
	for len(c.sent) > 0 {
		select {
		case <-c.sent[0].Done():
			c.sent = c.sent[1:]
		default:
			return
		}
	}
}
