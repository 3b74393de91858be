package pgxconn_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/pgxconn"
)

type prepare = func(context.Context, *pgx.Conn) (bool, error)

func preparing(f prepare) func(*config) { return func(c *config) { c.PrepareConn = f } }

// To the pool a connpool.ErrBadConn of its Prepare is a wish to try another.
func TestPrepareConnsErrorIsReturnedWhateverItIs(t *testing.T) {
	want := fmt.Errorf("the tenant is gone: %w", connpool.ErrBadConn)
	for _, keep := range []bool{true, false} {
		var asked int
		pool, _ := startPool(t, size(3), preparing(func(context.Context, *pgx.Conn) (bool, error) {
			asked++
			return keep, want
		}))
		require.Equal(t, want, pool.Ping(patient(t)))
		require.Equal(t, 1, asked)
		await(t, func() bool { return pool.Stat().AcquiredConns() == 0 })
		require.EqualValues(t, map[bool]int{true: 1}[keep], pool.Stat().TotalConns())
	}
}

func TestWhoIsLentAnotherKeepsItsPlaceInTheQueue(t *testing.T) {
	type name struct{}
	var unfit atomic.Int64
	pool, _ := startPool(t, size(1), preparing(func(ctx context.Context, _ *pgx.Conn) (bool, error) {
		return ctx.Value(name{}) != 1 || unfit.Add(-1) < 0, nil
	}))
	held := acquire(t, pool)
	unfit.Store(1)
	served := make(chan int, 3)
	for n := 1; n <= 3; n++ {
		go func() {
			c, err := pool.Acquire(context.WithValue(patient(t), name{}, n))
			if err != nil {
				served <- -n
				return
			}
			served <- n
			c.Release()
		}()
		await(t, func() bool { return pool.Connpool().Stats().Waiting == n })
	}
	held.Release()
	require.Equal(t, []int{1, 2, 3}, []int{<-served, <-served, <-served})
	require.EqualValues(t, 2, pool.Stat().NewConnsCount())
}

func TestAPrepareConnThatDoesNotReturnCostsItsConnectionAndNoSlot(t *testing.T) {
	for how, fail := range failures {
		if how == "returns an error" {
			continue
		}
		t.Run(how, func(t *testing.T) {
			var failing atomic.Bool
			pool, server := startPool(t, size(2), preparing(func(context.Context, *pgx.Conn) (bool, error) {
				if failing.Load() {
					return true, fail()
				}
				return true, nil
			}))
			fill(t, pool, 2)
			failing.Store(true)
			requireEndsCaller(t, func() { pool.AcquireAllIdle(patient(t)) })
			for range 3 {
				requireEndsCaller(t, func() { _ = pool.Ping(patient(t)) })
			}
			failing.Store(false)
			requireWhole(t, pool)
			w := watch(t, server)
			await(t, func() bool { return w.sessions() == 2 })
		})
	}
}

// requireEndsCaller checks that a function panics or calls Goexit.
func requireEndsCaller(t *testing.T, f func()) {
	t.Helper()
	returned := make(chan bool)
	go func() {
		done := false
		defer func() {
			_ = recover()
			returned <- done
		}()
		f()
		done = true
	}()
	require.False(t, <-returned)
}

func TestWhoAcquiresPastThePoolIsToldWhatPrepareConnSays(t *testing.T) {
	answers := []struct {
		ok  bool
		err error
	}{{true, nil}, {true, errWork}, {false, errWork}, {false, nil}, {true, nil}}
	asked := 0
	pool, _ := startPool(t, size(1), preparing(func(context.Context, *pgx.Conn) (bool, error) {
		asked++
		return answers[asked-1].ok, answers[asked-1].err
	}))
	ping := func() error {
		return pool.Connpool().Do(patient(t), func(ctx context.Context, conn *pgx.Conn) error { return conn.Ping(ctx) })
	}
	require.NoError(t, ping())
	require.ErrorIs(t, ping(), errWork)
	await(t, func() bool { return pool.Stat().TotalConns() == 0 })
	require.ErrorIs(t, ping(), errWork)
	require.NoError(t, ping(), "with the connection after next")
	require.Len(t, answers, asked)
}

// PrepareConn's context is the caller's own: what it acquires with that gets its
// own answer.
func TestAnAcquireInPrepareConnIsAnotherAffair(t *testing.T) {
	var pool *pgxconn.Pool
	depth := 0
	pool, _ = startPool(t, size(2), preparing(func(ctx context.Context, _ *pgx.Conn) (bool, error) {
		depth++
		defer func() { depth-- }()
		if depth == 2 {
			return true, errWork
		}
		_, err := pool.Connpool().Acquire(ctx)
		if !errors.Is(err, errWork) {
			return false, fmt.Errorf("the inner acquire: %v", err)
		}
		return true, nil
	}))
	require.NoError(t, pool.Ping(patient(t)))
}

func TestGoexitInAcquireFuncGivesTheConnectionBack(t *testing.T) {
	pool, _ := startPool(t, size(1))
	requireEndsCaller(t, func() {
		_ = pool.AcquireFunc(patient(t), func(*pgxconn.Conn) error { runtime.Goexit(); return nil })
	})
	requireWhole(t, pool)
}
