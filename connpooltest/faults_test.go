package connpooltest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/connpooltest"
)

type faults = connpooltest.Faults[*session]

// fates dials n times in a row and returns what came of each dial.
func fates(t *testing.T, f faults, n int) (all []string) {
	cfg := f.Wrap(newServer().config())
	for range n {
		all = append(all, fate(t, cfg.Connect))
	}
	return all
}

func fate(t *testing.T, connect func(context.Context) (*session, error)) (fate string) {
	defer func() {
		if v := recover(); v != nil {
			require.Equal(t, connpooltest.ErrInjected, v)
			fate = "panics"
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	switch _, err := connect(ctx); {
	case errors.Is(err, connpooltest.ErrInjected):
		return "fails"
	case errors.Is(err, context.DeadlineExceeded):
		return "hangs"
	default:
		require.NoError(t, err)
		return "works"
	}
}

func count(all []string, fate string) (n int) {
	for _, f := range all {
		if f == fate {
			n++
		}
	}
	return n
}

func TestOfEverySoManyDialsOneIsHit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(10) {
			all := fates(t, faults{Seed: seed, FailEvery: 4}, 40)
			for row := range slices.Chunk(all, 4) {
				require.Equal(t, 1, count(row, "fails"), "%v", all)
			}
			require.Equal(t, 10, count(fates(t, faults{Seed: seed, HangEvery: 4}, 40), "hangs"))
			require.Equal(t, 10, count(fates(t, faults{Seed: seed, PanicEvery: 4}, 40), "panics"))
			require.Equal(t, 40, count(fates(t, faults{Seed: seed, FailEvery: 1}, 40), "fails"))
			require.Equal(t, 40, count(fates(t, faults{Seed: seed}, 40), "works"))
		}
	})
}

func TestTheSameSeedHitsTheSameDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := faults{Seed: 7, FailEvery: 3, HangEvery: 5, PanicEvery: 7, Delay: time.Second}
		began := time.Now()
		first := fates(t, f, 100)
		took := time.Since(began)
		began = time.Now()
		require.Equal(t, first, fates(t, f, 100))
		require.Equal(t, took, time.Since(began), "the delays too")
		f.Seed = 8
		require.NotEqual(t, first, fates(t, f, 100))
	})
}

func TestOneFaultDoesNotMoveAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alone := fates(t, faults{Seed: 7, FailEvery: 3}, 100)
		for i, fate := range fates(t, faults{Seed: 7, FailEvery: 3, HangEvery: 5, Delay: time.Second}, 100) {
			if fate != "hangs" {
				require.Equal(t, alone[i], fate, "dial %d", i)
			}
		}
	})
}

func TestADelayEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := faults{Delay: time.Hour}.Wrap(newServer().config())
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		began := time.Now()
		_, err := cfg.Connect(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Millisecond, time.Since(began))
	})
}

func TestADialFailsWithTheErrorGiven(t *testing.T) {
	refused := errors.New("refused")
	cfg := faults{FailEvery: 1, FailWith: refused}.Wrap(newServer().config())
	_, err := cfg.Connect(t.Context())
	require.ErrorIs(t, err, refused)
	cfg = faults{PanicEvery: 1, FailWith: refused}.Wrap(newServer().config())
	require.PanicsWithValue(t, refused, func() { cfg.Connect(t.Context()) })
}

// withPool runs f with a pool whose Config has the faults, and shuts it down.
func withPool(t *testing.T, f faults, edit func(*config), use func(*connpool.Pool[*session])) {
	t.Helper()
	s := newServer()
	cfg := s.config()
	cfg.DownAfter, cfg.BackoffMax = -1, time.Millisecond
	if edit != nil {
		edit(&cfg)
	}
	pool, err := connpool.New(f.Wrap(cfg))
	require.NoError(t, err)
	use(pool)
	require.NoError(t, pool.Shutdown(t.Context()))
	require.Equal(t, s.opened.Load(), s.closed.Load())
}

func TestAConnectionBreaksWhenItComesBackFromItsLastUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		uses := map[int64]int{}
		withPool(t, faults{Seed: 3, BreakAfterUses: 5}, nil, func(pool *connpool.Pool[*session]) {
			for range 200 {
				require.NoError(t, pool.Do(t.Context(), func(ctx context.Context, conn *session) error {
					uses[conn.id]++
					return conn.use(ctx) // never broken: Alive notices
				}))
			}
		})
		delete(uses, int64(len(uses))) // the last may have some left
		seen := map[int]bool{}
		for id, n := range uses {
			require.True(t, n >= 1 && n <= 5, "connection %d has been used %d times", id, n)
			seen[n] = true
		}
		require.Len(t, seen, 5, "each number of uses is drawn")
	})
}

func TestABrokenConnectionThatNothingNoticesIsLent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		withPool(t, faults{BreakAfterUses: 1}, func(c *config) { c.Alive, c.Check, c.Prepare, c.Reset = nil, nil, nil, nil }, func(pool *connpool.Pool[*session]) {
			require.NoError(t, pool.Do(t.Context(), func(ctx context.Context, conn *session) error { return conn.use(ctx) }))
			require.ErrorIs(t, pool.Do(t.Context(), func(ctx context.Context, conn *session) error { return conn.use(ctx) }), errClosed)
		})
	})
}

