package pgxconn

import (
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
		Alive:   alive,
		Clean:   clean,
		Check:   ping,
		IsBad:   isBad,

		MaxSize: int(c.MaxConns),
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
	if c.PrepareConn != nil {
		s.Prepare = c.prepare
	}
	if c.AfterRelease != nil || c.Reset != nil {
		s.Reset = c.reset
	}
	return s
}

// connectTimeout is how long all of pgx's attempts may take, one for each address
// with and, by sslmode, without TLS; 0 for the pool's default.
func (c *Config) connectTimeout() time.Duration {
	return c.ConnConfig.ConnectTimeout * time.Duration(1+len(c.ConnConfig.Fallbacks))
}

// orNever translates a limit that zero turns off.
func orNever(limit time.Duration) time.Duration {
	if limit <= 0 {
		return -1
	}
	return limit
}
