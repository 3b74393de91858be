package scenario

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/connpool/connpool/internal/pgtest"
)

// PostgresSettings say how a database is asked.
type PostgresSettings struct {
	Size    int   // connections of each pool
	Callers []int // ask one query after the other, for one measurement each
	WarmUp  time.Duration
	For     time.Duration
}

// UsualPostgres goes from one caller to eight times more than connections.
func UsualPostgres(quick bool) PostgresSettings {
	s := PostgresSettings{Size: 8, Callers: []int{1, 8, 64}, WarmUp: 300 * time.Millisecond, For: 2 * time.Second}
	if quick {
		s.WarmUp, s.For = 100*time.Millisecond, 300*time.Millisecond
	}
	return s
}

// PostgresResult is what one way to connect made of one number of callers.
type PostgresResult struct {
	Way         string
	Callers     int
	Queries     int
	PerSecond   float64
	P50, P99    time.Duration // of a query, the wait for its connection included
	Connections int           // opened in all, warm-up included
}

// ErrNoPostgres says that there is no server to measure with on this machine. The
// error that matches it says why.
var ErrNoPostgres = errors.New("scenario: no PostgreSQL")

// Postgres asks a private server through each of Ways, in random order.
func Postgres(ctx context.Context, s PostgresSettings) (results []PostgresResult, err error) {
	server, err := startPostgres(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	ways := Ways()
	for _, callers := range s.Callers {
		// A server that has just started is slower at first: not always for the same.
		for _, i := range rand.Perm(len(ways)) {
			r, err := ways[i].measure(ctx, server.DSN(), callers, s)
			if err != nil {
				return nil, fmt.Errorf("postgres: %s, %d callers: %w", ways[i].Name, callers, err)
			}
			results = append(results, r)
		}
	}
	return results, nil
}

// startPostgres starts a server with room for a connection for each caller, and
// for those that still close.
func startPostgres(ctx context.Context) (*pgtest.Server, error) {
	server, err := pgtest.Start(ctx, pgtest.Options{Settings: map[string]string{"max_connections": "400"}})
	if errors.Is(err, pgtest.ErrNotInstalled) || errors.Is(err, errors.ErrUnsupported) {
		return nil, fmt.Errorf("%w: %w", ErrNoPostgres, err)
	}
	return server, err
}

func (w Way) measure(ctx context.Context, dsn string, callers int, s PostgresSettings) (PostgresResult, error) {
	var opened opens
	client, err := w.open(ctx, dsn, s.Size, &opened)
	if err != nil {
		return PostgresResult{}, err
	}
	defer client.close()
	if _, _, err := load(ctx, callers, s.WarmUp, client.query); err != nil {
		return PostgresResult{}, err
	}
	took, elapsed, err := load(ctx, callers, s.For, client.query)
	if err != nil {
		return PostgresResult{}, err
	}
	slices.Sort(took)
	return PostgresResult{
		Way:         w.Name,
		Callers:     callers,
		Queries:     len(took),
		PerSecond:   float64(len(took)) / elapsed.Seconds(),
		P50:         quantile(took, 0.5),
		P99:         quantile(took, 0.99),
		Connections: int(opened.Load()),
	}, nil
}

// load has callers ask one query after the other for some time, at least one
// each, and returns how long each query took, and all of it.
func load(ctx context.Context, callers int, long time.Duration, query func(context.Context) error) (all []time.Duration, elapsed time.Duration, err error) {
	var mu sync.Mutex
	var began time.Time
	err = together(callers, func() { began = time.Now() }, func() error {
		var own []time.Duration
		for ok := true; ok; ok = time.Since(began) < long {
			asked := time.Now()
			if err := query(ctx); err != nil {
				return err
			}
			own = append(own, time.Since(asked))
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, own...)
		return nil
	})
	return all, time.Since(began), err
}

// quantile of what is sorted and not empty: the nearest rank.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}
