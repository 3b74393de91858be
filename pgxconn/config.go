package pgxconn

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/connpool/connpool"
)

// Config describes a Pool by the names of pgxpool's Config. ParseConfig makes
// one; what it has set may be changed before it is given to NewWithConfig.
//
// The hooks may panic: that costs the connection they were about.
type Config struct {
	// ConnConfig is how connections are opened. Its Tracer may be an AcquireTracer
	// and a ReleaseTracer too. Its ConnectTimeout, 10 s if it is zero, bounds each
	// step of a dial: the look-up of a name, the attempt at each address that it
	// leads to, BeforeConnect, AfterConnect. An address that has just failed, or has
	// not answered for a second, is tried last by the dials of the next minute.
	ConnConfig *pgx.ConnConfig

	// BeforeConnect is called before a connection is opened, with a copy of
	// ConnConfig that it may change: a password that expires, for example. An error
	// is what Connect would have returned.
	BeforeConnect func(context.Context, *pgx.ConnConfig) error

	// AfterConnect is called with each new connection before anybody gets it. An
	// error closes it, and is what Connect would have returned.
	AfterConnect func(context.Context, *pgx.Conn) error

	// PrepareConn is called with each connection before it is lent, in the goroutine
	// and with the context of who acquires it. It returns
	//
	//   - true and nil: the connection is lent;
	//   - true and an error: it goes back to the pool, and the acquire fails with the
	//     error;
	//   - false and an error: it is destroyed, and the acquire fails with the error;
	//   - false and nil: it is destroyed, and another one is tried, up to MaxConns+1
	//     times, without losing the place in the queue.
	PrepareConn func(context.Context, *pgx.Conn) (bool, error)

	// BeforeAcquire is a PrepareConn that returns no error, for code that has one. If
	// both are set, it is not called.
	BeforeAcquire func(context.Context, *pgx.Conn) bool

	// ShouldPing is called before PrepareConn, in the same goroutine, and returns
	// whether the connection is to be pinged first; one that does not answer within
	// PingTimeout is destroyed, and another one is tried. Default: a connection is
	// pinged after a second idle. With ShouldPing the clock is read at each release.
	ShouldPing func(context.Context, ShouldPingParams) bool

	// AfterRelease is called with each connection that comes back fit for use, on a
	// goroutine of the pool's, for PingTimeout at most; it may make round trips. The
	// connection is destroyed if it returns false.
	AfterRelease func(*pgx.Conn) bool

	// Reset is called as AfterRelease is, after it, and destroys the connection by
	// an error. DiscardAll is one to use. Default: none, so that what a user has SET
	// for the session, its temporary tables and its advisory locks reach the next.
	// pgxpool has nothing of the kind.
	Reset func(context.Context, *pgx.Conn) error

	// BeforeClose is called before a connection is closed, on a goroutine of the
	// pool's. It is not called for one that was hijacked.
	BeforeClose func(*pgx.Conn)

	// MaxConnLifetime is the age at which connections are closed. Zero or less: never.
	MaxConnLifetime time.Duration

	// MaxConnLifetimeJitter lengthens each connection's lifetime by up to this much,
	// drawn once. Zero shortens it instead, by up to a tenth, so that connections
	// which were opened together are not closed together; negative does neither.
	MaxConnLifetimeJitter time.Duration

	// MaxConnIdleTime closes connections idle for this long, down to MinConns and
	// MinIdleConns. Zero or less: never.
	MaxConnIdleTime time.Duration

	// PingTimeout bounds a ping, an AfterRelease and a Reset. Zero: 5 s. Negative:
	// nothing does.
	PingTimeout time.Duration

	// MaxConns is the most connections open at once, up to connpool.LargestMaxSize,
	// which all that is more is taken for; MinConns the fewest kept open,
	// MinIdleConns the fewest kept idle while fewer than MaxConns are open.
	MaxConns, MinConns, MinIdleConns int32

	// HealthCheckPeriod is the time between pings of an idle connection. Zero: 1 min.
	// Negative: none. What is too old or idle for too long is seen to whatever this is.
	HealthCheckPeriod time.Duration

	// Tune, if not nil, is called by NewWithConfig with the pool's settings that come
	// of all this, to change what pgxpool has no name for: time-outs, leak reports,
	// MaxWaiting, a Budget, a Trace. Callbacks that are set can be wrapped.
	Tune func(*connpool.Config[*pgx.Conn])

	parsed    bool            // made by ParseConfig
	target    target          // what is asked of a server
	values    context.Context // NewWithConfig's, for its values, or nil
	addresses *addresses
}

// ShouldPingParams are what ShouldPing decides by. They can be converted to
// pgxpool's of the same name.
type ShouldPingParams struct {
	Conn         *pgx.Conn
	IdleDuration time.Duration // since it was released, or opened
}

// pgxpool's defaults, which people's numbers are based on.
const (
	leastMaxConns            = 4
	defaultMaxConnLifetime   = time.Hour
	defaultMaxConnIdleTime   = 30 * time.Minute
	defaultHealthCheckPeriod = time.Minute
	defaultPingTimeout       = 5 * time.Second
)

