package scenario

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/connpool/connpool"
)

// Way is one way to get a connection to PostgreSQL. All use the same driver, pgx,
// with its default: a statement is prepared when a connection sees it first, and
// from then on executed by name.
type Way struct {
	Name string
	Note string
	open func(ctx context.Context, dsn string, size int, o *opens) (client, error)
}

// Ways returns those that are compared: none, the driver's own pool, the standard
// library's and this one.
func Ways() []Way {
	return []Way{
		{"connpool", "connpool.Pool[*pgx.Conn] that looks at each connection's state before and after a lease.", openConnpool},
		{"pgxpool", "The driver's own pool.", openPgxpool},
		{"database/sql", "The standard library's pool, with the driver's adapter.", openSQL},
		{"connection per request", "No pool. Each request also prepares its statement.", openNone},
	}
}

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

func ask(ctx context.Context, conn *pgx.Conn) error {
	var answer int
	err := conn.QueryRow(ctx, question).Scan(&answer)
	return answered(answer, err)
}

func openNone(_ context.Context, dsn string, _ int, o *opens) (client, error) {
	config, err := pgx.ParseConfig(dsn)
	query := func(ctx context.Context) error {
		conn, err := o.connect(ctx, config.Copy())
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		return ask(ctx, conn)
	}
	return client{query, func() {}}, err
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
	query := func(ctx context.Context) error {
		var answer int
		err := pool.QueryRow(ctx, question).Scan(&answer)
		return answered(answer, err)
	}
	return client{query, pool.Close}, nil
}

func openSQL(_ context.Context, dsn string, size int, o *opens) (client, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return client{}, err
	}
	count := stdlib.OptionBeforeConnect(func(context.Context, *pgx.ConnConfig) error {
		o.Add(1)
		return nil
	})
	db := sql.OpenDB(stdlib.GetConnector(*config, count))
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	query := func(ctx context.Context) error {
		var answer int
		err := db.QueryRowContext(ctx, question).Scan(&answer)
		return answered(answer, err)
	}
	return client{query, func() { _ = db.Close() }}, nil
}

func openConnpool(_ context.Context, dsn string, size int, o *opens) (client, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return client{}, err
	}
	pool, err := connpool.New(connpool.Config[*pgx.Conn]{
		Name:    "bench",
		Connect: func(ctx context.Context) (*pgx.Conn, error) { return o.connect(ctx, config.Copy()) },
		Clean:   atRest,
		MaxSize: size,
		Logger:  slog.New(slog.DiscardHandler),
	})
	query := func(ctx context.Context) error {
		lease, err := pool.Acquire(ctx)
		if err != nil {
			return err
		}
		defer lease.Release()
		return ask(ctx, lease.Conn())
	}
	return client{query, func() { _ = pool.Shutdown(context.Background()) }}, err
}

// atRest refuses to lend a connection again that has rows unread or a transaction
// open, as pgxpool does.
func atRest(conn *pgx.Conn) error {
	if conn.IsClosed() || conn.PgConn().IsBusy() || conn.PgConn().TxStatus() != 'I' {
		return connpool.ErrBadConn
	}
	return nil
}
