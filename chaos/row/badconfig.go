package row

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"
)

// minAboveMax asks pgxpool for at least five and at most two connections.
func minAboveMax() error {
	cfg, err := pgxpool.ParseConfig("host=127.0.0.1 port=1 sslmode=disable")
	if err != nil {
		return err
	}
	cfg.MinConns, cfg.MaxConns = 5, 2
	p, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err == nil {
		p.Close()
	}
	return err
}
