// Pgbouncer has many pools share a few connections of PostgreSQL's: those of a
// service's instances, behind one PgBouncer in transaction mode. It shows what the
// pools and the servers count, what the same load does to a PostgreSQL without a
// pooler, what goes wrong with session state, and a restart under load.
//
//	go run ./examples/pgbouncer
//	PGBOUNCER_URL=postgres://user:password@host:6432/name go run ./examples/pgbouncer
//
// Without PGBOUNCER_URL it starts private servers, if PostgreSQL and PgBouncer are
// installed, and removes them when it ends. Through a PgBouncer of yours it only
// queries: it leaves nothing in the database, and shows neither what goes wrong nor
// a restart. DATABASE_URL is then the same database without PgBouncer, if the
// sessions there are to be counted.
//
// What to copy into a program of one's own is in pool.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

type options struct {
	instances   int
	workers     int
	cores       int
	connections int
	clients     int
	load        time.Duration
}

func parseFlags() (o options) {
	flag.IntVar(&o.instances, "instances", 10, "instances of the service, with a pool each")
	flag.IntVar(&o.workers, "workers", 16, "goroutines of each instance")
	flag.IntVar(&o.cores, "cores", 2, "cores that PostgreSQL works with")
	flag.IntVar(&o.connections, "connections", 10, "connections that PostgreSQL takes: max_connections")
	flag.IntVar(&o.clients, "clients", 120, "connections that PgBouncer takes: max_client_conn")
	flag.DurationVar(&o.load, "load", time.Second, "how long the service is kept busy, with and without PgBouncer")
	flag.Parse()
	return o
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, parseFlags())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "pgbouncer:", err)
		os.Exit(1)
	}
}

// run ends early, and well, when ctx does. Either way it leaves nothing behind.
func run(ctx context.Context, out io.Writer, o options) (err error) {
	if err := o.validate(); err != nil {
		return err
	}
	a := &app{options: o, out: out}
	defer func() { err = errors.Join(err, a.close(ctx)) }()
	if err := a.findServers(ctx); err != nil {
		return unlessStopped(ctx, out, err)
	}
	return unlessStopped(ctx, out, a.tour(ctx))
}

// unlessStopped returns the error of what ctx may have cut short: being stopped
// is none.
func unlessStopped(ctx context.Context, out io.Writer, err error) error {
	if ctx.Err() == nil {
		return err
	}
	fmt.Fprintln(out, "\nStopped early.")
	return nil
}

// tour shows one thing after another.
func (a *app) tour(ctx context.Context) error {
	shows := []func(context.Context) error{a.printSizes, a.compare}
	if a.private != nil {
		shows = append(shows, a.changeSessions, a.nameStatements, a.setForSession, a.surviveRestart)
	}
	for _, show := range shows {
		if err := show(ctx); err != nil {
			return err
		}
	}
	return nil
}
