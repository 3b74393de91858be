package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// loseChannel publishes to an exchange that is not there. The broker closes the
// channel for that, and nothing else.
func (a *app) loseChannel(ctx context.Context) error {
	a.headline("The broker closes a channel")
	a.printOpen(ctx)
	err := a.pool.Do(ctx, func(ctx context.Context, c *channel) error {
		return c.publish(ctx, "connpool-no-such-exchange", "", amqp.Publishing{})
	})
	if !refused(err) {
		return cmp.Or(err, errors.New("the broker has taken a message to an exchange that is not there"))
	}
	fmt.Fprintf(a.out, "  %v\n", err)
	if err := a.publish(ctx, "after the refusal"); err != nil {
		return err
	}
	fmt.Fprintln(a.out, "  The next publishing has succeeded.")
	a.printOpen(ctx)
	_, err = a.drain(ctx)
	return err
}
