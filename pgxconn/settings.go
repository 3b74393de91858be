package pgxconn

import (
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/connpool/connpool"
)

// settings says all that c does in the pool's own words.
func (c *Config) settings() connpool.Config[*pgx.Conn] {
	s := connpool.Config[*pgx.Conn]{
		Name: c.ConnConfig.Database,

		Connect: c.connect,
		Close:   c.close,
		Alive:   c.alive,
		Clean:   c.clean,
		Check:   check,
		IsBad:   c.isBad,

		MaxSize: min(int(c.MaxConns), connpool.LargestMaxSize),
		MinSize: int(c.MinConns),
		MinIdle: int(c.MinIdleConns),

		ConnectTimeout: c.connectTimeout(),
		CheckTimeout:   c.PingTimeout,
		CheckInterval:  c.HealthCheckPeriod,
		IdleTimeout:    orNever(c.MaxConnIdleTime),
		MaxLifetime:    orNever(c.MaxConnLifetime),
		LifetimeJitter: c.MaxConnLifetimeJitter,

		// A report of a leak, such as of a Row that nobody has scanned, names the line.
		LeakStacks: connpool.StacksSampled,
	}
	if c.MaxConnLifetime > 0 && c.MaxConnLifetimeJitter > 0 {
		s.MaxLifetime += c.MaxConnLifetimeJitter // theirs lengthens, ours shortens
	}
	if c.prepares() {
		s.Prepare = c.prepare
	}
	if c.ShouldPing != nil {
		s.CheckAfterIdle = -1 // it decides instead
	}
	if c.AfterRelease != nil || c.Reset != nil {
		s.Reset = c.reset
	}
	return s
}

// A dial has time for this many addresses of each host, with and, by sslmode,
// without TLS. How many there are is known when the dial is under way. If there are
// more, the next dial begins at those that this one has not come to.
const addressesOfHost = 16

// Each of these has time of its own besides: BeforeConnect, AfterConnect, the names,
// and prefer-standby's second attempt at the primary.
const otherSteps = 4

// connectTimeout bounds a whole dial.
func (c *Config) connectTimeout() time.Duration {
	steps := otherSteps + addressesOfHost*(1+len(c.ConnConfig.Fallbacks))
	step := stepTimeout(c.ConnConfig)
	return min(step, math.MaxInt64/time.Duration(steps)) * time.Duration(steps)
}

const defaultStepTimeout = 10 * time.Second

// stepTimeout bounds the attempt at one address.
func stepTimeout(conn *pgx.ConnConfig) time.Duration {
	if conn.ConnectTimeout > 0 {
		return conn.ConnectTimeout
	}
	return defaultStepTimeout
}

// orNever translates a limit that zero turns off.
func orNever(limit time.Duration) time.Duration {
	if limit <= 0 {
		return -1
	}
	return limit
}
