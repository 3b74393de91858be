package main

import (
	"context"
	"database/sql"
	"errors"

	"github.com/connpool/connpool/internal/servertest"
)

// admin does to a server what its administrator does.
type admin struct{ db *sql.DB }

func newAdmin(ctx context.Context, server *servertest.MariaDB) (*admin, error) {
	db, err := sql.Open("mysql", server.DSN())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	a := &admin{db}
	if err := a.exec(ctx, "create table test.writes (n int)"); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return a, nil
}

func (a *admin) exec(ctx context.Context, statement string) error {
	_, err := a.db.ExecContext(ctx, statement)
	return err
}

// killSessions ends the program's sessions, as an administrator or wait_timeout
// does, and returns how many there were.
func (a *admin) killSessions(ctx context.Context) (killed int, err error) {
	rows, err := a.db.QueryContext(ctx, "select id from information_schema.processlist where user = 'plain'")
	if err != nil {
		return 0, err
	}
	var ids []int
	for rows.Next() {
		var id int
		if err := rows.Scan(&id); err != nil {
			return 0, errors.Join(err, rows.Close())
		}
		ids = append(ids, id)
	}
	if err := rows.Close(); err != nil {
		return 0, err
	}
	for _, id := range ids {
		if _, err := a.db.ExecContext(ctx, "kill connection ?", id); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

func (a *admin) count(ctx context.Context) (rows int, err error) {
	err = a.db.QueryRowContext(ctx, "select count(*) from test.writes").Scan(&rows)
	return rows, err
}
