package pool

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/connpool/connpool"
)

type ourDB struct{ *connpool.Pool[*pgx.Conn] }

func openOurDB(s DBSetup, login *pgx.ConnConfig, opens *atomic.Int64) (DB, error) {
	cfg := connpool.Config[*pgx.Conn]{
		Connect: func(ctx context.Context) (*pgx.Conn, error) {
			conn, err := pgx.ConnectConfig(ctx, login)
			if err == nil {
				opens.Add(1)
			}
			return conn, err
		},
		Close:          endSession,
		Alive:          aliveSession,
		Clean:          cleanSession,
		IsBad:          brokenSession,
		Reset:          s.Reset,
		MaxSize:        s.Max,
		ConnectTimeout: s.ConnectTimeout,
		CheckTimeout:   s.CheckTimeout,
		CheckAfterIdle: s.CheckAfterIdle,
		Logger:         slog.New(slog.DiscardHandler),
	}
	if s.Edit != nil {
		s.Edit(&cfg)
	}
	p, err := connpool.New(cfg)
	return ourDB{p}, err
}

// endSession waits until pgx has ended a query that was left, too: otherwise the
// server would have more sessions than the pool.
func endSession(ctx context.Context, conn *pgx.Conn) error {
	err := conn.Close(ctx)
	select {
	case <-conn.PgConn().CleanupDone():
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func aliveSession(conn *pgx.Conn) error {
	if conn.IsClosed() {
		return connpool.ErrBadConn
	}
	return Peek(conn.PgConn().Conn())
}

var errBusy = errors.New("pool: returned in a transaction or with unread rows")

func cleanSession(conn *pgx.Conn) error {
	switch {
	case conn.IsClosed():
		return connpool.ErrBadConn
	case conn.PgConn().IsBusy() || conn.PgConn().TxStatus() != 'I':
		return errBusy
	}
	return nil
}

// brokenSession knows that the server ends a session with a FATAL error.
func brokenSession(err error) bool {
	var refusal *pgconn.PgError
	return errors.Is(err, connpool.ErrBadConn) || pgconn.Timeout(err) || !errors.As(err, &refusal) || refusal.Severity == "FATAL"
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
