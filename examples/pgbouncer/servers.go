package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"

	"github.com/connpool/connpool/internal/pgtest"
	"github.com/connpool/connpool/internal/servertest"
)

const (
	bouncerVariable  = "PGBOUNCER_URL"
	databaseVariable = "DATABASE_URL"
)

// servers are the ones that the program is about.
type servers struct {
	bouncerURL  string // of the database through PgBouncer
	consoleURL  string // of PgBouncer's console
	databaseURL string // of the database itself, or empty
	private     *servertest.PgBouncer
	stop        []func() error
}

// findServers finds the user's servers or starts private ones.
func (a *app) findServers(ctx context.Context) error {
	var err error
	if through := os.Getenv(bouncerVariable); through != "" {
		fmt.Fprintf(a.out, "PgBouncer is that of %s.\n", bouncerVariable)
		err = a.servers.use(through)
	} else {
		err = a.startServers(ctx)
	}
	if err != nil {
		return err
	}
	return a.askServers(ctx)
}

// use takes the user's servers.
func (s *servers) use(through string) error {
	console, err := url.Parse(through)
	if err != nil || console.Host == "" {
		return fmt.Errorf("%s is no URL", bouncerVariable) // err has the password in it
	}
	console.Path = "/pgbouncer"
	query := console.Query()
	query.Set("default_query_exec_mode", "simple_protocol")
	console.RawQuery = query.Encode()
	s.bouncerURL, s.consoleURL, s.databaseURL = through, console.String(), os.Getenv(databaseVariable)
	return nil
}

func (a *app) startServers(ctx context.Context) error {
	postgres, err := a.startPostgres(ctx)
	if err != nil {
		return err
	}
	a.stop = append(a.stop, postgres.Stop)
	bouncer, err := servertest.StartPgBouncer(ctx, postgres.DSN(), servertest.PgBouncerOptions{Settings: map[string]string{
		"pool_mode":               "transaction",
		"default_pool_size":       strconv.Itoa(a.serverConns()),
		"max_client_conn":         strconv.Itoa(a.clients),
		"max_prepared_statements": "100", // where it is known

		// When PostgreSQL has restarted, it is tried again after a second, not 15.
		"server_login_retry": "1",
	}})
	if err != nil {
		return notFound(err)
	}
	a.stop = append(a.stop, bouncer.Stop)
	a.bouncerURL, a.consoleURL, a.databaseURL, a.private = bouncer.DSN(), bouncer.ConsoleDSN(), postgres.DSN(), bouncer
	fmt.Fprintf(a.out, "A private PostgreSQL server listens on %s.\n", postgres.Addr())
	fmt.Fprintf(a.out, "A private PgBouncer in front of it listens on %s.\n", bouncer.Addr())
	return nil
}

// startPostgres starts a server that does not take many connections.
func (a *app) startPostgres(ctx context.Context) (*pgtest.Server, error) {
	server, err := pgtest.Start(ctx, pgtest.Options{Settings: map[string]string{
		"max_connections":                strconv.Itoa(a.connections),
		"superuser_reserved_connections": "0",
	}})
	return server, notFound(err)
}

// notFound adds what to do where a server cannot be started.
func notFound(err error) error {
	if errors.Is(err, pgtest.ErrNotInstalled) || errors.Is(err, servertest.ErrNotInstalled) {
		return fmt.Errorf("set %s to a PgBouncer of yours, or let this program start one: %w", bouncerVariable, err)
	}
	return err
}
