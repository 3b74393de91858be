package connpool_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
)

// What users notice of a server that closes connections, dies or freezes.

func TestFault26_TerminatedConnectionsFailNobodyOnceIdleLongEnough(t *testing.T) {
	const checkAfterIdle = 100 * time.Millisecond
	requireNoErrorAfterTermination(t, 10*checkAfterIdle, func(c *pgConfig) { c.CheckAfterIdle = checkAfterIdle })
}

func TestFault26_TerminatedConnectionsFailNobodyAtOnceWithAnAliveThatPeeks(t *testing.T) {
	requireNoErrorAfterTermination(t, 0, func(c *pgConfig) {
		c.Alive, c.CheckAfterIdle = alive, time.Hour
	})
}

// Somebody has to find out, where Alive cannot and no Check is due.
func TestFault26_TheFirstUserErrorSparesTheOthers(t *testing.T) {
	db := startDatabase(t, nil)
	pool := db.newPool(t, func(c *pgConfig) { c.CheckAfterIdle, c.IsBad = time.Hour, hungUp })
	fill(t, pool, poolSize)
	require.Equal(t, poolSize, db.watcher(t).terminateIdle())
	use := func() error { return use(t, pool) }
	require.Equal(t, "57P01", refusal(t, use()).Code, "admin_shutdown")
	for range 20 {
		require.NoError(t, use())
	}
	for _, err := range atOnce(20, use) {
		require.NoError(t, err)
	}
}

// hungUp is a Config's IsBad: the server has ended the session along with the
// query.
func hungUp(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Severity == "FATAL"
}

// requireNoErrorAfterTermination terminates all idle connections and then
// queries: twenty times at once, and twenty times in a row.
func requireNoErrorAfterTermination(t *testing.T, idle time.Duration, edit func(*pgConfig)) {
	db := startDatabase(t, nil)
	pool := db.newPool(t, edit)
	fill(t, pool, poolSize)
	require.Equal(t, poolSize, db.watcher(t).terminateIdle())
	time.Sleep(idle)
	use := func() error { return use(t, pool) }
	for _, err := range atOnce(20, use) {
		require.NoError(t, err)
	}
	for range 20 {
		require.NoError(t, use())
	}
	stats := pool.Stats()
	t.Logf("dials %d, closed %v", db.dials.Load(), stats.Closes)
	require.NotZero(t, stats.Closes[connpool.ClosedCheck])
	require.Len(t, stats.Closes, 1, "%v", stats.Closes)
}

// use has a connection answer a query.
func use(t *testing.T, pool *pgPool) error {
	return pool.Do(patient(t), func(_ context.Context, conn *pgx.Conn) error { return query(conn) })
}

// atOnce calls f n times at once, and returns its errors.
func atOnce(n int, f func() error) []error {
	errs := make([]error, n)
	var calls sync.WaitGroup
	for i := range errs {
		calls.Go(func() { errs[i] = f() })
	}
	calls.Wait()
	return errs
}

const (
	// A crowd this large has every connection in use all the time.
	crowdSize = 60
	// mostDials is what a second or so of an outage may cost the server.
	mostDials = int64(40)
)

func TestFault27_ACrashIsWaitedOutByWhoHasTheTime(t *testing.T) {
	db := startDatabase(t, nil)
	pool := db.newPool(t, func(c *pgConfig) { c.DownAfter, c.Alive = -1, alive })
	census := startCensus(t, db)
	crowd := startCrowd(t, pool, crowdSize, patience)
	crowd.awaitService(t, 2)

	require.NoError(t, db.Kill())
	killed, dials := time.Now(), db.dials.Load()
	requireImpatientFails(t, pool)
	time.Sleep(time.Until(killed.Add(time.Second)))
	dials = db.dials.Load() - dials
	require.NoError(t, db.Restart(patient(t)))
	recovered := crowd.awaitService(t, 2)
	crowd.finish()
	census.finish()

	refused, broken := crowd.failures()
	t.Logf("%d dials in the outage; %d acquires and %d queries failed; all served %v after the start; most sessions %d in %d looks",
		dials, len(refused), len(broken), recovered, census.most, census.looks)
	require.Empty(t, refused, "acquires whose deadline was after the end of the outage")
	require.LessOrEqual(t, len(broken), poolSize)
	require.LessOrEqual(t, dials, mostDials)
	for _, b := range broken {
		require.True(t, b.began.Before(killed), "a dead connection was lent %v after the crash: %v", b.began.Sub(killed), b.err)
	}
	require.LessOrEqual(t, census.most, poolSize)
	require.NotZero(t, census.most)
	requireFull(t, pool)
}

