package pgxconn

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/internal/pgtest"
)

type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

const benchConns = 8

func BenchmarkQueryRow(b *testing.B) {
	server := pgtest.New(b, pgtest.Options{})
	cfg, _ := pgxpool.ParseConfig(server.DSN())
	cfg.MaxConns = benchConns
	theirs, err := pgxpool.NewWithConfig(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer theirs.Close()
	open := func(tune func(*connpool.Config[*pgx.Conn])) *Pool {
		c, _ := ParseConfig(server.DSN())
		c.MaxConns = benchConns
		c.Tune = tune
		p, err := NewWithConfig(b.Context(), c)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(p.Close)
		return p
	}
	ours := open(nil)
	nostacks := open(func(c *connpool.Config[*pgx.Conn]) { c.LeakStacks = connpool.StacksOnPressure })
	noalive := open(func(c *connpool.Config[*pgx.Conn]) { c.LeakStacks = connpool.StacksOnPressure; c.Alive = nil })
	for _, callers := range []int{1, 8, 64} {
		for _, w := range []struct {
			name string
			q    querier
		}{{"pgxconn", ours}, {"pgxpool", theirs}, {"nostacks", nostacks}, {"nopeek", noalive}} {
			b.Run(fmt.Sprintf("callers=%d/%s", callers, w.name), func(b *testing.B) { run(b, w.q, callers) })
		}
	}
}

func run(b *testing.B, q querier, callers int) {
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	times := make([][]time.Duration, callers)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				start := time.Now()
				var n int
				if err := q.QueryRow(context.Background(), "select 1").Scan(&n); err != nil {
					b.Error(err)
				}
				times[i] = append(times[i], time.Since(start))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	all := slices.Concat(times...)
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
}
