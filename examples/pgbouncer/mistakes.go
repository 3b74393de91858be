package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/connpool/connpool/pgxconn"
)

// changeSessions shows one connection in two of PostgreSQL's sessions: while
// another's transaction has the first, it is given the second.
func (a *app) changeSessions(ctx context.Context) error {
	a.headline("Transaction mode: a connection has no session of its own")
	return a.withTwo(ctx, func(one, other *pgxconn.Conn) error {
		before, err := processOf(ctx, one)
		if err != nil {
			return err
		}
		return pgx.BeginFunc(ctx, other, func(tx pgx.Tx) error {
			taken, err := processOf(ctx, tx)
			if err != nil {
				return err
			}
			after, err := processOf(ctx, one)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.out, "Two queries on one connection: the first ran in PostgreSQL's process %d, the second in %d.\n", before, after)
			fmt.Fprintf(a.out, "In between, a transaction began on another connection: in %d.\n", taken)
			return nil
		})
	})
}

// nameStatements shows what becomes of the named statements that pgx prepares by
// default.
func (a *app) nameStatements(ctx context.Context) error {
	a.headline("Prepared statements: pgx's default, and pool.go")
	for _, way := range []struct {
		name string
		open openPool
	}{
		{"cache_statement, the default", a.openDefault},
		{"pool.go", a.openPooled},
	} {
		failed, err := a.queryOnEach(ctx, way.open)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.out, "%s: the same query on %d connections, %d failed\n", way.name, a.poolSize(), len(failed))
		if len(failed) > 0 {
			fmt.Fprintf(a.out, "  %v\n", failed[0])
		}
	}
	return nil
}

// queryOnEach sends one query on each connection that a pool may have, and returns
// PostgreSQL's complaints.
func (a *app) queryOnEach(ctx context.Context, open openPool) (complaints []error, err error) {
	err = with(ctx, open, a.poolSize(), func(conns []*pgxconn.Conn) error {
		for _, conn := range conns {
			err := compute(ctx, conn, 1)
			if ctx.Err() != nil || errors.Is(err, errWrong) {
				return err
			}
			if err != nil {
				complaints = append(complaints, err)
			}
		}
		return nil
	})
	return complaints, err
}

// setForSession shows where a SET goes, and a SET LOCAL.
func (a *app) setForSession(ctx context.Context) error {
	a.headline("SET, and SET LOCAL")
	return a.withTwo(ctx, func(one, other *pgxconn.Conn) error {
		if _, err := one.Exec(ctx, "set statement_timeout = '20ms'"); err != nil {
			return err
		}
		if err := a.sleepElsewhere(ctx, other, "SET statement_timeout = '20ms'"); err != nil {
			return err
		}
		// What was set stays until the session ends, which takes up to an hour
		// (server_lifetime).
		if _, err := a.console.conn.Exec(ctx, "reconnect"); err != nil {
			return err
		}
		err := pgx.BeginFunc(ctx, one, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "set local statement_timeout = '20ms'")
			return err
		})
		if err != nil {
			return err
		}
		return a.sleepElsewhere(ctx, other, "SET LOCAL, in a transaction")
	})
}

// sleepElsewhere prints how another user's query fares after something.
func (a *app) sleepElsewhere(ctx context.Context, other *pgxconn.Conn, after string) error {
	_, err := other.Exec(ctx, "select pg_sleep(0.1)")
	if ctx.Err() != nil {
		return err
	}
	fate := "succeeds"
	if err != nil {
		fate = fmt.Sprintf("fails: %v", err)
	}
	fmt.Fprintf(a.out, "%s: a query of 100 ms on another connection %s\n", after, fate)
	return nil
}

func (a *app) withTwo(ctx context.Context, f func(one, other *pgxconn.Conn) error) error {
	return with(ctx, a.openPooled, 2, func(conns []*pgxconn.Conn) error { return f(conns[0], conns[1]) })
}

// with calls f with so many connections of a new pool.
func with(ctx context.Context, open openPool, n int, f func([]*pgxconn.Conn) error) (err error) {
	pool, err := open("one of them")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fleet{pool}.shutdown(ctx)) }()
	var conns []*pgxconn.Conn
	for range n {
		conn, err := pool.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release()
		conns = append(conns, conn)
	}
	return f(conns)
}
