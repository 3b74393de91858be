package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/pgxconn"
)

// tally is what became of requests. Its note is safe for concurrent use.
type tally struct {
	answered, cut, unserved atomic.Int64 // cut: failed when they had a connection
	first                   error        // of those that got none; to be read when all is over
}

func (t *tally) note(err error) {
	var none *connpool.AcquireError
	switch {
	case err == nil:
		t.answered.Add(1)
	case !errors.As(err, &none):
		t.cut.Add(1)
	case t.unserved.Add(1) == 1:
		t.first = err
	}
}

// work keeps a service busy during something. Each of its goroutines sends one
// request after the other, and at least one.
func (a *app) work(ctx context.Context, pools fleet, t *tally, during func(context.Context) error) error {
	var over atomic.Bool
	var workers sync.WaitGroup
	wrong := make(chan error, len(pools)*a.workers)
	for _, pool := range pools {
		for range a.workers {
			workers.Go(func() { wrong <- serve(ctx, pool, t, &over) })
		}
	}
	err := during(ctx)
	over.Store(true)
	workers.Wait()
	for range cap(wrong) {
		err = errors.Join(err, <-wrong)
	}
	return err
}

// serve is one goroutine of an instance. It returns an error only if something is
// wrong with an answer, and ends early with ctx.
func serve(ctx context.Context, pool *pgxconn.Pool, t *tally, over *atomic.Bool) error {
	for n := int64(1); ; n++ {
		err := request(ctx, pool, n)
		switch {
		case errors.Is(err, errWrong):
			return err
		case ctx.Err() != nil:
			return nil
		}
		t.note(err)
		if over.Load() {
			return nil
		}
		time.Sleep(rand.N(2 * pause))
	}
}

// pause is what else a request has to do, on average.
const pause = 30 * time.Millisecond

// request is a query or, every other time, a transaction.
func request(ctx context.Context, pool *pgxconn.Pool, n int64) error {
	if n%2 == 0 {
		return compute(ctx, pool, n)
	}
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return transact(ctx, tx, n) })
}

var errWrong = errors.New("a wrong answer")

// compute has PostgreSQL do something that takes a processor, not a disk.
func compute(ctx context.Context, db querier, n int64) error {
	const numbers = 1000
	var sum int64
	err := db.QueryRow(ctx, "select sum($1::bigint * i)::bigint from generate_series(1, $2::int) i", n, numbers).Scan(&sum)
	if want := n * numbers * (numbers + 1) / 2; err == nil && sum != want {
		return fmt.Errorf("%w: %d, not %d", errWrong, sum, want)
	}
	return err
}

// querier is a pool, a connection or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// transact makes sure of what transaction mode promises: a transaction is one
// session's from beginning to end, and what is set LOCAL holds until then.
func transact(ctx context.Context, tx pgx.Tx, n int64) error {
	if _, err := tx.Exec(ctx, "set local statement_timeout = '10s'"); err != nil {
		return err
	}
	before, err := processOf(ctx, tx)
	if err != nil {
		return err
	}
	if err := compute(ctx, tx, n); err != nil {
		return err
	}
	var after uint32
	var limit string
	err = tx.QueryRow(ctx, "select pg_backend_pid(), current_setting('statement_timeout')").Scan(&after, &limit)
	if err == nil && (after != before || limit != "10s") {
		return fmt.Errorf("%w: a transaction began in process %d and goes on in %d, with a limit of %s", errWrong, before, after, limit)
	}
	return err
}

// processOf returns PostgreSQL's process that a query runs in: that of the session.
func processOf(ctx context.Context, db querier) (pid uint32, err error) {
	err = db.QueryRow(ctx, "select pg_backend_pid()").Scan(&pid)
	return pid, err
}
