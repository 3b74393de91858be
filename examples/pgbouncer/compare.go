package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/pgxconn"
)

// compare keeps a service busy on PostgreSQL alone, and through PgBouncer.
func (a *app) compare(ctx context.Context) error {
	a.headline(fmt.Sprintf("%d pools of up to %d, %d goroutines each, busy for %v", a.instances, a.poolSize(), a.workers, a.load))
	var outcomes []*outcome
	if a.private != nil {
		alone, err := a.measureAlone(ctx)
		if err != nil {
			return err
		}
		outcomes = append(outcomes, alone)
	}
	before, err := a.totals(ctx)
	if err != nil {
		return err
	}
	pooled, err := a.measure(ctx, "through PgBouncer", a.openPooled, a.console, a.sessions)
	if err != nil {
		return err
	}
	if err := a.printOutcomes(append(outcomes, pooled)); err != nil {
		return err
	}
	return a.printConsole(ctx, pooled, before)
}

// measureAlone keeps a service busy on a PostgreSQL of the same size that has no
// PgBouncer.
func (a *app) measureAlone(ctx context.Context) (_ *outcome, err error) {
	postgres, err := a.startPostgres(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, postgres.Stop()) }()
	sessions, err := openSessions(ctx, postgres.DSN())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sessions.conn.Close(ctx)) }()
	return a.measure(ctx, "PostgreSQL alone", func(name string) (*pgxconn.Pool, error) {
		return newDefaultPool(postgres.DSN(), name, a.poolSize())
	}, nil, sessions)
}

// newDefaultPool returns a pool that knows of no PgBouncer.
func newDefaultPool(url, name string, size int) (*pgxconn.Pool, error) {
	config, err := pgxconn.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = int32(size)
	config.ConnConfig.RuntimeParams["application_name"] = applicationName
	config.Tune = func(c *connpool.Config[*pgx.Conn]) {
		c.Name = name
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return pgxconn.NewWithConfig(context.Background(), config)
}

// measure keeps a service busy and counts.
func (a *app) measure(ctx context.Context, name string, open openPool, bouncer *console, postgres *sessions) (_ *outcome, err error) {
	pools, err := a.openFleet(open)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, pools.shutdown(ctx)) }()
	o := &outcome{name: name}
	err = a.work(ctx, pools, &o.tally, func(ctx context.Context) error {
		return o.watch(ctx, bouncer, postgres, a.load)
	})
	if err != nil {
		return nil, err
	}
	o.sums = pools.sums()
	return o, o.look(ctx, bouncer, postgres) // by now, everybody has been served once
}
