package pgxconn_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/pgxconn"
)

// keys are pgxpool's settings, with values that are none of the defaults.
var keys = map[string]string{
	"pool_max_conns":                "21",
	"pool_min_conns":                "2",
	"pool_min_idle_conns":           "3",
	"pool_max_conn_lifetime":        "4h",
	"pool_max_conn_lifetime_jitter": "5m",
	"pool_max_conn_idle_time":       "6m30s",
	"pool_health_check_period":      "7s",
	"pool_ping_timeout":             "800ms",
}

// forms write settings down in both forms of a connection string.
var forms = map[string]func(map[string]string) string{
	"as a URL": func(values map[string]string) string {
		query := url.Values{}
		for key, value := range values {
			query.Set(key, value)
		}
		return "postgres://user:secret@host:5433/db?application_name=here&" + query.Encode()
	},
	"as keywords and values": func(values map[string]string) string {
		text := "host=host port=5433 user=user password=secret dbname=db application_name=here"
		for key, value := range values {
			text += fmt.Sprintf(" %s='%s'", key, value)
		}
		return text
	},
}

func TestParseConfigReadsWhatPgxpoolReads(t *testing.T) {
	one := []map[string]string{nil, keys}
	for key, value := range keys {
		one = append(one, map[string]string{key: value})
	}
	for name, form := range forms {
		for _, values := range one {
			requireAsPgxpool(t, name, form(values))
		}
	}
	requireAsPgxpool(t, "an empty one", "")
}

func requireAsPgxpool(t *testing.T, form, text string) {
	t.Helper()
	theirs, err := pgxpool.ParseConfig(text)
	require.NoError(t, err)
	ours, err := pgxconn.ParseConfig(text)
	require.NoError(t, err)
	require.Equal(t, numbers(theirs.MaxConns, theirs.MinConns, theirs.MinIdleConns, theirs.MaxConnLifetime, theirs.MaxConnLifetimeJitter,
		theirs.MaxConnIdleTime, theirs.HealthCheckPeriod, theirs.PingTimeout),
		numbers(ours.MaxConns, ours.MinConns, ours.MinIdleConns, ours.MaxConnLifetime, ours.MaxConnLifetimeJitter,
			ours.MaxConnIdleTime, ours.HealthCheckPeriod, ours.PingTimeout), form)
	require.Equal(t, theirs.ConnConfig.RuntimeParams, ours.ConnConfig.RuntimeParams, "what reaches the server")
	require.Equal(t, theirs.ConnConfig.Host, ours.ConnConfig.Host)
	require.Equal(t, theirs.ConnConfig.Port, ours.ConnConfig.Port)
	require.Equal(t, theirs.ConnConfig.Database, ours.ConnConfig.Database)
	require.Equal(t, theirs.ConnConfig.Password, ours.ConnConfig.Password)
	require.Equal(t, theirs.ConnString(), ours.ConnString())
	require.Equal(t, text, ours.ConnString())
}

func numbers(n ...any) string { return fmt.Sprint(n...) }

func TestAllThatIsWrongWithTheKeysIsReportedAtOnce(t *testing.T) {
	wrong := map[string]string{
		"pool_max_conns":                "0",
		"pool_min_conns":                "-1",
		"pool_min_idle_conns":           "many",
		"pool_max_conn_lifetime":        "90",
		"pool_max_conn_lifetime_jitter": "long",
		"pool_max_conn_idle_time":       "1_hour",
		"pool_health_check_period":      "x",
		"pool_ping_timeout":             "5000000000000h",
	}
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			_, err := pgxconn.ParseConfig(form(wrong))
			for key, value := range wrong {
				require.ErrorContains(t, err, fmt.Sprintf("%s is %q", key, value))
			}
			require.NotContains(t, err.Error(), "secret")
			for _, parse := range parsers {
				require.Equal(t, err, parse(form(wrong)))
			}
		})
	}
}