// requireImpatientFails checks what a caller gets whose deadline is within the
// outage.
func requireImpatientFails(t *testing.T, pool *pgPool) {
	t.Helper()
	_, err := pool.Acquire(within(t, 500*time.Millisecond))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorAs(t, err, new(*pgconn.ConnectError))
}

func TestFault27_AnOutageLongerThanDownAfterIsReportedAtOnceAndEndsByItself(t *testing.T) {
	db := startDatabase(t, nil)
	var outages outages
	pool := db.newPool(t, func(c *pgConfig) { c.Trace = &connpool.Trace{Outage: outages.note} })
	crowd := startCrowd(t, pool, crowdSize, patience)
	crowd.awaitService(t, 2)

	require.NoError(t, db.Kill())
	dials := db.dials.Load()
	time.Sleep(1500 * time.Millisecond)
	dials = db.dials.Load() - dials
	await(t, func() bool { return outages.began.Load() > 0 })
	requireRefusedAtOnce(t, pool)
	require.NoError(t, db.Restart(patient(t)))
	recovered := crowd.awaitService(t, 2)
	crowd.finish()

	refused, broken := crowd.failures()
	t.Logf("%d dials in 1.5 s of outage; %d acquires and %d queries failed; all served %v after the start",
		dials, len(refused), len(broken), recovered)
	require.LessOrEqual(t, dials, mostDials)
	require.NotEmpty(t, refused)
	for _, r := range refused {
		require.ErrorAs(t, r.err, new(*pgconn.ConnectError))
		require.Less(t, r.waited, patience/2)
	}
	require.LessOrEqual(t, len(broken), poolSize)
	await(t, func() bool { return outages.ended.Load() == outages.began.Load() })
	requireFull(t, pool)
}

// outages counts the outages that a pool tells of.
type outages struct{ began, ended atomic.Int64 }

func (o *outages) note(info connpool.OutageInfo) {
	if info.Began {
		o.began.Add(1)
	} else {
		o.ended.Add(1)
	}
}

// requireRefusedAtOnce checks what a caller with all the time in the world gets
// in an outage.
func requireRefusedAtOnce(t *testing.T, pool *pgPool) {
	t.Helper()
	began := time.Now()
	_, err := pool.Acquire(patient(t))
	var refused *connpool.AcquireError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, connpool.StageConnect, refused.Stage)
	require.ErrorAs(t, err, new(*pgconn.ConnectError))
	require.Less(t, time.Since(began), patience/2)
}

// pause freezes the server until the end of the test, or until it is told to go
// on.
func (db *database) pause(t *testing.T) {
	t.Helper()
	err := db.Pause()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Continue()) })
}

func TestFault28_AFrozenServerHoldsNobodyBeyondTheDeadline(t *testing.T) {
	db := startDatabase(t, nil)
	pool := db.newPool(t, func(c *pgConfig) {
		c.MaxSize, c.CheckAfterIdle = 4, 50*time.Millisecond
		c.CheckTimeout, c.ConnectTimeout = time.Minute, time.Minute // they are not what ends the wait
	})
	fill(t, pool, 4)
	time.Sleep(500 * time.Millisecond)
	db.pause(t)
	began := time.Now()
	for _, err := range atOnce(12, func() error {
		_, err := pool.Acquire(within(t, 500*time.Millisecond))
		return err
	}) {
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
	t.Logf("12 acquires with 500 ms ended after %v: %d open", time.Since(began), pool.Stats().Size)
	require.Less(t, time.Since(began), patience/2)
	require.NoError(t, db.Continue())
	requireFull(t, pool)
}

func TestFault28_NeitherCloseNorShutdownWaitsForAFrozenServer(t *testing.T) {
	db := startDatabase(t, nil)
	pool := db.newPool(t, func(c *pgConfig) { c.MaxSize, c.CloseTimeout = 4, 200*time.Millisecond })
	leases := leaseAll(t, pool, 4)
	releaseAll(leases[2:]) // two idle
	db.pause(t)
	for _, l := range leases[:2] { // and two in the middle of a query
		_, err := l.Conn().Exec(within(t, 50*time.Millisecond), "select 1")
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}

	began := time.Now()
	require.NoError(t, pool.Close())
	err := pool.Shutdown(within(t, 200*time.Millisecond))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "2 of 4 in use")
	releaseAll(leases[:2])
	require.NoError(t, pool.Shutdown(patient(t)))
	t.Logf("closed and shut down after %v", time.Since(began))
	require.Less(t, time.Since(began), patience/2)
	require.NoError(t, db.Continue()) // the sessions end at the server too: see requireClosed
}