// ParseConfig parses a connection string, a URL or keywords and values, as
// pgx.ParseConfig does, and understands pgxpool's settings in it:
//
//	key                            value             default
//	pool_max_conns                 1 or more         4, or the number of CPUs if that is more
//	pool_min_conns                 0 or more         0
//	pool_min_idle_conns            0 or more         0
//	pool_max_conn_lifetime         duration          1h
//	pool_max_conn_lifetime_jitter  duration          0
//	pool_max_conn_idle_time        duration          30m
//	pool_health_check_period       duration          1m
//	pool_ping_timeout              duration          0
//
// All that is wrong with these is reported at once. No error contains the
// connection string.
func ParseConfig(connString string) (*Config, error) {
	conn, err := pgx.ParseConfig(connString)
	if err != nil {
		return nil, parseError(err)
	}
	return configFrom(conn)
}

// parseError returns pgx's error without the connection string, in which pgx
// blanks only passwords that it recognizes. Of a string that falls apart it quotes
// the pieces, which may be some of the password's.
func parseError(err error) error {
	var fault *pgconn.ParseConfigError
	if !errors.As(err, &fault) {
		return fmt.Errorf("pgxconn: %w", err)
	}
	quoted := pgconn.NewParseConfigError(fault.ConnString, "", nil).Error()
	said := strings.TrimPrefix(fault.Error(), quoted)
	if kind, _, _ := strings.Cut(said, " ("); strings.HasPrefix(kind, "failed to parse as") {
		said = kind + ": quote or escape what is special in it"
	}
	return fmt.Errorf("pgxconn: cannot parse the connection string: %s", said)
}

// configFrom takes pgxpool's keys out of a ConnConfig: the server would refuse
// them.
func configFrom(conn *pgx.ConnConfig) (*Config, error) {
	c := &Config{
		ConnConfig:        conn.Copy(),
		MaxConns:          int32(max(leastMaxConns, runtime.NumCPU())),
		MaxConnLifetime:   defaultMaxConnLifetime,
		MaxConnIdleTime:   defaultMaxConnIdleTime,
		HealthCheckPeriod: defaultHealthCheckPeriod,
		parsed:            true,
	}
	if err := c.takeKeys(c.ConnConfig.RuntimeParams); err != nil {
		return nil, fmt.Errorf("pgxconn: %w", err)
	}
	return c, nil
}

// Copy returns a copy that shares nothing with c but the functions and the TLS
// configuration.
func (c *Config) Copy() *Config {
	copied := *c
	copied.ConnConfig = c.ConnConfig.Copy()
	return &copied
}

// ConnString returns the connection string that ParseConfig was given. It may
// contain a password.
func (c *Config) ConnString() string { return c.ConnConfig.ConnString() }

// PoolConfig returns the configuration of a pool of connections to the database
// that a connection string leads to: what New gives its pool. Connect, Close,
// Alive, Clean, Check and IsBad are filled in, and the sizes and durations that
// ParseConfig knows. All may be changed.
//
// Alive looks at the socket, without a round trip, and at what the server has told
// of itself. Clean destroys a connection that comes back closed, with rows unread,
// or in a transaction, failed or not. Check pings, and asks again what
// target_session_attrs asks at connect. IsBad is for errors by which a server says
// that it is going or, unless standbys are wanted, that it takes no writes (25006).
// That it has gone, Clean sees by the connection and not by the error: the error may
// be another system's.
// Nothing is reset between two users; DiscardAll is a Reset to use.
func PoolConfig(connString string) (connpool.Config[*pgx.Conn], error) {
	c, err := ParseConfig(connString)
	if err != nil {
		return connpool.Config[*pgx.Conn]{}, err
	}
	return c.own().settings(), nil
}

// PoolConfigFrom is PoolConfig for a configuration that pgx.ParseConfig has
// made, of which it keeps a copy.
func PoolConfigFrom(conn *pgx.ConnConfig) (connpool.Config[*pgx.Conn], error) {
	if err := parsedByPgx(conn); err != nil {
		return connpool.Config[*pgx.Conn]{}, err
	}
	c, err := configFrom(conn)
	if err != nil {
		return connpool.Config[*pgx.Conn]{}, err
	}
	return c.own().settings(), nil
}

// own readies a copy of c that nobody changes any more.
func (c *Config) own() *Config {
	c.target, c.addresses = targetOf(c.ConnConfig), newAddresses()
	return c
}

var (
	errNoConns       = errors.New("pgxconn: MaxConns is less than 1: use 1 or more")
	errNotParsed     = errors.New("pgxconn: the Config was not made by ParseConfig: call that and change what it returns")
	errConnNotParsed = errors.New("pgxconn: the ConnConfig was not made by pgx.ParseConfig: call that and change what it returns")
)

func (c *Config) validate() error {
	switch {
	case c == nil || !c.parsed:
		return errNotParsed
	case c.MaxConns < 1:
		return errNoConns // the pool would take 0 for its own default
	}
	return parsedByPgx(c.ConnConfig)
}

// parsedByPgx returns an error where pgx would panic at the first dial.
func parsedByPgx(conn *pgx.ConnConfig) error {
	if conn == nil || conn.DialFunc == nil || conn.BuildFrontend == nil {
		return errConnNotParsed
	}
	return nil
}
