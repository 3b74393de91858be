package pgxconn_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/pgxconn"
)

// dead stands for addresses at which nothing answers: a dial there takes until its
// context ends.
const dead = "192.0.2." // documentation's; nobody dials it

// routed has a dial of a dead address hang and all others reach the server, and
// notes which are dialled.
type routed struct {
	sync.Mutex
	dialled []string
}

func (r *routed) edit(server string) func(*config) {
	return func(c *config) {
		dial := c.ConnConfig.DialFunc
		c.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			r.Lock()
			r.dialled = append(r.dialled, addr)
			r.Unlock()
			if strings.HasPrefix(addr, dead) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return dial(ctx, "tcp", server)
		}
	}
}

func (r *routed) take() []string {
	r.Lock()
	defer r.Unlock()
	defer func() { r.dialled = nil }()
	return slices.Clone(r.dialled)
}

func TestFault56_EachAddressOfANameHasTimeOfItsOwn(t *testing.T) {
	server := start(t, nil)
	for name, hosts := range map[string]struct {
		names []string // of the DSN
		leads map[string][]string
	}{
		"a name":        {[]string{"db"}, map[string][]string{"db": {dead + "1", dead + "2", dead + "3", "192.0.3.1"}}},
		"several names": {[]string{"a", "b", "c"}, map[string][]string{"a": {dead + "1"}, "b": {dead + "2"}, "c": {"192.0.3.1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			var r routed
			pool := open(t, server.DSN(), size(2), r.edit(server.Addr()), func(c *config) {
				c.ConnConfig.ConnectTimeout = 250 * time.Millisecond
				c.ConnConfig.LookupFunc = func(_ context.Context, name string) ([]string, error) {
					return hosts.leads[name], nil
				}
				c.BeforeConnect = func(_ context.Context, login *pgx.ConnConfig) error {
					login.Host = hosts.names[0] // hooks may change hosts
					for _, more := range hosts.names[1:] {
						login.Fallbacks = append(login.Fallbacks,
							&pgconn.FallbackConfig{Host: more, Port: login.Port})
					}
					return nil
				}
			})
			require.NoError(t, pool.Ping(patient(t)))
			require.Greater(t, len(r.take()), 1)
			pool.Reset()
			require.NoError(t, pool.Ping(patient(t)))
			again := r.take()
			require.Len(t, again, 1, "the next dial does not begin at the same dead address")
		})
	}
}

// A listener that accepts and stays silent is as dead as an address that drops all.
func TestFault56_AServerThatAcceptsAndStaysSilentIsLeft(t *testing.T) {
	server := start(t, nil)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	_, port, err := net.SplitHostPort(silent.Addr().String())
	require.NoError(t, err)
	dsn := strings.Replace(server.DSN(), "@", fmt.Sprintf("@127.0.0.1:%s,", port), 1)
	pool := open(t, dsn, size(1), func(c *config) { c.ConnConfig.ConnectTimeout = 200 * time.Millisecond })
	require.NoError(t, pool.Ping(patient(t)))
}

func TestFault56_AfterConnectGetsTimeOfItsOwn(t *testing.T) {
	var left time.Duration
	pool, _ := startPool(t, size(1), func(c *config) {
		c.ConnConfig.ConnectTimeout = time.Hour
		c.BeforeConnect = func(context.Context, *pgx.ConnConfig) error { time.Sleep(asleep); return nil }
		c.AfterConnect = func(ctx context.Context, _ *pgx.Conn) error {
			deadline, _ := ctx.Deadline()
			left = time.Until(deadline)
			return nil
		}
	})
	require.NoError(t, pool.Ping(patient(t)))
	require.Greater(t, left, time.Hour-patience)
}

func TestFault100_NoLimitIsTheLargestThereIs(t *testing.T) {
	require.Equal(t, connpool.LargestMaxSize, settingsOf(t, nowhere+"?pool_max_conns=2147483647", nil).MaxSize)
}

func TestFault101_TheContextsValuesReachBackgroundDials(t *testing.T) {
	type key struct{}
	server := start(t, nil)
	c, err := pgxconn.ParseConfig(server.DSN() + "&pool_min_conns=1")
	require.NoError(t, err)
	seen := make(chan any, 100)
	c.BeforeConnect = func(ctx context.Context, _ *pgx.ConnConfig) error { seen <- ctx.Value(key{}); return nil }
	c.AfterConnect = func(ctx context.Context, _ *pgx.Conn) error { seen <- ctx.Value(key{}); return nil }
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, "tenant"))
	pool, err := pgxconn.NewWithConfig(ctx, c)
	require.NoError(t, err)
	defer pool.Close()
	cancel() // which does nothing
	require.Equal(t, "tenant", <-seen)
	require.Equal(t, "tenant", <-seen)
}
