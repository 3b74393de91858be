package main

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// theirs is pgxpool with the same limits and its own defaults for the rest.
type theirs struct {
	*pgxpool.Pool
	tape *tape
}

func openTheirs(dsn string, t *tape) (subject, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = maxSize
	cfg.ConnConfig.ConnectTimeout = connectTimeout
	cfg.PingTimeout = connectTimeout
	cfg.ConnConfig.Tracer = dialTracer{t}
	cfg.BeforeConnect = func(_ context.Context, login *pgx.ConnConfig) error {
		t.countSocket(login)
		return nil
	}
	cfg.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		t.issue(conn)
		return nil
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	return &theirs{pool, t}, err
}

func (p *theirs) call(ctx context.Context, c *call) {
	conn, err := p.Acquire(ctx)
	if err != nil {
		c.err = err
		return
	}
	c.got = p.tape.now()
	c.holds(passportOf(conn.Conn()))
	c.server, c.err = ask(ctx, conn.Conn())
	conn.Release() // it looks at the connection, and takes no error
	p.tape.noteReported(c)
}

// refused goes by the dials: pgxpool does not tell of errors.
func (p *theirs) refused() bool { return p.tape.dialFailed() }

func (p *theirs) renew() { p.Reset() }

var errStuck = errors.New("pgxpool's Close does not return")

func (p *theirs) close(limit time.Duration) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Close()
	}()
	select {
	case <-done:
		return nil
	case <-time.After(limit):
		return errStuck
	}
}
