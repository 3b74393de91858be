package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"net"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/sqlconn"
)

type pool = connpool.Pool[driver.Conn]

// openDB opens a handle that dials the address which addr returns at the time.
func openDB(dsn string, addr func() string) (*sql.DB, *pool, error) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, nil, err
	}
	// A server that has become read-only is left: the driver closes the connection
	// and reports driver.ErrBadConn, so database/sql tries another.
	cfg.RejectReadOnly = true
	cfg.Logger = &mysql.NopLogger{} // the pool says what it replaces, and why
	cfg.DialFunc = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr())
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, nil, err
	}
	return sqlconn.Open(connector, connpool.Config[driver.Conn]{
		Name:    "orders",
		MaxSize: size,
		// Shorter than the server's wait_timeout, 8 h by default, and than the idle
		// timeout of any proxy or firewall on the way.
		IdleTimeout: 5 * time.Minute,
	}, sqlconn.Options{StatementCache: 32})
}
