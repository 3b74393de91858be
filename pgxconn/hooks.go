package pgxconn

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/connpool/connpool"
)

// verdict takes what PrepareConn says from the pool, which knows no connection
// that is good while its acquire has failed, to whoever called Acquire. It
// travels in the context.
type verdict struct{ err error }

type verdictKey struct{}

// lend acquires a connection.
func (p *Pool) lend(ctx context.Context) (connpool.Lease[*pgx.Conn], error) {
	if p.config.PrepareConn == nil {
		return p.pool.Acquire(ctx)
	}
	var v verdict
	lease, err := p.pool.Acquire(context.WithValue(ctx, verdictKey{}, &v))
	if v.err == nil {
		return lease, err
	}
	lease.Release() // does nothing if there is none: it has been destroyed
	return connpool.Lease[*pgx.Conn]{}, v.err
}

// prepare is PrepareConn in the pool's words. Without a verdict to fill in, which
// only acquires through a Pool bring, an error destroys the connection.
func (c *Config) prepare(ctx context.Context, conn *pgx.Conn) error {
	ok, err := c.PrepareConn(ctx, conn)
	v, awaited := ctx.Value(verdictKey{}).(*verdict)
	if awaited {
		v.err = err
	}
	switch {
	case ok && (err == nil || awaited):
		return nil
	case err == nil:
		return connpool.ErrBadConn
	}
	return err
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
