package pool

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/pgxconn"
)

type ourDB struct{ *connpool.Pool[*pgx.Conn] }

func openOurDB(s DBSetup, login *pgx.ConnConfig, opens *atomic.Int64) (DB, error) {
	cfg, err := pgxconn.PoolConfigFrom(login)
	if err != nil {
		return nil, err
	}
	connect := cfg.Connect
	cfg.Connect = func(ctx context.Context) (*pgx.Conn, error) {
		conn, err := connect(ctx)
		if err == nil {
			opens.Add(1)
		}
		return conn, err
	}
	cfg.Reset = s.Reset
	cfg.CheckInterval = s.CheckEvery
	cfg.MaxSize = s.Max
	if s.ConnectTimeout > 0 {
		cfg.ConnectTimeout = s.ConnectTimeout
	}
	cfg.CheckTimeout = s.CheckTimeout
	cfg.CheckAfterIdle = s.CheckAfterIdle
	cfg.Logger = slog.New(slog.DiscardHandler)
	if s.Edit != nil {
		s.Edit(&cfg)
	}
	p, err := connpool.New(cfg)
	return ourDB{p}, err
}

func (db ourDB) Exec(ctx context.Context, statement string) error {
	return db.Do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, statement)
		return err
	})
}

func (db ourDB) Session(ctx context.Context) (Session, error) {
	lease, err := db.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	return pgxSession{lease.Conn(), lease.Release}, nil
}

func (db ourDB) Work(ctx context.Context, work func() error) error {
	return db.Do(ctx, func(context.Context, *pgx.Conn) error { return work() })
}

func (db ourDB) Close() { _ = db.Pool.Close() } // always nil

// Own returns our pool, or nil.
func (db *OpenedDB) Own() *connpool.Pool[*pgx.Conn] {
	own, _ := db.DB.(ourDB)
	return own.Pool
}

// pgxSession is a session that pgx makes.
type pgxSession struct {
	conn    *pgx.Conn
	release func()
}

func (s pgxSession) Exec(ctx context.Context, statement string) error {
	_, err := s.conn.Exec(ctx, statement)
	return err
}

func (s pgxSession) Text(ctx context.Context, query string) (text string, err error) {
	err = s.conn.QueryRow(ctx, query).Scan(&text)
	return text, err
}

func (s pgxSession) Unread(ctx context.Context, query string) error {
	rows, err := s.conn.Query(ctx, query)
	if err == nil && !rows.Next() {
		err = errors.Join(rows.Err(), errNoRows)
	}
	return err
}

func (s pgxSession) Release() { s.release() }

var errNoRows = errors.New("pool: no rows to leave unread")
