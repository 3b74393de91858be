package pgtest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSettingsReachTheServer(t *testing.T) {
	t.Parallel()
	server := New(t, Options{Settings: map[string]string{"max_connections": "23", "application_name": "two words"}})
	require.Equal(t, "23", ask[string](t, server, "show max_connections"))
	require.Equal(t, "two words", ask[string](t, server, "select reset_val from pg_settings where name = 'application_name'"))
	require.Equal(t, "off", ask[string](t, server, "show fsync"))
	require.Equal(t, "on", ask[string](t, server, "show synchronous_commit"), "a commit must survive Kill")
}

func TestTheCallerMayOverrideAFastSetting(t *testing.T) {
	t.Parallel()
	server := New(t, Options{Settings: map[string]string{"fsync": "on"}})
	require.Equal(t, "on", ask[string](t, server, "show fsync"))
}

func TestSettingsThatMoveTheServerAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range ownSettings {
		_, err := Start(t.Context(), Options{Settings: map[string]string{name: "x"}})
		require.ErrorContains(t, err, name)
	}
}

func TestAnotherSpellingDoesNotMoveTheServer(t *testing.T) {
	t.Parallel()
	server := New(t, Options{Settings: map[string]string{"listen-addresses": "127.0.0.2"}})
	require.Equal(t, host, ask[string](t, server, "show listen_addresses"))
}

func TestAFailedStartShowsTheLog(t *testing.T) {
	t.Parallel()
	needServer(t)
	_, err := Start(t.Context(), Options{Settings: map[string]string{"max_connections": "plenty"}})
	require.ErrorContains(t, err, `invalid value for parameter "max_connections": "plenty"`)
}

func TestStartTimeoutBoundsTheStart(t *testing.T) {
	t.Parallel()
	needServer(t)
	_, err := Start(t.Context(), Options{StartTimeout: time.Nanosecond})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestTheContextBoundsTheStart(t *testing.T) {
	t.Parallel()
	needServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Start(ctx, Options{})
	require.ErrorIs(t, err, context.Canceled)
}
