package pool

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

type pgxDB struct{ *pgxpool.Pool }

func openPgxDB(s DBSetup, opens *atomic.Int64) (DB, error) {
	cfg, err := pgxpool.ParseConfig(s.DSN)
	if err != nil {
		return nil, err
	}
	s.apply(cfg.ConnConfig)
	cfg.MaxConns = int32(s.Max)
	cfg.PingTimeout = s.CheckTimeout
	if s.CheckEvery > 0 {
		cfg.HealthCheckPeriod = s.CheckEvery
	}
	cfg.AfterConnect = func(context.Context, *pgx.Conn) error { opens.Add(1); return nil }
	if s.Reset != nil {
		cfg.AfterRelease = func(conn *pgx.Conn) bool {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			return s.Reset(ctx, conn) == nil
		}
	}
	p, err := pgxpool.NewWithConfig(context.Background(), cfg)
	return pgxDB{p}, err
}

func (db pgxDB) Exec(ctx context.Context, statement string) error {
	_, err := db.Pool.Exec(ctx, statement)
	return err
}

func (db pgxDB) Session(ctx context.Context) (Session, error) {
	conn, err := db.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	return pgxSession{conn.Conn(), conn.Release}, nil
}

func (db pgxDB) Work(ctx context.Context, work func() error) error {
	return db.AcquireFunc(ctx, func(*pgxpool.Conn) error { return work() })
}
