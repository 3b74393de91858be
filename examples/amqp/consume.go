package main

import (
	"context"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// consumeAll takes back what was published.
func (a *app) consumeAll(ctx context.Context) error {
	a.headline("One goroutine consumes")
	got, err := a.drain(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "  %d messages have come back, %d of them more than once.\n", len(got), repeated(got))
	if len(got) != a.messages {
		return fmt.Errorf("%d messages were confirmed, and %d are in the queue", a.messages, len(got))
	}
	return nil
}

// drain takes all messages out of the queue, and returns how often each was in it.
func (a *app) drain(ctx context.Context) (map[string]int, error) {
	lease, err := a.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer lease.Release()
	lease.KeepLong() // a consumer may hold its channel for hours: that is no leak
	ch := lease.Conn().dedicate()
	queue, err := ch.QueueDeclarePassive(a.queue, true, false, false, false, nil)
	if err != nil {
		return nil, err
	}
	if err := ch.Qos(prefetch, 0, false); err != nil {
		return nil, err
	}
	deliveries, err := ch.Consume(a.queue, "", false, false, false, false, nil)
	if err != nil {
		return nil, err
	}
	return take(ctx, deliveries, queue.Messages)
}

// prefetch is how many deliveries are on their way or in work at most.
const prefetch = 100

// take acknowledges n deliveries, and returns how often each message was among
// them.
func take(ctx context.Context, deliveries <-chan amqp.Delivery, n int) (map[string]int, error) {
	got := map[string]int{}
	for range n {
		select {
		case delivery, ok := <-deliveries:
			if !ok {
				return got, amqp.ErrClosed
			}
			if err := delivery.Ack(false); err != nil {
				return got, err
			}
			got[delivery.MessageId]++
		case <-ctx.Done():
			return got, ctx.Err()
		}
	}
	return got, nil
}

// repeated returns how many messages have come more than once.
func repeated(got map[string]int) (n int) {
	for _, times := range got {
		if times > 1 {
			n++
		}
	}
	return n
}
