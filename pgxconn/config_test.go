package pgxconn_test

import (
	"context"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/pgxconn"
)

// nowhere is a connection string that leads nowhere. Nobody dials it.
const nowhere = "postgres://user:secret@127.0.0.1:1/orders"

// settingsOf returns the settings that a Config's Tune gets.
func settingsOf(t *testing.T, dsn string, edit func(*config)) (s settings) {
	t.Helper()
	c, err := pgxconn.ParseConfig(dsn)
	require.NoError(t, err)
	if edit != nil {
		edit(c)
	}
	c.Tune = func(tuned *settings) { s = *tuned }
	p, err := pgxconn.NewWithConfig(context.Background(), c)
	require.NoError(t, err)
	p.Close()
	return s
}

func TestTheSettingsAreThePoolsForWhatTheConfigSays(t *testing.T) {
	s := settingsOf(t, nowhere, nil)
	require.Equal(t, "orders", s.Name)
	require.GreaterOrEqual(t, s.MaxSize, 4)
	require.Zero(t, s.MinSize)
	require.Zero(t, s.MinIdle)
	require.Equal(t, 30*time.Minute, s.IdleTimeout)
	require.Equal(t, time.Minute, s.CheckInterval)
	require.Zero(t, s.CheckTimeout, "the pool's default")
	require.Equal(t, connpool.StacksSampled, s.LeakStacks)
	require.NotNil(t, s.Connect)
	require.NotNil(t, s.Close)
	require.NotNil(t, s.Alive)
	require.NotNil(t, s.Clean)
	require.NotNil(t, s.Check)
	require.NotNil(t, s.IsBad)
	require.Nil(t, s.Prepare, "what nobody asks for costs nothing")
	require.Nil(t, s.Reset)

	s = settingsOf(t, nowhere, func(c *config) {
		c.MaxConns, c.MinConns, c.MinIdleConns = 21, 2, 3
		c.HealthCheckPeriod, c.PingTimeout = 7*time.Second, 8*time.Second
		c.PrepareConn = func(context.Context, *pgx.Conn) (bool, error) { return true, nil }
		c.AfterRelease = func(*pgx.Conn) bool { return true }
	})
	require.Equal(t, []int{21, 2, 3}, []int{s.MaxSize, s.MinSize, s.MinIdle})
	require.Equal(t, 7*time.Second, s.CheckInterval)
	require.Equal(t, 8*time.Second, s.CheckTimeout)
	require.NotNil(t, s.Prepare)
	require.NotNil(t, s.Reset)
	require.NotNil(t, settingsOf(t, nowhere, func(c *config) { c.Reset = pgxconn.DiscardAll }).Reset)
}

func TestAConnectionLastsAsLongAsWithPgxpoolOrATenthLess(t *testing.T) {
	const h = time.Hour
	for _, c := range []struct{ lifetime, jitter, most, spread time.Duration }{
		{h, 0, h, 0}, // the pool's default spread: a tenth
		{h, h / 2, h + h/2, h / 2},
		{h, 3 * h, 4 * h, 3 * h},
		{h, -1, h, -1},
		{0, 0, -1, 0},
		{0, h, -1, h}, // never is never
		{-1, h, -1, h},
		{math.MaxInt64, h, math.MinInt64 + h - 1, h}, // off, as it is more than there is
	} {
		s := settingsOf(t, nowhere, func(set *config) { set.MaxConnLifetime, set.MaxConnLifetimeJitter = c.lifetime, c.jitter })
		require.Equal(t, c.most, s.MaxLifetime, c)
		require.Equal(t, c.spread, s.LifetimeJitter, c)
	}
}

func TestALimitOfZeroIsNone(t *testing.T) {
	for _, limit := range []time.Duration{0, -1, -time.Hour} {
		s := settingsOf(t, nowhere, func(c *config) { c.MaxConnIdleTime = limit })
		require.EqualValues(t, -1, s.IdleTimeout)
	}
}

func TestFault56_AConnectHasTimeForEachOf16AddressesOfAHostAndForWhatElseThereIs(t *testing.T) {
	for dsn, want := range map[string]time.Duration{
		"host=a sslmode=disable":                              20 * 10 * time.Second,
		"host=a sslmode=disable connect_timeout=3":            20 * 3 * time.Second,
		"host=a sslmode=prefer connect_timeout=3":             36 * 3 * time.Second, // with TLS, and without
		"host=a,b,c port=1 sslmode=require connect_timeout=3": 52 * 3 * time.Second,
	} {
		require.Equal(t, want, settingsOf(t, dsn, nil).ConnectTimeout, dsn)
	}
}

func TestTuneHasTheLastWord(t *testing.T) {
	var acquired int
	pool, _ := startPool(t, size(3), tuned(func(s *settings) {
		s.Name, s.MaxSize = "tuned", s.MaxSize+1
		alive := s.Alive
		s.Alive = func(conn *pgx.Conn) error { acquired++; return alive(conn) }
	}))
	require.Equal(t, "tuned", pool.Connpool().Name())
	require.EqualValues(t, 4, pool.Stat().MaxConns())
	require.NoError(t, pool.Ping(patient(t)))
	require.NoError(t, pool.Ping(patient(t)))
	require.NotZero(t, acquired)
}

