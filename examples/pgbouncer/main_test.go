package main

import (
	"bytes"
	"context"
	"net"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/connpool/connpool/internal/pgtest"
	"github.com/connpool/connpool/internal/servertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// PostgreSQL has one connection less for the pools than there are instances, and
// as many as PgBouncer needs.
var quick = options{instances: 6, workers: 8, cores: 1, connections: 6, clients: 40, load: 200 * time.Millisecond}

// needServers skips the test where a server cannot be had.
func needServers(t *testing.T) (postgres *pgtest.Server, bouncer *servertest.PgBouncer) {
	t.Helper()
	if testing.Short() {
		t.Skip("servers under load take seconds")
	}
	postgres = pgtest.New(t, pgtest.Options{})
	bouncer = servertest.NewPgBouncer(t, postgres.DSN(), servertest.PgBouncerOptions{Settings: map[string]string{
		"pool_mode":         "transaction",
		"default_pool_size": "2",
	}})
	return postgres, bouncer
}

func TestBehindPgBouncerEveryoneIsServedOnFewSessions(t *testing.T) {
	needServers(t)
	t.Setenv(bouncerVariable, "")
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, quick))
	for _, want := range []string{
		`instances that never had one +[1-9]\d* +0\n`,
		`dials refused +[1-9]\d* +0\n`,
		`requests answered +[1-9]\d* +[1-9]\d*\n`,
		`for want of a connection +[1-9]\d* +0\n`,
		`requests failed otherwise +0 +0\n`,
		`sessions on PostgreSQL, at most +\d +[12]\n`,
		`too many clients already`,
		`SHOW POOLS +at most \d+ clients, \d+ of them waiting for one of [12] server`,
		`pool.go: the same query on 2 connections, 0 failed`,
		`SET statement_timeout = '20ms': .* fails: ERROR: canceling statement`,
		`SET LOCAL, in a transaction: .* succeeds`,
		`Requests: [1-9]\d* answered, \d+ failed under way, 0 for want of a connection`,
	} {
		require.Regexp(t, want, out.String())
	}
}

// Both ends of PgBouncer's connections name the same processes.
func TestBothEndsCountTheSameSessions(t *testing.T) {
	postgres, bouncer := needServers(t)
	t.Setenv(bouncerVariable, bouncer.DSN())
	t.Setenv(databaseVariable, postgres.DSN())
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, quick))
	ends := regexp.MustCompile(`processes (\[.+\])\n.*activity: (\[.+\])\n`).FindStringSubmatch(out.String())
	require.Len(t, ends, 3, out.String())
	require.Equal(t, ends[1], ends[2])
}

// The statements of pgx's default mode fail where they are not tracked, on all
// connections but for as many as there are sessions.
func TestNamedStatementsFailUnlessTheyAreTracked(t *testing.T) {
	needServers(t)
	t.Setenv(bouncerVariable, "")
	o := quick
	o.clients = 80
	a := &app{options: o, out: &bytes.Buffer{}}
	t.Cleanup(func() { require.NoError(t, a.close(context.Background())) })
	require.NoError(t, a.findServers(t.Context()))
	failed, err := a.queryOnEach(t.Context(), a.openDefault)
	require.NoError(t, err)
	if a.tracked {
		require.Empty(t, failed)
	} else {
		require.GreaterOrEqual(t, len(failed), a.poolSize()-a.serverConns())
		require.ErrorContains(t, failed[0], "prepared statement")
	}
	failed, err = a.queryOnEach(t.Context(), a.openPooled)
	require.NoError(t, err)
	require.Empty(t, failed)
}

func TestAUsersPgBouncerIsOnlyQueried(t *testing.T) {
	_, bouncer := needServers(t)
	t.Setenv(bouncerVariable, bouncer.DSN())
	t.Setenv(databaseVariable, "")
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, quick))
	require.Regexp(t, `for want of a connection +0\n`, out.String())
	require.Contains(t, out.String(), "SHOW SERVERS")
	for _, private := range []string{"listens on", "PostgreSQL alone", "SET", "killed", "pg_stat_activity"} {
		require.NotContains(t, out.String(), private)
	}
}

// A database without PgBouncer has no console either, and serves as well.
func TestAConsoleThatIsClosedIsNoObstacle(t *testing.T) {
	postgres, _ := needServers(t)
	t.Setenv(bouncerVariable, postgres.DSN())
	t.Setenv(databaseVariable, "")
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, quick))
	require.Contains(t, out.String(), "Its console is not for us")
	require.Regexp(t, `for want of a connection +0\n`, out.String())
	require.NotContains(t, out.String(), "SHOW")
}

func TestAPasswordInAURLIsNotPrinted(t *testing.T) {
	for _, bad := range []string{"postgres://me:secret@host:not a port/x", "host=somewhere password=secret"} {
		t.Setenv(bouncerVariable, bad)
		err := run(t.Context(), &bytes.Buffer{}, quick)
		require.ErrorContains(t, err, bouncerVariable)
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestSizesThatCannotWorkAreRefused(t *testing.T) {
	for flag, spoil := range map[string]func(*options){
		"-instances":   func(o *options) { o.instances = 0 },
		"-workers":     func(o *options) { o.workers = 0 },
		"-cores":       func(o *options) { o.cores = 0 },
		"-clients":     func(o *options) { o.clients = 27 },
		"-connections": func(o *options) { o.connections = 4 },
	} {
		o := quick
		spoil(&o)
		require.ErrorContains(t, run(t.Context(), &bytes.Buffer{}, o), flag)
	}
	require.NoError(t, quick.validate())
}

// Being stopped is no error, whenever it happens, and leaves no server behind.
func TestItCanBeStoppedAtAnyTime(t *testing.T) {
	needServers(t)
	t.Setenv(bouncerVariable, "")
	for _, when := range []string{"PgBouncer in front of it", "busy for", "SET, and", "is killed"} {
		t.Run(when, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			out := stopper{when: when, stop: stop}
			require.NoError(t, run(ctx, &out, quick))
			require.Contains(t, out.String(), "Stopped early.")
			for _, listens := range regexp.MustCompile(`listens on (\S+)\.\n`).FindAllStringSubmatch(out.String(), -1) {
				_, err := net.Dial("tcp", listens[1])
				require.ErrorIs(t, err, syscall.ECONNREFUSED)
			}
		})
	}
}

// stopper stops the program once it has printed a text.
type stopper struct {
	bytes.Buffer
	when string
	stop func()
}

func (s *stopper) Write(text []byte) (int, error) {
	if strings.Contains(string(text), s.when) {
		s.stop()
	}
	return s.Buffer.Write(text)
}
