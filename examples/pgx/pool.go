package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/netconn"
)

// newPool returns a pool of connections to the database of that URL.
func newPool(url string, o options, onLeak func(connpool.Leak)) (*connpool.Pool[*pgx.Conn], error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	// Settings that go with the connection hold for everybody who borrows it. They
	// are part of the handshake: no round trip is spent on them.
	config.RuntimeParams["application_name"] = "connpool-example"
	config.RuntimeParams["statement_timeout"] = "30s"

	return connpool.New(connpool.Config[*pgx.Conn]{
		Name:    "orders",
		Connect: func(ctx context.Context) (*pgx.Conn, error) { return pgx.ConnectConfig(ctx, config) },
		Close:   closeConn,
		MaxSize: o.size,

		// Before every hand-out, a look at what the kernel knows: it has been told
		// when the server hung up. That costs a system call. A round trip (Check,
		// which is Ping by default) is made only on what has been idle for a second.
		Alive: alive,
		// On every return: what one borrower has left unfinished is not for the next.
		Clean: clean,
		// After these errors the connection is destroyed, and the others are checked
		// before they are lent.
		IsBad: isBad,

		// A stack for every lease costs each a fraction of a microsecond. The default
		// captures them while connections are scarce.
		LeakStacks:    connpool.StacksAlways,
		LeakThreshold: o.threshold, // the default is a minute
		OnLeak:        onLeak,
		Logger:        slog.New(slog.DiscardHandler), // it would get a warning for each leak
	})
}

// closeConn ends a session. After a query that its context cut short, pgx has
// closed the connection already and is still cancelling the query at the server:
// the pool may open another in its place when that is done.
func closeConn(ctx context.Context, conn *pgx.Conn) error {
	err := conn.Close(ctx)
	select {
	case <-conn.PgConn().CleanupDone():
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// alive finds out without a round trip whether a connection can be lent.
func alive(conn *pgx.Conn) error {
	if conn.IsClosed() {
		return connpool.ErrBadConn
	}
	return netconn.Alive(conn.PgConn().Conn())
}

var (
	errTransaction = errors.New("returned in a transaction that is neither committed nor rolled back")
	errRows        = errors.New("returned with rows that nobody has read")
)

// clean finds out without a round trip whether a connection that comes back can
// be lent again.
func clean(conn *pgx.Conn) error {
	switch {
	case conn.IsClosed():
		return connpool.ErrBadConn
	case conn.PgConn().IsBusy():
		return errRows
	case conn.PgConn().TxStatus() != 'I':
		return errTransaction
	}
	return nil
}

// isBad reports whether an error of a query means that the server is gone, or
// that it has hung up. Its saying no to a query does not.
func isBad(err error) bool {
	var refusal *pgconn.PgError
	if errors.As(err, &refusal) {
		return strings.EqualFold(refusal.Severity, "FATAL")
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF)
}

// shutdownTimeout is how long leases have to end when the program ends.
const shutdownTimeout = 10 * time.Second

func shutdown(ctx context.Context, pool *connpool.Pool[*pgx.Conn]) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	return pool.Shutdown(ctx)
}
