package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/pgxconn"
)

// newPool returns a pool of connections to the database of that URL.
func newPool(url string, o options, onLeak func(connpool.Leak)) (*connpool.Pool[*pgx.Conn], error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	// Settings that go with the connection hold for everybody who borrows it. They
	// are part of the handshake: no round trip is spent on them.
	config.RuntimeParams["application_name"] = "connpool-example"
	config.RuntimeParams["statement_timeout"] = "30s"

	// How to open, close and check a connection of pgx, and what not to lend again,
	// is filled in.
	settings, err := pgxconn.PoolConfigFrom(config)
	if err != nil {
		return nil, err
	}
	settings.Name = "orders"
	settings.MaxSize = o.size
	// A stack for every lease costs each a fraction of a microsecond. The usual
	// sample misses none where leases are as long as queries are.
	settings.LeakStacks = connpool.StacksAlways
	settings.LeakThreshold = o.threshold // the default is a minute
	settings.OnLeak = onLeak
	settings.Logger = slog.New(slog.DiscardHandler) // it would get a warning for each leak
	return connpool.New(settings)
}

// shutdownTimeout is how long leases have to end when the program ends.
const shutdownTimeout = 10 * time.Second

func shutdown(ctx context.Context, pool *connpool.Pool[*pgx.Conn]) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	return pool.Shutdown(ctx)
}
