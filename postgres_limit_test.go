package connpool_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The server allows fewer sessions than the pool.
const (
	serverSessions   = 20 // max_connections
	reservedSessions = 3  // of those, for superusers
	openSessions     = serverSessions - reservedSessions
)

// startSmallDatabase starts a server that has fewer sessions than a pool asks it
// for, of which the pool, being no superuser, can get openSessions.
func startSmallDatabase(t *testing.T) *database {
	t.Helper()
	db := startDatabase(t, map[string]string{"max_connections": "20", "superuser_reserved_connections": "3"})
	tell(t, db.watcher(t).conn, "create role orders login password 'a fixture'")
	db.login.User, db.login.Password = "orders", "a fixture"
	return db
}

func TestFault24_WhoCannotGetASessionWaitsForThoseThatExist(t *testing.T) {
	db := startSmallDatabase(t)
	pool := db.newPool(t, func(c *pgConfig) { c.MaxSize = 2 * serverSessions })
	census := startCensus(t, db)
	crowd := startCrowd(t, pool, 2*serverSessions, patience)
	crowd.awaitService(t, 50)
	time.Sleep(time.Second) // longer than DownAfter
	crowd.awaitService(t, 2)
	stats := pool.Stats()
	crowd.finish()
	census.finish()

	refused, broken := crowd.failures()
	t.Logf("%d sessions; dials: %d ok, %d refused; %d leases, the longest wait %v",
		census.most, stats.Connects, stats.ConnectErrors, stats.Acquires, stats.WaitTime.Quantile(1))
	require.Empty(t, refused)
	require.Empty(t, broken)
	require.NotZero(t, stats.ConnectErrors, "the server has refused some")
	require.LessOrEqual(t, stats.ConnectErrors, uint64(100))
	require.LessOrEqual(t, census.most, openSessions)
}

func TestFault24_TheServersRefusalIsInTheChainAtTheDeadline(t *testing.T) {
	db := startSmallDatabase(t)
	pool := db.newPool(t, func(c *pgConfig) { c.MaxSize = 2 * serverSessions })
	held, err := leaseAllThereIs(t, pool)
	defer releaseAll(held)
	t.Logf("with %d held: %v", len(held), err)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, "53300", refusal(t, err).Code, "too_many_connections")
	require.NotEmpty(t, held)
	require.LessOrEqual(t, len(held), openSessions)
}

// leaseAllThereIs acquires until it is refused.
func leaseAllThereIs(t *testing.T, pool *pgPool) (leases []pgLease, err error) {
	for {
		l, err := pool.Acquire(within(t, 3*time.Second))
		if err != nil {
			return leases, err
		}
		leases = append(leases, l)
	}
}
