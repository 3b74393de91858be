package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/pgxconn"
)

// newPool returns the pool of one instance of a service, for a PgBouncer in
// transaction mode. There, a connection is another session of PostgreSQL's from one
// transaction to the next.
//
// tracked says that PgBouncer tracks prepared statements: that it is 1.21 or later,
// with max_prepared_statements above 0, which is the default from 1.24 on. After a
// change of the schema these fail until its console is told to RECONNECT.
func newPool(url, name string, size int, tracked bool) (*pgxconn.Pool, error) {
	config, err := pgxconn.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	// No more than are needed: who gives up waiting for one of these costs nothing. Who
	// has one and gives up waiting in PgBouncer costs the connection.
	config.MaxConns = int32(size)
	if !tracked {
		// By default pgx gives statements a name, and prepares them in one session to
		// execute them in another. In this mode it remembers their types only.
		config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	// PgBouncer carries this over from session to session, and the time zone. It
	// refuses connections that come with a statement_timeout, a search_path or other
	// options: those are for the role (alter role ... set), or for a transaction (set
	// local). For the same reason there is no Reset: it would clean another's session.
	config.ConnConfig.RuntimeParams["application_name"] = applicationName

	// Less than PgBouncer's client_idle_timeout, if that is set.
	config.MaxConnIdleTime = 5 * time.Minute
	// New connections find a PgBouncer that was added behind the same name.
	config.MaxConnLifetime = 30 * time.Minute

	// A ping needs one of PgBouncer's server connections. While all are busy it waits,
	// and a connection whose ping waits for too long (PingTimeout) is taken for dead. A
	// look at the socket, before every lease, sees whether PgBouncer has hung up.
	config.HealthCheckPeriod = -1
	config.Tune = func(c *connpool.Config[*pgx.Conn]) {
		c.Name = name
		c.CheckAfterIdle = 30 * time.Second      // the default is a second
		c.DownAfter = 10 * time.Second           // who has the time waits for a PgBouncer that restarts
		c.Logger = slog.New(slog.DiscardHandler) // it would get a warning for each outage
	}
	return pgxconn.NewWithConfig(context.Background(), config)
}

const applicationName = "connpool-example"
