package pool

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

type sqlDB struct{ *sql.DB }

func openSQLDB(s DBSetup, login *pgx.ConnConfig, opens *atomic.Int64) DB {
	options := []stdlib.OptionOpenDB{
		stdlib.OptionAfterConnect(func(context.Context, *pgx.Conn) error { opens.Add(1); return nil }),
	}
	if s.Reset != nil {
		options = append(options, stdlib.OptionResetSession(s.Reset))
	}
	db := stdlib.OpenDB(*login, options...)
	db.SetMaxOpenConns(s.Max)
	db.SetMaxIdleConns(s.Max)
	return sqlDB{db}
}

func (db sqlDB) Exec(ctx context.Context, statement string) error {
	_, err := db.ExecContext(ctx, statement)
	return err
}

func (db sqlDB) Session(ctx context.Context) (Session, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return sqlSession{conn}, nil
}

func (db sqlDB) Work(ctx context.Context, work func() error) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(any) error { return work() })
}

func (db sqlDB) Close() { _ = db.DB.Close() } // the errors are of sessions that end badly

type sqlSession struct{ conn *sql.Conn }

func (s sqlSession) Exec(ctx context.Context, statement string) error {
	_, err := s.conn.ExecContext(ctx, statement)
	return err
}

func (s sqlSession) Text(ctx context.Context, query string) (text string, err error) {
	err = s.conn.QueryRowContext(ctx, query).Scan(&text)
	return text, err
}

func (s sqlSession) Unread(ctx context.Context, query string) error {
	rows, err := s.conn.QueryContext(ctx, query)
	if err == nil && !rows.Next() {
		err = errors.Join(rows.Err(), errNoRows)
	}
	return err
}

func (s sqlSession) Release() { _ = s.conn.Close() } // it says what Exec has said
