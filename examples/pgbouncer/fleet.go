package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/connpool/connpool/pgxconn"
)

// fleet is the pools of a service's instances: one each, as it would be in a
// process of its own.
type fleet []*pgxconn.Pool

// openPool opens the pool of one instance.
type openPool func(name string) (*pgxconn.Pool, error)

func (a *app) openFleet(open openPool) (f fleet, err error) {
	for i := range a.instances {
		pool, err := open(fmt.Sprintf("instance %d", i+1))
		if err != nil {
			return nil, errors.Join(err, f.shutdown(context.Background()))
		}
		f = append(f, pool)
	}
	return f, nil
}

// openPooled is newPool, for the PgBouncer at hand.
func (a *app) openPooled(name string) (*pgxconn.Pool, error) {
	return newPool(a.bouncerURL, name, a.poolSize(), a.tracked)
}

// openDefault opens a pool that does not know of the PgBouncer that it leads to.
func (a *app) openDefault(name string) (*pgxconn.Pool, error) {
	return newDefaultPool(a.bouncerURL, name, a.poolSize())
}

// sums are statistics of all pools, added up.
type sums struct {
	open, none     int // connections, and pools without any
	dials, refused uint64
}

func (f fleet) sums() (total sums) {
	for _, pool := range f {
		s := pool.Connpool().Stats()
		total.open += s.Size - s.Connecting
		total.dials += s.Connects
		total.refused += s.ConnectErrors
		if s.Connects == 0 {
			total.none++
		}
	}
	return total
}

// ping makes a round trip on a connection of each pool, all at once.
func (f fleet) ping(ctx context.Context) error {
	var pings sync.WaitGroup
	errs := make([]error, len(f))
	for i, pool := range f {
		pings.Go(func() { errs[i] = pool.Ping(ctx) })
	}
	pings.Wait()
	return errors.Join(errs...)
}

// shutdownTimeout is how long leases have to end when a fleet is shut down.
const shutdownTimeout = 10 * time.Second

func (f fleet) shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	var errs []error
	for _, pool := range f {
		errs = append(errs, pool.Connpool().Shutdown(ctx))
	}
	return errors.Join(errs...)
}
