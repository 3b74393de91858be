package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// publishAll shares a few channels among many goroutines.
func (a *app) publishAll(ctx context.Context) error {
	a.headline("%d goroutines publish", a.publishers)
	began := time.Now()
	confirmed, err := a.atOnce(ctx, a.messages, func(id string) error { return a.publish(ctx, id) })
	fmt.Fprintf(a.out, "  The broker has confirmed %d of %d messages, in %v.\n", confirmed, a.messages, since(began))
	a.printOpen(ctx)
	return cmp.Or(err, ctx.Err())
}

// atOnce has all goroutines publish the messages 1, 2 and so on, up to most, and
// begin no more when until ends. It returns how many succeeded; a goroutine gives up
// when one does not.
func (a *app) atOnce(until context.Context, most int, publish func(id string) error) (succeeded int, err error) {
	var next, ok atomic.Int64
	var publishers sync.WaitGroup
	errs := make([]error, a.publishers)
	for i := range errs {
		publishers.Go(func() {
			for errs[i] == nil && until.Err() == nil {
				n := int(next.Add(1))
				if n > most {
					return
				}
				if errs[i] = publish(strconv.Itoa(n)); errs[i] == nil {
					ok.Add(1)
				}
			}
		})
	}
	publishers.Wait()
	return int(ok.Load()), cmp.Or(errs...)
}

// confirmTimeout bounds the wait for a confirmation. The wait for a channel is
// another matter.
const confirmTimeout = 5 * time.Second

// publish publishes a message to the queue, once.
func (a *app) publish(ctx context.Context, id string) error {
	return a.pool.Do(ctx, func(ctx context.Context, c *channel) error {
		ctx, cancel := context.WithTimeout(ctx, confirmTimeout)
		defer cancel()
		return c.publish(ctx, amqp.DefaultExchange, a.queue, amqp.Publishing{
			DeliveryMode: amqp.Persistent,
			MessageId:    id,
			Body:         []byte("message " + id),
		})
	})
}
