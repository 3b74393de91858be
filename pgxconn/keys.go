package pgxconn

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// takeKeys reads pgxpool's settings from the parameters of a connection, and
// removes them there.
func (c *Config) takeKeys(params map[string]string) error {
	return errors.Join(
		takeCount(params, "pool_max_conns", 1, &c.MaxConns),
		takeCount(params, "pool_min_conns", 0, &c.MinConns),
		takeCount(params, "pool_min_idle_conns", 0, &c.MinIdleConns),
		takeDuration(params, "pool_max_conn_lifetime", &c.MaxConnLifetime),
		takeDuration(params, "pool_max_conn_lifetime_jitter", &c.MaxConnLifetimeJitter),
		takeDuration(params, "pool_max_conn_idle_time", &c.MaxConnIdleTime),
		takeDuration(params, "pool_health_check_period", &c.HealthCheckPeriod),
		takeDuration(params, "pool_ping_timeout", &c.PingTimeout),
	)
}

func takeCount(params map[string]string, key string, least int32, to *int32) error {
	text, ok := params[key]
	if !ok {
		return nil
	}
	delete(params, key)
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || int32(n) < least {
		return fmt.Errorf("%s is %q: use a whole number from %d up", key, text, least)
	}
	*to = int32(n)
	return nil
}

func takeDuration(params map[string]string, key string, to *time.Duration) error {
	text, ok := params[key]
	if !ok {
		return nil
	}
	delete(params, key)
	d, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%s is %q: use a duration like 90s or 1h30m", key, text)
	}
	*to = d
	return nil
}
