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
	Ways    []Way
	TLS     bool
	Size    int   // connections of each pool
	Callers []int // ask one query after the other, for one measurement each
	WarmUp  time.Duration
	Turn    time.Duration // the ways take turns of this length
	Turns   int           // so many each
}

// UsualPostgres goes from one caller to eight times more than connections.
func UsualPostgres(quick bool) PostgresSettings {
	s := PostgresSettings{Ways: Ways(), Size: 8, Callers: []int{1, 8, 64},
		WarmUp: 200 * time.Millisecond, Turn: 100 * time.Millisecond, Turns: 11}
	if quick {
		s.WarmUp, s.Turn, s.Turns = 100*time.Millisecond, 50*time.Millisecond, 5
	}
	return s
}

// SecurePostgres is over TLS.
func SecurePostgres(quick bool) PostgresSettings {
	s := UsualPostgres(quick)
	s.Ways, s.TLS, s.Callers = TLSWays(), true, []int{1, 8}
	return s
}

// PostgresResult is what one way to connect made of one number of callers.
type PostgresResult struct {
	Way         string
	Callers     int
	Queries     int
	PerSecond   float64       // the median of the turns
	P50, P99    time.Duration // of all queries, the wait for a connection included
	Connections int           // opened in all, warm-up included
}

// ErrNoPostgres says that there is no server to measure with on this machine. The
// error that matches it says why.
var ErrNoPostgres = errors.New("scenario: no PostgreSQL")

// Postgres asks a private server through each of the ways. They take short turns,
// in random order, so that what else the machine does happens to all.
func Postgres(ctx context.Context, s PostgresSettings) (results []PostgresResult, err error) {
	server, err := startPostgres(ctx, s.TLS)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	dsn := server.DSN()
	if s.TLS {
		dsn = server.TLSDSN()
	}
	for _, callers := range s.Callers {
		some, err := s.askWith(ctx, dsn, callers)
		if err != nil {
			return nil, fmt.Errorf("postgres: %d callers: %w", callers, err)
		}
		results = append(results, some...)
	}
	return results, nil
}

// askWith measures all ways with so many callers.
func (s PostgresSettings) askWith(ctx context.Context, dsn string, callers int) (results []PostgresResult, err error) {
	players := make([]player, len(s.Ways))
	for i := range players {
		p := &players[i]
		p.way = s.Ways[i]
		if p.client, err = p.way.open(ctx, dsn, s.Size, &p.opened); err != nil {
			return nil, fmt.Errorf("%s: %w", p.way.Name, err)
		}
		defer p.client.close()
		if _, _, err := load(ctx, callers, s.WarmUp, p.client.query); err != nil {
			return nil, fmt.Errorf("%s: %w", p.way.Name, err)
		}
	}
	for range s.Turns {
		for _, i := range rand.Perm(len(players)) {
			if err := players[i].play(ctx, callers, s.Turn); err != nil {
				return nil, err
			}
		}
	}
	for i := range players {
		results = append(results, players[i].result(callers))
	}
	return results, nil
}

// player is one way at work.
type player struct {
	way    Way
	client client
	opened opens
	took   []time.Duration
	rates  []float64
}

func (p *player) play(ctx context.Context, callers int, long time.Duration) error {
	took, elapsed, err := load(ctx, callers, long, p.client.query)
	if err != nil {
		return fmt.Errorf("%s: %w", p.way.Name, err)
	}
	p.took = append(p.took, took...)
	p.rates = append(p.rates, float64(len(took))/elapsed.Seconds())
	return nil
}

func (p *player) result(callers int) PostgresResult {
	slices.Sort(p.took)
	slices.Sort(p.rates)
	return PostgresResult{
		Way:         p.way.Name,
		Callers:     callers,
		Queries:     len(p.took),
		PerSecond:   p.rates[len(p.rates)/2],
		P50:         quantile(p.took, 0.5),
		P99:         quantile(p.took, 0.99),
		Connections: int(p.opened.Load()),
	}
}

// startPostgres starts a server with room for a connection for each caller, and
// for those that still close.
func startPostgres(ctx context.Context, tls bool) (*pgtest.Server, error) {
	server, err := pgtest.Start(ctx, pgtest.Options{TLS: tls, Settings: map[string]string{"max_connections": "400"}})
	if errors.Is(err, pgtest.ErrNotInstalled) || errors.Is(err, errors.ErrUnsupported) {
		return nil, fmt.Errorf("%w: %w", ErrNoPostgres, err)
	}
	return server, err
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
