package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/connpool/connpool"
)

// poolConfig is that of a pool of channels over as few connections as hold them.
func poolConfig(table *connections, o options) connpool.Config[*channel] {
	return connpool.Config[*channel]{
		Name:    "amqp",
		Connect: table.connect,
		Close:   func(_ context.Context, c *channel) error { return c.close() },
		MaxSize: o.channels, // which bounds the connections too

		// Before every hand-out, without a round trip: is the connection up, and has
		// the broker not closed the channel?
		Alive: (*channel).alive,
		// On every return: has the borrower left it as it was?
		Clean: (*channel).clean,
		// A round trip once a channel has been idle for a second: a broker may be gone
		// without a word.
		Check: func(_ context.Context, c *channel) error { return c.check() },
		// Which errors of a borrower are the connection's.
		IsBad: isBad,

		// A restart is waited out: dials that fail fail no caller until they have
		// failed for so long, and a caller waits for up to a minute.
		DownAfter:      o.downAfter,
		AcquireTimeout: time.Minute,

		Logger: slog.New(slog.DiscardHandler), // the program says the same
	}
}

// dialTimeout bounds the dial of one connection, so that those who wait for it
// can still try another within the pool's ConnectTimeout of 10 s.
const dialTimeout = 5 * time.Second

// shutdownTimeout is how long leases have to end when the program ends.
const shutdownTimeout = 10 * time.Second

func shutdown(ctx context.Context, pool *connpool.Pool[*channel]) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	return pool.Shutdown(ctx)
}
