package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/connpool/connpool"
)

// surviveTermination has the server close the pool's idle connections, as a
// restart or an administrator does, and queries at once. No query is repeated:
// none is sent on a connection that is dead.
func (a *app) surviveTermination(ctx context.Context) error {
	a.headline("pg_terminate_backend on idle connections")
	victims, err := a.terminate(ctx, a.idlePIDs())
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "The server has closed %d connections.\n", victims)
	succeeded, err := a.query(ctx)
	fmt.Fprintf(a.out, "%d of %d queries succeeded after that; the pool has replaced %d connections.\n",
		succeeded, a.queries, a.pool.Stats().Closes[connpool.ClosedCheck])
	return err
}

// idlePIDs returns the server's process numbers of the connections that are
// idle.
func (a *app) idlePIDs() (pids []uint32) {
	for _, lease := range a.pool.AcquireIdle() {
		pids = append(pids, lease.Conn().PgConn().PID())
		lease.Release()
	}
	return pids
}

// terminate ends the sessions with these process numbers, all but the one it
// uses for that, and returns how many it has ended.
func (a *app) terminate(ctx context.Context, pids []uint32) (ended int, err error) {
	err = a.pool.Do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		const terminate = "select count(*) filter (where pg_terminate_backend(pid)) from unnest($1::int[]) pid where pid <> pg_backend_pid()"
		if err := conn.QueryRow(ctx, terminate, pids).Scan(&ended); err != nil {
			return err
		}
		return awaitEnd(ctx, conn, pids)
	})
	return ended, err
}

// awaitEnd waits until the sessions are gone: they are told to end, and do so a
// moment later.
func awaitEnd(ctx context.Context, conn *pgx.Conn, pids []uint32) error {
	for {
		var left int
		const count = "select count(*) from pg_stat_activity where pid = any($1::int[]) and pid <> pg_backend_pid()"
		if err := conn.QueryRow(ctx, count, pids).Scan(&left); err != nil || left == 0 {
			return err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