// parsers are what takes a connection string.
var parsers = map[string]func(string) error{
	"ParseConfig": func(text string) error { _, err := pgxconn.ParseConfig(text); return err },
	"PoolConfig":  func(text string) error { _, err := pgxconn.PoolConfig(text); return err },
	"New": func(text string) error {
		p, err := pgxconn.New(expired(), text) // it does not use the context
		if p != nil {
			p.Close()
		}
		return err
	},
}

func TestACountThatDoesNotFitIsRefused(t *testing.T) {
	for _, n := range []string{"2147483648", "4294967297", "9223372036854775808", "1.5", "", " 7"} {
		_, err := pgxconn.ParseConfig("pool_max_conns='" + n + "'")
		require.ErrorContains(t, err, "pool_max_conns", n)
	}
}

func TestNoErrorContainsTheConnectionString(t *testing.T) {
	for _, text := range []string{
		"postgres://user:se%2Fcret@host:port/db",
		"postgres://user:secret@host:99999/db",
		"postgres://user:secret@host/db?sslmode=nonsense",
		"postgres://user:secret@[host/db",
		"postgres://user:se/secret@host/db",
		"postgres://user@host/db?password=%zzsecret",
		"host=host password=secret port=port",
		"host=host password = secret port=port",
		"host=host password='it\\'s secret' port=port",
		"host=host port=5432 password=my secret",
		"host=host port=5432 password=my secret words dbname=db",
		"host=host password='my secret",
		"host=host password=secret pool_max_conns=0",
		"host=host password=secret connect_timeout=x",
		"host=host password=secret statement_cache_capacity=x",
		"host=host password=secret default_query_exec_mode=x",
		"host=host password=secret target_session_attrs=x",
		"host=host password=secret sslmode=require sslrootcert=/nowhere/at/all sslmode=verify-ca",
		"host=host password=secret service=none servicefile=/nowhere/at/all",
	} {
		for name, parse := range parsers {
			err := parse(text)
			require.Error(t, err, text)
			for _, printed := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
				require.NotContains(t, printed, "secret", "%s: %s", name, text)
				require.NotContains(t, printed, "host=", "%s: %s", name, text)
			}
			require.Truef(t, strings.HasPrefix(err.Error(), "pgxconn: ") && !strings.HasSuffix(err.Error(), ": "), "%q", err)
		}
	}
}

func TestAParseErrorSaysWhatPgxSays(t *testing.T) {
	_, err := pgxconn.ParseConfig("host=host port=port")
	require.ErrorContains(t, err, "invalid port")
	_, err = pgxconn.ParseConfig("host=host connect_timeout=x")
	require.ErrorContains(t, err, "connect_timeout")
}

// What pgxpool's keys are called is no setting of the server's.
func TestNoKeyReachesTheServer(t *testing.T) {
	server := start(t, nil)
	text := server.DSN() + "&application_name=here"
	for key, value := range keys {
		text += "&" + key + "=" + value
	}
	pool := open(t, text)
	require.Equal(t, "here", ask[string](t, pool, "show application_name"))
	require.EqualValues(t, 21, pool.Stat().MaxConns())

	raw, err := pgx.Connect(patient(t), text)
	if err == nil {
		_ = raw.Close(patient(t))
	}
	var refused *pgconn.PgError
	require.ErrorAs(t, err, &refused, "the server does not know them")
}

func TestADurationMayBeOff(t *testing.T) {
	c, err := pgxconn.ParseConfig("pool_max_conn_lifetime=0 pool_max_conn_idle_time=-1s pool_health_check_period=-1s pool_ping_timeout=-1s")
	require.NoError(t, err)
	require.Zero(t, c.MaxConnLifetime)
	require.Equal(t, -time.Second, c.MaxConnIdleTime)
	require.Equal(t, -time.Second, c.HealthCheckPeriod)
	require.Equal(t, -time.Second, c.PingTimeout)
}
