package main

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/connpool/connpool/chaos/proxy"
	"github.com/connpool/connpool/internal/pgtest"
)

// stage is what a scenario plays on: a server or two, what stands between it and
// the pool, and the pool.
type stage struct {
	dsn    string // what the pool dials
	server *pgtest.Server
	other  *pgtest.Server // failover: the one that takes over
	points *points        // failover: what turns the address over
	proxy  *proxy.Proxy   // hole and slowness
	pool   subject
}

// What a proxy does to its connections.
var (
	healthy    = proxy.Fault{}
	swallowing = proxy.Fault{BlackHole: true}
	sluggish   = proxy.Fault{Latency: 75 * time.Millisecond} // each way
)

// names are what the servers call themselves.
const firstName, secondName = "first", "second"

func startServer(ctx context.Context, name string) (*pgtest.Server, error) {
	return pgtest.Start(ctx, pgtest.Options{Settings: map[string]string{"cluster_name": name}})
}

func plainStage(ctx context.Context) (*stage, error) {
	server, err := startServer(ctx, firstName)
	if err != nil {
		return nil, err
	}
	return &stage{server: server, dsn: server.DSN()}, nil
}

func pairStage(ctx context.Context) (_ *stage, err error) {
	s, err := plainStage(ctx)
	if err != nil {
		return nil, err
	}
	if s.other, err = startServer(ctx, secondName); err == nil {
		s.points, err = layPoints(s.server.Addr())
	}
	if err == nil {
		// Both servers have the same password: it comes with the template.
		s.dsn, err = at(s.points.addr(), s.dsn)
	}
	if err != nil {
		s.clear(&err)
	}
	return s, err
}

func proxiedStage(ctx context.Context) (_ *stage, err error) {
	s, err := plainStage(ctx)
	if err != nil {
		return nil, err
	}
	if s.proxy, err = proxy.Start(s.server.Addr()); err == nil {
		s.dsn, err = at(s.proxy.Addr(), s.dsn)
	}
	if err != nil {
		s.clear(&err)
	}
	return s, err
}

// version asks the server for its version.
func (s *stage) version(ctx context.Context) (version string, err error) {
	conn, err := pgx.Connect(ctx, s.server.DSN())
	if err != nil {
		return "", err
	}
	err = conn.QueryRow(ctx, "show server_version").Scan(&version)
	return version, errors.Join(err, conn.Close(ctx))
}

// at is the DSN with another address.
func at(addr, dsn string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", errors.New("a server's DSN cannot be parsed") // without the DSN
	}
	u.Host = addr
	return u.String(), nil
}

// patience bounds the end of what should take milliseconds.
const patience = 30 * time.Second

// clear ends everything on the stage and adds to *err what fails.
func (s *stage) clear(err *error) {
	if s.pool != nil {
		*err = errors.Join(*err, s.pool.close(patience))
	}
	if s.proxy != nil {
		*err = errors.Join(*err, s.proxy.Close())
	}
	if s.points != nil {
		*err = errors.Join(*err, s.points.close())
	}
	for _, server := range []*pgtest.Server{s.server, s.other} {
		if server != nil {
			*err = errors.Join(*err, server.Stop())
		}
	}
}
