package main

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// sessions are PostgreSQL's, as it tells them itself.
type sessions struct{ conn *pgx.Conn }

func openSessions(ctx context.Context, url string) (*sessions, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	return &sessions{conn}, nil
}

// pids returns the processes of those that the pools work in. PgBouncer passes
// their application_name on.
func (s *sessions) pids(ctx context.Context) ([]string, error) {
	rows, err := s.conn.Query(ctx, "select pid::text from pg_stat_activity where application_name = $1", applicationName)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
