package main

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
)

// queryAtOnce shares a few connections among many goroutines.
func (a *app) queryAtOnce(ctx context.Context) error {
	a.headline(fmt.Sprintf("%d goroutines query", a.workers))
	succeeded, err := a.query(ctx)
	fmt.Fprintf(a.out, "%d of %d queries succeeded, on %d connections.\n", succeeded, a.queries, a.pool.Stats().Connects)
	return err
}

// query runs all queries, and returns how many succeeded. A worker gives up when
// one of its queries fails.
func (a *app) query(ctx context.Context) (succeeded int64, err error) {
	var next, ok atomic.Int64
	var workers sync.WaitGroup
	errs := make([]error, a.workers)
	for i := range errs {
		workers.Go(func() {
			for errs[i] == nil && next.Add(1) <= int64(a.queries) {
				if errs[i] = a.double(ctx, 21); errs[i] == nil {
					ok.Add(1)
				}
			}
		})
	}
	workers.Wait()
	return ok.Load(), cmp.Or(errs...)
}

// double has the server double n. Do returns the connection, whatever happens.
func (a *app) double(ctx context.Context, n int) error {
	return a.pool.Do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		var twice int
		if err := conn.QueryRow(ctx, "select 2 * $1::int", n).Scan(&twice); err != nil {
			return err
		}
		if twice != 2*n {
			return fmt.Errorf("the server says that twice %d is %d", n, twice)
		}
		return nil
	})
}

// transfer moves money from one account to another, or does nothing at all. A
// transaction is one connection's, so it is one lease's.
func (a *app) transfer(ctx context.Context) error {
	a.headline("A transaction")
	return a.pool.Do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if err := openAccounts(ctx, tx); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, "update account set balance = balance + case id when 1 then -30 else 30 end"); err != nil {
				return err
			}
			return a.printBalances(ctx, tx)
		})
	})
}

func openAccounts(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `create temporary table account (id int, balance int) on commit drop;
		insert into account values (1, 100), (2, 0)`)
	return err
}

func (a *app) printBalances(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, "select id, balance from account order by id")
	if err != nil {
		return err
	}
	var id, balance int
	_, err = pgx.ForEachRow(rows, []any{&id, &balance}, func() error {
		fmt.Fprintf(a.out, "account %d: %d\n", id, balance)
		return nil
	})
	return err
}
