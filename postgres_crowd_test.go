package connpool_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// crowd is a number of callers that lease a connection, query it and return it,
// again and again. Acquires that fail are kept apart from queries that do.
type crowd struct {
	pool     *pgPool
	patience time.Duration // of each caller, for each acquire
	stop     context.CancelFunc
	callers  sync.WaitGroup
	served   []atomic.Int64 // queries that succeeded, by caller

	mu struct {
		sync.Mutex
		refused []refused
		broken  []broken
	}
}

// refused is an acquire that failed, and broken a query that did; began is when
// the caller asked for the connection.
type (
	refused struct {
		waited time.Duration
		err    error
	}
	broken struct {
		began time.Time
		err   error
	}
)

// startCrowd starts n callers. Finish ends them; the end of the test does too.
func startCrowd(t testing.TB, pool *pgPool, n int, patience time.Duration) *crowd {
	ctx, stop := context.WithCancel(context.Background())
	c := &crowd{pool: pool, patience: patience, stop: stop, served: make([]atomic.Int64, n)}
	for i := range n {
		c.callers.Go(func() {
			for ctx.Err() == nil {
				c.call(&c.served[i])
			}
		})
	}
	t.Cleanup(c.finish)
	return c
}

func (c *crowd) finish() {
	c.stop()
	c.callers.Wait()
}

func (c *crowd) call(served *atomic.Int64) {
	ctx, cancel := context.WithTimeout(context.Background(), c.patience)
	defer cancel()
	began := time.Now()
	lease, err := c.pool.Acquire(ctx)
	if err != nil {
		c.noteRefused(refused{time.Since(began), err})
		time.Sleep(lookEvery) // as a caller with any sense does
		return
	}
	if err = query(lease.Conn()); err != nil {
		c.noteBroken(broken{began, err})
	} else {
		served.Add(1)
	}
	lease.ReleaseErr(err)
}

func query(conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := conn.Exec(ctx, "select pg_sleep(0.002)")
	return err
}

func (c *crowd) noteRefused(r refused) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.refused = append(c.mu.refused, r)
}

func (c *crowd) noteBroken(b broken) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.broken = append(c.mu.broken, b)
}

// failures returns what has failed so far.
func (c *crowd) failures() ([]refused, []broken) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.refused[:len(c.mu.refused):len(c.mu.refused)], c.mu.broken[:len(c.mu.broken):len(c.mu.broken)]
}

// awaitService waits until every caller has been served n times more, and
// returns how long that took.
func (c *crowd) awaitService(t testing.TB, n int64) time.Duration {
	t.Helper()
	began := time.Now()
	before := make([]int64, len(c.served))
	for i := range c.served {
		before[i] = c.served[i].Load()
	}
	await(t, func() bool {
		for i := range c.served {
			if c.served[i].Load() < before[i]+n {
				return false
			}
		}
		return true
	})
	return time.Since(began)
}

// census counts the sessions of pools at the server all the time, restarts
// included.
type census struct {
	stop    context.CancelFunc
	counter sync.WaitGroup
	looks   int // valid once the counter has ended
	most    int
}

func startCensus(t testing.TB, db *database) *census {
	ctx, stop := context.WithCancel(context.Background())
	c := &census{stop: stop}
	c.counter.Go(func() {
		for ctx.Err() == nil {
			c.count(ctx, db)
			time.Sleep(lookEvery)
		}
	})
	t.Cleanup(c.finish)
	return c
}

func (c *census) finish() {
	c.stop()
	c.counter.Wait()
}

// count counts until the server goes away.
func (c *census) count(ctx context.Context, db *database) {
	conn, err := db.watch(ctx)
	if err != nil {
		return
	}
	defer conn.Close(context.Background())
	for {
		var n int
		if conn.QueryRow(ctx, countSessions).Scan(&n) != nil {
			return
		}
		c.looks++
		c.most = max(c.most, n)
		time.Sleep(lookEvery)
	}
}
