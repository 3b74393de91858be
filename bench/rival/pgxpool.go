package rival

import (
	"context"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

func pgxpoolRival() Rival {
	const module = "github.com/jackc/pgx/v5"
	return Rival{
		Name:    "pgxpool",
		Version: version(module),
		Kind:    Fair,
		Note: "pgxpool.Pool.Acquire and Conn.Release, on real pgx connections to a PostgreSQL backend in memory that answers the " +
			"startup handshake and empty queries at once. Connections live for ever; the health check runs once an hour.",
		Bounded: true,
		New:     newPgxpool,
	}
}

type pgxPool struct {
	pool *pgxpool.Pool
	min  int
}

// long is longer than any run.
const long = 24 * time.Hour

func newPgxpool(s Setup) (Pool, error) {
	cfg, err := pgxpool.ParseConfig("host=memory user=bench dbname=bench sslmode=disable")
	if err != nil {
		return nil, err
	}
	o := opener{dial: s.Dial}
	cfg.MaxConns, cfg.MinConns = int32(s.Max), int32(s.Min)
	cfg.MaxConnLifetime, cfg.MaxConnIdleTime, cfg.HealthCheckPeriod = long, long, time.Hour
	cfg.ConnConfig.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	cfg.ConnConfig.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		if _, err := o.open(ctx); err != nil {
			return nil, err
		}
		return newPgBackend(), nil
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	return &pgxPool{pool, s.Min}, err
}

func (p *pgxPool) Cycle(ctx context.Context, n int) error {
	for range n {
		conn, err := p.pool.Acquire(ctx)
		if err != nil {
			return err
		}
		conn.Release()
	}
	return nil
}

func (p *pgxPool) Use(ctx context.Context, hold func()) error {
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	hold()
	return nil
}

func (p *pgxPool) Waits() uint64 { return uint64(p.pool.Stat().EmptyAcquireCount()) }

// Fill waits until pgxpool has opened its MinConns, which it does by itself.
func (p *pgxPool) Fill(ctx context.Context) error {
	for int(p.pool.Stat().IdleConns()) < p.min {
		if err := ctx.Err(); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

func (p *pgxPool) Close() { p.pool.Close() }
