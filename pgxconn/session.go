package pgxconn

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/netconn"
)

// connect opens a connection.
func (c *Config) connect(ctx context.Context) (*pgx.Conn, error) {
	settings := c.ConnConfig
	if c.BeforeConnect != nil {
		settings = settings.Copy()
		if err := c.BeforeConnect(ctx, settings); err != nil {
			return nil, err
		}
	}
	conn, err := pgx.ConnectConfig(ctx, settings)
	if err != nil {
		return nil, err
	}
	conn.PgConn().CustomData()[lastSeenKey] = &lastSeen{}
	if c.AfterConnect == nil {
		return conn, nil
	}
	return c.introduce(ctx, conn)
}

// introduce calls AfterConnect. Whatever that does, a connection that is not
// returned is closed.
func (c *Config) introduce(ctx context.Context, conn *pgx.Conn) (_ *pgx.Conn, err error) {
	accepted := false
	defer func() {
		if !accepted {
			_ = end(ctx, conn) // err says more
		}
	}()
	if err := c.AfterConnect(ctx, conn); err != nil {
		return nil, err
	}
	accepted = true
	return conn, nil
}

// close ends a session, whatever BeforeClose does.
func (c *Config) close(ctx context.Context, conn *pgx.Conn) (err error) {
	defer func() { err = end(ctx, conn) }()
	if c.BeforeClose != nil {
		c.BeforeClose(conn)
	}
	return nil
}

// end ends a session. After a query that its context cut short, pgx has closed
// the connection already and is still cancelling the query at the server: the
// pool may open another in its place when that is done, or when its time is up
// and the socket has gone.
func end(ctx context.Context, conn *pgx.Conn) error {
	err := conn.Close(ctx)
	select {
	case <-conn.PgConn().CleanupDone():
		return err
	case <-ctx.Done():
		return errors.Join(ctx.Err(), conn.PgConn().Conn().Close())
	}
}

// alive finds out without a round trip whether a connection can be lent. Bytes
// unread are no reply to anybody: pgx has read every reply to its end, or clean
// has destroyed the connection. They may be a notice, a notification or a changed
// parameter, and they may be the server's farewell: a ping reads them and tells.
// Where the socket cannot be seen the pool's own pings have to do, as they have
// to with pgxpool.
func alive(conn *pgx.Conn) error {
	switch {
	case conn.IsClosed():
		return connpool.ErrBadConn
	case seenJustNow(conn):
		return nil
	}
	switch err := netconn.Alive(socket(conn)); {
	case errors.Is(err, netconn.ErrUnread):
		return connpool.ErrUnsure
	case errors.Is(err, connpool.ErrUnsure):
		return nil
	default:
		return err
	}
}

// lookAgainAfter is how long a look at a socket is good for. What was lent less
// than that ago has been idle for less still. In thick traffic reading the clock
// costs a quarter of looking: 60 ns, where a query takes 15 µs.
const lookAgainAfter = time.Millisecond

// lastSeen is when a connection's socket was last looked at. It travels with the
// connection, and is of whoever holds that.
type lastSeen struct{ time.Time }

const lastSeenKey = "github.com/connpool/connpool/pgxconn: last seen"

// seenJustNow reports whether there is no need to look, and notes that somebody
// will if there is.
func seenJustNow(conn *pgx.Conn) bool {
	last, ok := conn.PgConn().CustomData()[lastSeenKey].(*lastSeen)
	if !ok {
		return false // opened by a Connect of the user's own
	}
	now := time.Now()
	if now.Sub(last.Time) < lookAgainAfter {
		return true
	}
	last.Time = now
	return false
}

// socket returns what is below TLS, which has nothing in its buffers that anybody
// waits for.
func socket(conn *pgx.Conn) net.Conn {
	if secure, ok := conn.PgConn().Conn().(*tls.Conn); ok {
		return secure.NetConn()
	}
	return conn.PgConn().Conn()
}

var (
	errClosed      = errors.New("pgxconn: returned closed")
	errRows        = errors.New("pgxconn: returned with rows that nobody has read")
	errTransaction = errors.New("pgxconn: returned in a transaction that is neither committed nor rolled back")
)

// clean finds out without a round trip whether a connection that comes back can
// be lent again.
func clean(conn *pgx.Conn) error {
	switch {
	case conn.IsClosed():
		return errClosed
	case conn.PgConn().IsBusy():
		return errRows
	case conn.PgConn().TxStatus() != 'I':
		return errTransaction
	}
	return nil
}

func ping(ctx context.Context, conn *pgx.Conn) error { return conn.Ping(ctx) }

// isBad reports whether an error means that the server is gone, or that it has
// hung up. Its saying no to a query does not, nor does an empty result, nor the
// end of a context: pgx closes the connection if that cut a query short, which
// clean sees, and it says nothing of other connections. That a connection is
// closed is all that pgx says where one dies under a statement without arguments.
func isBad(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var refusal *pgconn.PgError
	if errors.As(err, &refusal) {
		severity := cmp.Or(refusal.SeverityUnlocalized, refusal.Severity) // poolers send only one
		return severity == "FATAL" || severity == "PANIC"
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, connpool.ErrBadConn)
}

// DiscardAll is a Reset with which no SET, search_path, temporary table, LISTEN,
// cursor or advisory lock of one user's reaches the next: it executes DISCARD
// ALL. That drops prepared statements too, of which pgx is told: each user
// prepares its own anew, so pgx's statement cache is of no use to short leases.
// Set DefaultQueryExecMode to pgx.QueryExecModeExec then.
//
// What AfterConnect has SET is undone with the rest, and what
// ConnConfig.RuntimeParams set is not.
//
// It takes two round trips, after each lease, on a goroutine of the pool's.
func DiscardAll(ctx context.Context, conn *pgx.Conn) error {
	if err := conn.DeallocateAll(ctx); err != nil { // pgx forgets its statements with it
		return err
	}
	return conn.PgConn().Exec(ctx, "discard all").Close()
}