func TestAConnectionBreaksInItsBorrowersHands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := 0
		withPool(t, faults{Seed: 3, BreakInUseEvery: 4}, func(c *config) {
			c.IsBad = func(err error) bool { return errors.Is(err, errClosed) }
		}, func(pool *connpool.Pool[*session]) {
			for range 200 {
				if err := pool.Do(t.Context(), func(ctx context.Context, conn *session) error { return conn.use(ctx) }); err != nil {
					require.ErrorIs(t, err, errClosed)
					failed++
				}
			}
			require.EqualValues(t, 50, pool.Stats().Closes[connpool.ClosedDiscarded])
		})
		require.Equal(t, 50, failed)
	})
}

func TestBreakIsUsedWhereItIsGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken, closed atomic.Int64
		f := faults{BreakAfterUses: 1, Break: func(conn *session) { broken.Add(1); conn.closed.Store(true) }}
		s := newServer()
		cfg := s.config()
		cfg.Close = func(context.Context, *session) error { closed.Add(1); return nil }
		pool, err := connpool.New(f.Wrap(cfg))
		require.NoError(t, err)
		for range 5 {
			require.NoError(t, pool.Do(t.Context(), func(ctx context.Context, conn *session) error { return conn.use(ctx) }))
		}
		require.NoError(t, pool.Shutdown(t.Context()))
		require.EqualValues(t, 5, broken.Load())
		require.EqualValues(t, 5, closed.Load(), "the Config's own Close is called as ever")
	})
}

func TestTheConfigsOwnCallbacksAreCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		withPool(t, faults{BreakAfterUses: 9, BreakInUseEvery: 9}, func(c *config) {
			c.MaxSize = 1
			c.Clean = func(*session) error { return errClosed }
		}, func(pool *connpool.Pool[*session]) {
			require.NoError(t, pool.Do(t.Context(), func(context.Context, *session) error { return nil }))
			require.EqualValues(t, 1, pool.Stats().Closes[connpool.ClosedClean])
		})
		withPool(t, faults{BreakAfterUses: 9, BreakInUseEvery: 9}, func(c *config) {
			c.Prepare = func(context.Context, *session) error { return errClosed }
		}, func(pool *connpool.Pool[*session]) {
			_, err := pool.Acquire(t.Context())
			require.ErrorIs(t, err, errClosed)
		})
	})
}

func TestWithNothingToBreakConnectionsWithWrapPanics(t *testing.T) {
	cfg := connpool.Config[int]{Connect: func(context.Context) (int, error) { return 1, nil }}
	require.Panics(t, func() { connpooltest.Faults[int]{BreakAfterUses: 1}.Wrap(cfg) })
	require.NotPanics(t, func() { connpooltest.Faults[int]{FailEvery: 1}.Wrap(cfg) })
	require.NotPanics(t, func() { connpooltest.Faults[int]{BreakAfterUses: 1, Break: func(int) {}}.Wrap(cfg) })
}

func TestAConfigWithoutAFaultStaysWithoutOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		connpooltest.TestConfig(t, faults{BreakAfterUses: 100, BreakInUseEvery: 1000, FailEvery: 1000, Delay: time.Second}.Wrap(newServer().config()))
		_, err := connpool.New(faults{}.Wrap(config{}))
		require.ErrorContains(t, err, "Connect is nil")
	})
}

// Everything at once and from many goroutines: the pool gives an error or a
// connection, loses no slot, and all that was opened is closed.
func TestAPoolSurvivesAllFaultsTogether(t *testing.T) {
	for seed := range uint64(4) {
		synctest.Test(t, func(t *testing.T) {
			f := faults{
				Seed: seed, FailEvery: 5, HangEvery: 7, PanicEvery: 11, Delay: 20 * time.Millisecond,
				BreakAfterUses: 6, BreakInUseEvery: 9,
			}
			withPool(t, f, func(c *config) {
				c.MaxSize, c.ConnectTimeout = 4, 100*time.Millisecond
				c.IsBad = func(err error) bool { return errors.Is(err, errClosed) }
			}, func(pool *connpool.Pool[*session]) {
				var wg sync.WaitGroup
				for range 8 {
					wg.Go(func() {
						for range 100 {
							workOnce(t, pool)
						}
					})
				}
				wg.Wait()
				require.Positive(t, pool.Stats().ConnectErrors)
				require.Positive(t, pool.Stats().Panics)
			})
		})
	}
}

func workOnce(t *testing.T, pool *connpool.Pool[*session]) {
	err := pool.Do(t.Context(), func(ctx context.Context, conn *session) error {
		if err := conn.use(ctx); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
		return nil
	})
	if err != nil && !errors.Is(err, errClosed) {
		t.Errorf("not a fault of the connection's: %v", err)
	}
}
