package main

import (
	"context"

	"github.com/connpool/connpool"
)

// leaveOpen has callers return connections with something begun and not ended, and
// shows that the next caller has nothing to do with it.
func (a *app) leaveOpen(ctx context.Context) error {
	a.headline("What is left open is closed with its connection")
	key := a.key("left open")
	for _, commands := range [][][]string{
		{{"MULTI"}, {"DEL", key}},
		{{"WATCH", key}},
		{{"SELECT", "1"}},
	} {
		if err := a.leave(ctx, key, commands); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) leave(ctx context.Context, key string, commands [][]string) error {
	var next any
	closed, err := withOne(ctx, poolConfig(a.server), func(pool *connpool.Pool[*conn]) error {
		err := pool.Do(ctx, func(ctx context.Context, c *conn) error {
			_, err := c.pipeline(ctx, commands...)
			return err
		})
		if err != nil {
			return err
		}
		return pool.Do(ctx, func(ctx context.Context, c *conn) (err error) {
			next, err = c.do(ctx, "SET", key, "mine", "EX", lifetime)
			return err
		})
	})
	if err != nil {
		return err
	}
	a.say("%-6s the next caller's SET is answered with %v. Closed on return: %v", commands[0][0], next, closed)
	return nil
}

// subscribe has a connection be a subscriber's for as long as that likes.
func (a *app) subscribe(ctx context.Context) error {
	a.headline("A subscriber keeps its connection, and it is nobody else's after that")
	channel := a.key("news")
	closed, err := withOne(ctx, poolConfig(a.server), func(pool *connpool.Pool[*conn]) error {
		lease, err := pool.Acquire(ctx)
		if err != nil {
			return err
		}
		defer lease.Release()
		lease.KeepLong() // it is no leak
		return a.listen(ctx, lease.Conn(), channel)
	})
	if err != nil {
		return err
	}
	a.say("Closed on return: %v", closed)
	return nil
}

// listen receives one message, which the other pool's connection publishes.
func (a *app) listen(ctx context.Context, c *conn, channel string) error {
	if _, err := c.do(ctx, "SUBSCRIBE", channel); err != nil {
		return err
	}
	err := a.pool.Do(ctx, func(ctx context.Context, c *conn) error {
		_, err := c.do(ctx, "PUBLISH", channel, "good news")
		return err
	})
	if err != nil {
		return err
	}
	message, err := c.receive(ctx)
	if err != nil {
		return err
	}
	a.say("A message has come: %v", message)
	return nil
}
