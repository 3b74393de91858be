package main

import (
	"context"
	"time"
)

// census is the most that was seen at one time while a service was busy.
type census struct {
	sessions int // on PostgreSQL

	clients, waiting, servers int64 // on PgBouncer, SHOW POOLS
}

// censusEvery is the pause between two looks.
const censusEvery = 20 * time.Millisecond

// watch looks at PgBouncer and at PostgreSQL, either of which may be nil, for a
// while.
func (c *census) watch(ctx context.Context, bouncer *console, postgres *sessions, d time.Duration) error {
	look := time.NewTicker(censusEvery)
	defer look.Stop()
	for over := time.After(d); ; {
		select {
		case <-over:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
		}
		if err := c.look(ctx, bouncer, postgres); err != nil {
			return err
		}
	}
}

func (c *census) look(ctx context.Context, bouncer *console, postgres *sessions) error {
	if postgres != nil {
		pids, err := postgres.pids(ctx)
		if err != nil {
			return err
		}
		c.sessions = max(c.sessions, len(pids))
	}
	if bouncer == nil {
		return nil
	}
	now, err := bouncer.sum(ctx, "pools", "cl_active", "cl_waiting", "sv_active", "sv_idle", "sv_used", "sv_tested")
	if err != nil {
		return err
	}
	c.clients = max(c.clients, now[0]+now[1])
	c.waiting = max(c.waiting, now[1])
	c.servers = max(c.servers, now[2]+now[3]+now[4]+now[5])
	return nil
}
