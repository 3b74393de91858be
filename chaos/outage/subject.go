package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// subject is one of the two pools.
type subject interface {
	// call acquires a connection, queries it, gives it back and writes down how it
	// went.
	call(ctx context.Context, c *call)
	refused() bool             // it knows of a dial that has failed
	renew()                    // Retire, or what comes nearest
	close(time.Duration) error // waits until all connections are closed
}

// What both pools are given alike.
const (
	maxSize        = 10
	connectTimeout = time.Second
	// queryTimeout is more than a hundred times what a query takes: a server that
	// has not answered by then will not.
	queryTimeout = 1500 * time.Millisecond
)

// Both servers know the name that they were started with.
const queryText = "select current_setting('cluster_name') from pg_sleep(0.01)"

// ask queries a connection for the name of its server.
func ask(ctx context.Context, conn *pgx.Conn) (server string, err error) {
	limited, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	err = conn.QueryRow(limited, queryText).Scan(&server)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	return server, err
}

var errNoAnswer = errors.New("the server has not answered in time")

// passport is what we know of a connection; it travels in its CustomData.
type passport struct {
	born   time.Duration
	proved atomic.Int64 // when it was last known to work: dialled, or checked
}

const passportKey = "outage.passport"

func passportOf(conn *pgx.Conn) *passport { return conn.PgConn().CustomData()[passportKey].(*passport) }

// issue gives a new connection its passport.
func (t *tape) issue(conn *pgx.Conn) {
	p := &passport{born: t.now()}
	p.proved.Store(int64(p.born))
	conn.PgConn().CustomData()[passportKey] = p
}

// countSocket has the socket of a connection counted, from its dial to its end.
// Only the first dial of a login is the connection's own: pgx makes another with
// the same function for each request to cancel a query.
func (t *tape) countSocket(login *pgx.ConnConfig) {
	dial := login.DialFunc
	var once sync.Once
	login.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		first := false
		once.Do(func() { first = true })
		if !first {
			return dial(ctx, network, addr)
		}
		t.sockets.add(1)
		conn, err := dial(ctx, network, addr)
		if err != nil {
			t.sockets.add(-1)
			return nil, err
		}
		return &socket{Conn: conn, gone: func() { t.sockets.add(-1) }}, nil
	}
}

// socket tells when it is closed, once.
type socket struct {
	net.Conn
	once sync.Once
	gone func()
}

func (s *socket) Close() error {
	err := s.Conn.Close()
	s.once.Do(s.gone)
	return err
}