func TestAConfigThatParseConfigHasNotMadeIsAnError(t *testing.T) {
	parsed, err := pgxconn.ParseConfig(nowhere)
	require.NoError(t, err)
	swapped := parsed.Copy()
	swapped.ConnConfig = &pgx.ConnConfig{}
	none := parsed.Copy()
	none.ConnConfig = nil
	for name, c := range map[string]*config{
		"nil":                      nil,
		"a literal":                {ConnConfig: parsed.ConnConfig, MaxConns: 4},
		"an empty literal":         {},
		"a ConnConfig literal":     swapped,
		"a ConnConfig that is nil": none,
	} {
		_, err := pgxconn.NewWithConfig(t.Context(), c)
		require.ErrorContains(t, err, "ParseConfig", name)
	}
	_, err = pgxconn.PoolConfigFrom(nil)
	require.ErrorContains(t, err, "ParseConfig")
	_, err = pgxconn.PoolConfigFrom(&pgx.ConnConfig{})
	require.ErrorContains(t, err, "ParseConfig")
}

func TestNumbersThatNoPoolCanHaveAreAnError(t *testing.T) {
	for want, edit := range map[string]func(*config){
		"MaxConns is less than 1":      size(0),
		"MaxConns is less than 1: use": size(-1),
		"MinSize 5 exceeds MaxSize 4":  func(c *config) { c.MaxConns, c.MinConns = 4, 5 },
		"MinIdle 5 exceeds MaxSize 4":  func(c *config) { c.MaxConns, c.MinIdleConns = 4, 5 },
		"MinSize is -1":                func(c *config) { c.MinConns = -1 },
		"Connect is nil":               tuned(func(s *settings) { s.Connect = nil }),
	} {
		c, err := pgxconn.ParseConfig(nowhere)
		require.NoError(t, err)
		edit(c)
		_, err = pgxconn.NewWithConfig(t.Context(), c)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "pgxconn: ")
	}
}

func TestACopyOfAConfigSharesNothing(t *testing.T) {
	c, err := pgxconn.ParseConfig("host=a,b user=u pool_max_conns=3 application_name=mine sslmode=disable")
	require.NoError(t, err)
	copied := c.Copy()
	copied.ConnConfig.RuntimeParams["application_name"] = "other"
	copied.ConnConfig.Fallbacks[0].Host = "other"
	copied.ConnConfig.Host = "other"
	copied.MaxConns = 9
	require.Equal(t, "mine", c.ConnConfig.RuntimeParams["application_name"])
	require.Equal(t, "b", c.ConnConfig.Fallbacks[0].Host)
	require.Equal(t, "a", c.ConnConfig.Host)
	require.EqualValues(t, 3, c.MaxConns)
}

func TestAPoolKeepsACopyOfItsConfigAndGivesOthers(t *testing.T) {
	server := start(t, nil)
	var given *config
	pool := open(t, server.DSN(), size(3), func(c *config) {
		c.ConnConfig.RuntimeParams["application_name"] = "mine"
		given = c
	})
	given.MaxConns = 7
	given.ConnConfig.RuntimeParams["application_name"] = "changed"
	pool.Config().ConnConfig.RuntimeParams["application_name"] = "changed"
	pool.Config().MaxConns = 7
	require.Equal(t, "mine", ask[string](t, pool, "show application_name"))
	require.EqualValues(t, 3, pool.Config().MaxConns)
	require.Equal(t, server.DSN(), pool.Config().ConnString())

	again, err := pgxconn.NewWithConfig(t.Context(), pool.Config())
	require.NoError(t, err, "it can be used for another pool")
	defer again.Close()
	require.Equal(t, "mine", ask[string](t, again, "show application_name"))
}

func TestPoolConfigIsForAPoolWithoutTheWrapper(t *testing.T) {
	cfg, err := pgxconn.PoolConfig(start(t, nil).DSN() + "&pool_max_conns=3")
	require.NoError(t, err)
	require.Equal(t, 3, cfg.MaxSize)
	cfg.Reset = pgxconn.DiscardAll
	requireUsable(t, cfg)
}

func TestPoolConfigFromKeepsItsArgument(t *testing.T) {
	conn, err := pgx.ParseConfig(start(t, nil).DSN() + "&pool_max_conns=3")
	require.NoError(t, err)
	before := conn.Copy()
	cfg, err := pgxconn.PoolConfigFrom(conn)
	require.NoError(t, err)
	require.Equal(t, 3, cfg.MaxSize)
	require.Equal(t, before.RuntimeParams, conn.RuntimeParams)
	conn.Port = 1
	conn.RuntimeParams["nonsense"] = "1"
	requireUsable(t, cfg)

	conn.RuntimeParams = map[string]string{"pool_max_conns": "none"}
	_, err = pgxconn.PoolConfigFrom(conn)
	require.ErrorContains(t, err, `pool_max_conns is "none"`)
}

// requireUsable checks that a pool works, and heals after Do has broken a
// connection.
func requireUsable(t *testing.T, cfg settings) {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	pool, err := connpool.New(cfg)
	require.NoError(t, err)
	defer func() { require.NoError(t, pool.Shutdown(patient(t))) }()
	for range 3 {
		require.NoError(t, pool.Do(patient(t), func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "begin")
			return err
		}))
		err = pool.Do(patient(t), func(ctx context.Context, conn *pgx.Conn) error {
			require.EqualValues(t, 'I', conn.PgConn().TxStatus())
			_, err := conn.Exec(ctx, "select pg_terminate_backend(pg_backend_pid())")
			return err
		})
		require.ErrorContains(t, err, "57P01")
	}
	require.EqualValues(t, 3, pool.Stats().Closes[connpool.ClosedClean])
	require.EqualValues(t, 3, pool.Stats().Closes[connpool.ClosedDiscarded])
	require.Zero(t, pool.Stats().InUse)
}
