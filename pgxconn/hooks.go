package pgxconn

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/connpool/connpool"
)

// verdict takes what PrepareConn says from the pool, which knows no connection
// that is good while its acquire has failed, to whoever called Acquire. It
// travels in the context, which PrepareConn gets without it: what that acquires
// with the context is another's affair.
type verdict struct {
	ctx context.Context
	err error
}

type verdictKey struct{}

// lend acquires a connection.
func (p *Pool) lend(ctx context.Context) (connpool.Lease[*pgx.Conn], error) {
	if !p.config.prepares() {
		return p.pool.Acquire(ctx)
	}
	v := verdict{ctx: ctx}
	lease, err := p.pool.Acquire(context.WithValue(ctx, verdictKey{}, &v))
	if v.err == nil {
		return lease, err
	}
	lease.Release() // does nothing if there is none: it has been destroyed
	return connpool.Lease[*pgx.Conn]{}, v.err
}

var errPrepare = errors.New("pgxconn: PrepareConn has returned false")

// prepare is PrepareConn in the pool's words. Whatever error it returns is in the
// verdict, lest the pool takes a connpool.ErrBadConn for a wish to try another.
// Without a verdict to fill in, which only acquires through a Pool bring, an error
// destroys the connection.
func (c *Config) prepare(ctx context.Context, conn *pgx.Conn) error {
	v, awaited := ctx.Value(verdictKey{}).(*verdict)
	if !awaited {
		v = &verdict{ctx: ctx}
	}
	if !c.answers(v.ctx, conn) {
		return connpool.ErrBadConn
	}
	var ok bool
	ok, v.err = c.prepareConn(v.ctx, conn)
	switch {
	case v.err == nil && !ok:
		return connpool.ErrBadConn
	case v.err == nil || ok && awaited:
		return nil
	case awaited:
		return errPrepare
	}
	return v.err
}

func (c *Config) prepares() bool {
	return c.PrepareConn != nil || c.BeforeAcquire != nil || c.ShouldPing != nil
}

// prepareConn is PrepareConn, or BeforeAcquire.
func (c *Config) prepareConn(ctx context.Context, conn *pgx.Conn) (bool, error) {
	switch {
	case c.PrepareConn != nil:
		return c.PrepareConn(ctx, conn)
	case c.BeforeAcquire != nil:
		return c.BeforeAcquire(ctx, conn), nil
	}
	return true, nil
}

// answers pings a connection if ShouldPing says so.
func (c *Config) answers(ctx context.Context, conn *pgx.Conn) bool {
	if c.ShouldPing == nil {
		return true
	}
	params := ShouldPingParams{Conn: conn}
	if last := seen(conn); last != nil {
		params.IdleDuration = max(0, time.Since(last.returned))
	}
	if !c.ShouldPing(ctx, params) {
		return true
	}
	if c.PingTimeout >= 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, cmp.Or(c.PingTimeout, defaultPingTimeout))
		defer cancel()
	}
	return check(ctx, conn) == nil
}

var errAfterRelease = errors.New("pgxconn: AfterRelease has returned false")

// reset is AfterRelease and Reset.
func (c *Config) reset(ctx context.Context, conn *pgx.Conn) error {
	if c.AfterRelease != nil && !c.AfterRelease(conn) {
		return errAfterRelease
	}
	if c.Reset == nil {
		return nil
	}
	return c.Reset(ctx, conn)
}
