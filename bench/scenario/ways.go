package scenario

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/pgxconn"
	"github.com/connpool/connpool/sqlconn"
)

// Way is one way to get a connection to PostgreSQL. All use the same driver, pgx,
// with its default: a statement is prepared when a connection sees it first, and
// from then on executed by name.
type Way struct {
	Name string
	Note string
	open opener
}

type opener = func(ctx context.Context, dsn string, size int, o *opens) (client, error)

// Ways returns those that are compared: the driver's own pool and the standard
// library's, this one in the place of each, and none.
func Ways() []Way {
	return []Way{
		{"pgxconn", "pgxconn.Pool, which looks at each connection's socket before a lease.", openPgxconn},
		{"pgxpool", "The driver's own pool.", openPgxpool},
		{"sqlconn", "A sql.DB with this pool, with the driver's adapter.", openSqlconn(runText)},
		{"database/sql", "The same with the standard library's pool, set to keep as many connections as it may open.", openSQL(runText)},
		{"sqlconn, prepared", "A statement of db.Prepare, with Options.StatementCache.", openSqlconn(runPrepared)},
		{"database/sql, prepared", "A statement of db.Prepare.", openSQL(runPrepared)},
		perRequest,
	}
}

// TLSWays returns those that are compared over TLS.
func TLSWays() []Way {
	ways := Ways()
	return []Way{ways[0], ways[1], perRequest}
}

var perRequest = Way{"connection per request", "No pool. Each request also prepares its statement.", openNone}

// client is one open way.
type client struct {
	query func(context.Context) error
	close func()
}

// opens counts connections.
type opens struct{ atomic.Int64 }

func (o *opens) connect(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	o.Add(1)
	return pgx.ConnectConfig(ctx, config)
}

const question = "select 1"

// answered checks the answer, so that nothing is measured that does not work.
func answered(answer int, err error) error {
	if err == nil && answer != 1 {
		return fmt.Errorf("%s: the answer is %d", question, answer)
	}
	return err
}

func openNone(_ context.Context, dsn string, _ int, o *opens) (client, error) {
	config, err := pgx.ParseConfig(dsn)
	query := func(ctx context.Context) error {
		conn, err := o.connect(ctx, config.Copy())
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		return asks(conn)(ctx)
	}
	return client{query, func() {}}, err
}

// asks asks a connection, or a pool with the methods of one.
func asks(pool interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}) func(context.Context) error {
	return func(ctx context.Context) error {
		var answer int
		err := pool.QueryRow(ctx, question).Scan(&answer)
		return answered(answer, err)
	}
}

func openPgxpool(ctx context.Context, dsn string, size int, o *opens) (client, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return client{}, err
	}
	config.MaxConns = int32(size)
	config.BeforeConnect = func(context.Context, *pgx.ConnConfig) error {
		o.Add(1)
		return nil
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return client{}, err
	}
	return client{asks(pool), pool.Close}, nil
}

// run makes a query of a handle, and what ends it.
type run func(ctx context.Context, db *sql.DB) (query func(context.Context) error, end func(), err error)

func runText(_ context.Context, db *sql.DB) (func(context.Context) error, func(), error) {
	return func(ctx context.Context) error { return scan(db.QueryRowContext(ctx, question)) }, func() {}, nil
}

func runPrepared(ctx context.Context, db *sql.DB) (func(context.Context) error, func(), error) {
	stmt, err := db.PrepareContext(ctx, question)
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context) error { return scan(stmt.QueryRowContext(ctx)) }, func() { _ = stmt.Close() }, nil
}

func scan(row *sql.Row) error {
	var answer int
	err := row.Scan(&answer)
	return answered(answer, err)
}

// connector counts what the driver's adapter opens.
func connector(dsn string, o *opens) (driver.Connector, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	return stdlib.GetConnector(*config, stdlib.OptionBeforeConnect(func(context.Context, *pgx.ConnConfig) error {
		o.Add(1)
		return nil
	})), nil
}

func openSQL(r run) opener {
	return func(ctx context.Context, dsn string, size int, o *opens) (client, error) {
		c, err := connector(dsn, o)
		if err != nil {
			return client{}, err
		}
		db := sql.OpenDB(c)
		db.SetMaxOpenConns(size)
		db.SetMaxIdleConns(size)
		return clientOf(ctx, db, r)
	}
}

func openSqlconn(r run) opener {
	return func(ctx context.Context, dsn string, size int, o *opens) (client, error) {
		c, err := connector(dsn, o)
		if err != nil {
			return client{}, err
		}
		settings := connpool.Config[driver.Conn]{Name: "bench", MaxSize: size, Logger: slog.New(slog.DiscardHandler)}
		db, _, err := sqlconn.Open(c, settings, sqlconn.Options{StatementCache: 32})
		if err != nil {
			return client{}, err
		}
		return clientOf(ctx, db, r)
	}
}

func clientOf(ctx context.Context, db *sql.DB, r run) (client, error) {
	query, end, err := r(ctx, db)
	if err != nil {
		return client{}, errors.Join(err, db.Close())
	}
	return client{query, func() {
		end()
		_ = db.Close()
	}}, nil
}

func openPgxconn(ctx context.Context, dsn string, size int, o *opens) (client, error) {
	config, err := pgxconn.ParseConfig(dsn)
	if err != nil {
		return client{}, err
	}
	config.MaxConns = int32(size)
	config.BeforeConnect = func(context.Context, *pgx.ConnConfig) error {
		o.Add(1)
		return nil
	}
	config.Tune = func(c *connpool.Config[*pgx.Conn]) { c.Logger = slog.New(slog.DiscardHandler) }
	pool, err := pgxconn.NewWithConfig(ctx, config)
	if err != nil {
		return client{}, err
	}
	return client{asks(pool), pool.Close}, nil
}
