package row

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"log/slog"
	"net"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/chaos/row/pool"
	"github.com/connpool/connpool/pgxconn"
	"github.com/connpool/connpool/sqlconn"
)

type (
	dialFunc  = func(ctx context.Context, network, addr string) (net.Conn, error)
	sqlConfig = connpool.Config[driver.Conn]
)

// way is one way to run a statement that returns one text, with a pool of its own.
type way struct {
	name string
	run  func(ctx context.Context, statement string) error
}

// waysToWrite opens the handles that programs use, each way on one of its own.
func (t *Trial) waysToWrite(dsn string, dial dialFunc, size int) (ways []way) {
	if t.Kind != pool.SQL {
		open := t.pgxHandle(dsn, dial, size)
		ways = append(ways, pgxWays(open(), open(), open())...)
	}
	if t.Kind != pool.Pgxpool {
		open := func() *sql.DB { return t.sqlHandle(dsn, dial, size) }
		ways = append(ways, sqlWays(open(), open(), open())...)
	}
	return ways
}

// pgxHandle is what pgxpool's and pgxconn's pools have in common.
type pgxHandle interface {
	Exec(ctx context.Context, sql string, arguments ...any) (pgconn.CommandTag, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	Begin(ctx context.Context) (pgx.Tx, error)
	Close()
}

func (t *Trial) pgxHandle(dsn string, dial dialFunc, size int) (open func() pgxHandle) {
	return func() (handle pgxHandle) {
		var err error
		if t.Ours() {
			handle, err = openPgxconn(t.ctx, dsn, dial, size)
		} else {
			handle, err = openPgxpool(t.ctx, dsn, dial, size)
		}
		t.Must(err, "opening the pool")
		t.Cleanup(handle.Close)
		return handle
	}
}

func openPgxconn(ctx context.Context, dsn string, dial dialFunc, size int) (pgxHandle, error) {
	cfg, err := pgxconn.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns, cfg.ConnConfig.DialFunc = int32(size), dial
	cfg.Tune = func(c *pgConfig) { c.Logger = slog.New(slog.DiscardHandler) }
	return pgxconn.NewWithConfig(ctx, cfg)
}

func openPgxpool(ctx context.Context, dsn string, dial dialFunc, size int) (pgxHandle, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns, cfg.ConnConfig.DialFunc = int32(size), dial
	return pgxpool.NewWithConfig(ctx, cfg)
}

// sqlHandle opens database/sql on pgx: over sqlconn, or as it is.
func (t *Trial) sqlHandle(dsn string, dial dialFunc, size int) *sql.DB {
	login, err := pgx.ParseConfig(dsn)
	t.Must(err, "the server's address")
	if dial != nil {
		login.DialFunc = dial
	}
	return t.sqlOver(stdlib.GetConnector(*login), size)
}

func (t *Trial) sqlOver(connector driver.Connector, size int, edits ...func(*sqlConfig)) *sql.DB {
	var db *sql.DB
	if t.Ours() {
		cfg := sqlConfig{MaxSize: size, IsBad: readOnly, Logger: slog.New(slog.DiscardHandler)}
		for _, edit := range edits {
			edit(&cfg)
		}
		var err error
		db, _, err = sqlconn.Open(connector, cfg, sqlconn.Options{})
		t.Must(err, "opening the pool")
	} else {
		db = sql.OpenDB(connector)
		db.SetMaxOpenConns(size)
		db.SetMaxIdleConns(size)
	}
	t.Cleanup(func() { _ = db.Close() }) // sessions of a server that is gone may end badly
	return db
}

// readOnly is an IsBad that knows a server which takes no writes any more.
func readOnly(err error) bool {
	var postgres *pgconn.PgError
	var maria *mysql.MySQLError
	return errors.As(err, &postgres) && postgres.Code == "25006" ||
		errors.As(err, &maria) && maria.Number == 1290 || connpool.DefaultIsBad(err)
}

func pgxWays(exec, row, tx pgxHandle) []way {
	return []way{
		{"pgx's Exec", func(ctx context.Context, statement string) error {
			_, err := exec.Exec(ctx, statement)
			return err
		}},
		{"pgx's QueryRow", func(ctx context.Context, statement string) error {
			return row.QueryRow(ctx, statement).Scan(new(string))
		}},
		{"pgx's Tx", func(ctx context.Context, statement string) error {
			return pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, statement)
				return err
			})
		}},
	}
}

func sqlWays(exec, row, tx *sql.DB) []way {
	return []way{
		{"sql's Exec", func(ctx context.Context, statement string) error {
			_, err := exec.ExecContext(ctx, statement)
			return err
		}},
		{"sql's QueryRow", func(ctx context.Context, statement string) error {
			return row.QueryRowContext(ctx, statement).Scan(new(string))
		}},
		{"sql's Tx", func(ctx context.Context, statement string) error {
			tx, err := tx.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer tx.Rollback() // after a commit it does nothing
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return err
			}
			return tx.Commit()
		}},
	}
}
