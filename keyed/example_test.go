package keyed_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/keyed"
)

// session stands for a connection to a database.
type session struct {
	database string
	id       int64
}

var lastID atomic.Int64

// databases describes the pool of each database.
func databases(name string) (connpool.Config[*session], error) {
	return connpool.Config[*session]{
		Name: "db " + name,
		Connect: func(context.Context) (*session, error) {
			return &session{name, lastID.Add(1)}, nil
		},
	}, nil
}

func Example() {
	lastID.Store(0)
	pool, err := keyed.New(keyed.Config[string, *session]{
		MaxTotal:  100, // what the server allows this process
		MaxPerKey: 10,
		For:       databases,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	for _, database := range []string{"orders", "stock", "orders"} {
		lease, err := pool.Acquire(context.Background(), database)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(lease.Conn().database, lease.Conn().id)
		lease.Release()
	}
	fmt.Println(pool.Stats().Keys, "keys")
	// Output:
	// orders 1
	// stock 2
	// orders 1
	// 2 keys
}

func ExamplePool_Do() {
	pool, err := keyed.New(keyed.Config[string, *session]{For: databases})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	err = pool.Do(context.Background(), "orders", func(_ context.Context, s *session) error {
		fmt.Println("at work in", s.database)
		return connpool.ErrBadConn // broken: it is closed, and not lent again
	})
	fmt.Println(err)
	stats, _ := pool.KeyStats("orders")
	fmt.Println(stats.Closes[connpool.ClosedDiscarded], "discarded")
	// Output:
	// at work in orders
	// connpool: bad connection
	// 1 discarded
}

// For refuses a key, and says why.
func ExampleErrNoPool() {
	errSuspended := errors.New("the tenant is suspended")
	pool, err := keyed.New(keyed.Config[string, *session]{
		Name: "tenants",
		For: func(name string) (connpool.Config[*session], error) {
			if name == "acme" {
				return connpool.Config[*session]{}, errSuspended
			}
			return databases(name)
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	_, err = pool.Acquire(context.Background(), "acme")
	fmt.Println(err)
	fmt.Println(errors.Is(err, keyed.ErrNoPool), errors.Is(err, errSuspended))
	// Output:
	// keyed "tenants": no pool for the key: the tenant is suspended
	// true true
}

// A cold database gives up its idle connection to one that needs it.
func ExamplePool_Stats() {
	pool, err := keyed.New(keyed.Config[string, *session]{Name: "shards", MaxTotal: 2, For: databases})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	ctx := context.Background()
	for _, database := range []string{"cold", "orders", "stock"} {
		lease, err := pool.Acquire(ctx, database)
		if err != nil {
			log.Fatal(err)
		}
		defer lease.Release()
		if database == "cold" {
			lease.Release()
		}
	}
	stats := pool.Stats()
	fmt.Printf("%s: %d of %d in use, %d keys\n", stats.Pool, stats.InUse, stats.MaxSize, stats.Keys)
	cold, _ := pool.KeyStats("cold")
	fmt.Println("cold has", cold.Size)
	// Output:
	// shards: 2 of 2 in use, 3 keys
	// cold has 0
}

// What each database uses, the fullest first.
func ExamplePool_PerKey() {
	pool, err := keyed.New(keyed.Config[string, *session]{For: databases})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	for _, database := range []string{"orders", "stock", "orders"} {
		lease, err := pool.Acquire(context.Background(), database)
		if err != nil {
			log.Fatal(err)
		}
		defer lease.Release()
	}
	each := maps.Collect(pool.PerKey())
	for _, database := range slices.SortedFunc(maps.Keys(each), func(a, b string) int { return each[b].InUse - each[a].InUse }) {
		fmt.Println(database, each[database].InUse)
	}
	// Output:
	// orders 2
	// stock 1
}

// One Shutdown for all: it waits for the leases of every key, or says how many
// keys it could not wait for.
func ExamplePool_Shutdown() {
	pool, err := keyed.New(keyed.Config[string, *session]{Name: "shards", For: databases})
	if err != nil {
		log.Fatal(err)
	}
	lease, err := pool.Acquire(context.Background(), "orders")
	if err != nil {
		log.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	fmt.Println("in time:", pool.Shutdown(ctx) == nil)
	lease.Release()
	fmt.Println("in time:", pool.Shutdown(context.Background()) == nil)
	// Output:
	// in time: false
	// in time: true
}
