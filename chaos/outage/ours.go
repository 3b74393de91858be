package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/pgxconn"
)

// backoffMax bounds the pause between two dials of an outage; backoffMin is where
// it starts.
const backoffMin, backoffMax = 50 * time.Millisecond, time.Second

// ours is this pool, set up as a careful user would whose callers would rather
// wait an outage out than be told of it.
type ours struct {
	*connpool.Pool[*pgx.Conn]
	tape *tape
}

func openOurs(dsn string, t *tape) (subject, error) {
	login, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	login.Tracer = dialTracer{t}
	cfg, err := pgxconn.PoolConfigFrom(login)
	if err != nil {
		return nil, err
	}
	o := &ours{tape: t}
	cfg.Name = "outage"
	cfg.Connect = func(ctx context.Context) (*pgx.Conn, error) { return o.connect(ctx, login) }
	cfg.Check = o.check
	cfg.MaxSize = maxSize
	cfg.ConnectTimeout, cfg.CheckTimeout, cfg.CloseTimeout = connectTimeout, connectTimeout, connectTimeout
	cfg.BackoffMin, cfg.BackoffMax, cfg.DownAfter = backoffMin, backoffMax, -1
	cfg.Logger = slog.New(slog.DiscardHandler)
	o.Pool, err = connpool.New(cfg)
	return o, err
}

func (o *ours) connect(ctx context.Context, login *pgx.ConnConfig) (*pgx.Conn, error) {
	login = login.Copy()
	o.tape.countSocket(login)
	// The time that a dial may take begins with the pool's decision.
	by, _ := ctx.Deadline()
	conn, err := pgx.ConnectConfig(decided(ctx, by.Add(-connectTimeout).Sub(o.tape.epoch)), login)
	if err != nil {
		return nil, err
	}
	o.tape.issue(conn)
	return conn, nil
}

func (o *ours) check(ctx context.Context, conn *pgx.Conn) error {
	if err := conn.Ping(ctx); err != nil {
		return err
	}
	passportOf(conn).proved.Store(int64(o.tape.now()))
	return nil
}

func (o *ours) call(ctx context.Context, c *call) {
	lease, err := o.Acquire(ctx)
	if err != nil {
		c.err = err
		return
	}
	c.got = o.tape.now()
	c.holds(passportOf(lease.Conn()))
	c.server, c.err = ask(ctx, lease.Conn())
	lease.ReleaseErr(broken(c.err))
	o.tape.noteReported(c)
}

// broken says that a server which does not answer is no matter of one caller's
// deadline: the other connections are to be checked.
func broken(err error) error {
	if errors.Is(err, errNoAnswer) {
		return fmt.Errorf("%w: %s", connpool.ErrBadConn, err)
	}
	return err
}

func (o *ours) refused() bool { return o.Stats().ConnectErrors > 0 }

func (o *ours) renew() { o.Retire() }

func (o *ours) close(limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return o.Shutdown(ctx)
}
