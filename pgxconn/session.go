package pgxconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/netconn"
)

// connect opens a connection.
func (c *Config) connect(ctx context.Context) (*pgx.Conn, error) {
	ctx = withValues(ctx, c.values)
	settings := c.ConnConfig.Copy()
	if err := c.beforeConnect(ctx, settings); err != nil {
		return nil, err
	}
	settings.ConnectTimeout = stepTimeout(settings)
	attempt := c.addresses.attempt(settings)
	conn, err := pgx.ConnectConfig(ctx, settings)
	attempt.end(err)
	if err != nil {
		return nil, c.judged(err)
	}
	last := &lastSeen{returned: time.Now(), plain: c.AfterConnect == nil}
	conn.PgConn().CustomData()[lastSeenKey] = last
	defer func() { last.data = maps.Clone(conn.PgConn().CustomData()) }()
	if c.AfterConnect == nil {
		return conn, nil
	}
	ctx, cancel := context.WithTimeout(ctx, settings.ConnectTimeout)
	defer cancel()
	return c.introduce(ctx, conn)
}

func (c *Config) beforeConnect(ctx context.Context, settings *pgx.ConnConfig) error {
	if c.BeforeConnect == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, stepTimeout(settings))
	defer cancel()
	return c.BeforeConnect(ctx, settings)
}

// valued is a context with the values of another besides.
type valued struct {
	context.Context
	values context.Context
}

func withValues(ctx, values context.Context) context.Context {
	if values == nil {
		return ctx
	}
	return valued{ctx, values}
}

func (c valued) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.values.Value(key)
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
func (c *Config) alive(conn *pgx.Conn) error {
	switch {
	case conn.IsClosed():
		return connpool.ErrBadConn
	case seenJustNow(conn):
		return nil
	case c.target.lost(conn):
		return connpool.ErrUnsure
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
type lastSeen struct {
	time.Time
	returned time.Time // to the pool, or opened; kept for ShouldPing

	// What DiscardAll goes back to.
	plain bool           // no AfterConnect has registered types
	data  map[string]any // that AfterConnect has left
}

const lastSeenKey = "github.com/connpool/connpool/pgxconn: last seen"

func seen(conn *pgx.Conn) *lastSeen {
	last, _ := conn.PgConn().CustomData()[lastSeenKey].(*lastSeen)
	return last // nil if it was opened by a Connect of the user's own
}

// seenJustNow reports whether there is no need to look, and notes that somebody
// will if there is.
func seenJustNow(conn *pgx.Conn) bool {
	last := seen(conn)
	if last == nil {
		return false
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
	errClosed      = fmt.Errorf("pgxconn: returned closed: %w", connpool.ErrBadConn)
	errRows        = errors.New("pgxconn: returned with rows that nobody has read")
	errTransaction = errors.New("pgxconn: returned in a transaction that is neither committed nor rolled back")
)

// clean finds out without a round trip whether a connection that comes back can
// be lent again.
func (c *Config) clean(conn *pgx.Conn) error {
	if last := seen(conn); c.ShouldPing != nil && last != nil {
		last.returned = time.Now()
	}
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

// check pings, and asks again whether the server is what target_session_attrs asks
// for. The second best that prefer-standby has settled for stays good enough.
func check(ctx context.Context, conn *pgx.Conn) error {
	if err := conn.Ping(ctx); err != nil {
		return err
	}
	validate := conn.Config().ValidateConnect
	if validate == nil {
		return nil
	}
	err := validate(ctx, conn.PgConn())
	if _, second := err.(*pgconn.NotPreferredError); second {
		return nil
	}
	return err
}

// DiscardAll is a Reset with which no SET, search_path, temporary table, LISTEN,
// cursor or advisory lock of one user's reaches the next: it executes DISCARD
// ALL. That drops prepared statements too, of which pgx is told: each user
// prepares its own anew, so pgx's statement cache is of no use to short leases.
// Set DefaultQueryExecMode to pgx.QueryExecModeExec then.
//
// What AfterConnect has SET is undone with the rest, and what
// ConnConfig.RuntimeParams set is not. Of what pgx keeps for a connection it clears
// notifications, CustomData but for what AfterConnect has left there, and, if there
// is no AfterConnect, types that were registered: pgx cannot tell whose they are.
//
// It takes two round trips, after each lease, on a goroutine of the pool's.
func DiscardAll(ctx context.Context, conn *pgx.Conn) error {
	if err := conn.DeallocateAll(ctx); err != nil { // pgx forgets its statements with it
		return err
	}
	if err := conn.PgConn().Exec(ctx, "discard all").Close(); err != nil {
		return err
	}
	forget(ctx, conn)
	return nil
}

// forget undoes what one user has left with pgx: notifications that it has read and
// nobody has asked for, CustomData, registered types. What AfterConnect has left
// stays; since pgx cannot tell whose types are, all of them stay if there is one.
func forget(ctx context.Context, conn *pgx.Conn) {
	over, cancel := context.WithCancel(ctx)
	cancel() // pgx gives out what it has, and does not read
	for {
		if _, err := conn.WaitForNotification(over); err != nil {
			break
		}
	}
	last := seen(conn)
	if last == nil {
		return // nobody knows what is whose
	}
	if last.plain {
		*conn.TypeMap() = *pgtype.NewMap()
	}
	data := conn.PgConn().CustomData()
	clear(data)
	maps.Copy(data, last.data)
}
