package sqlconn

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/connpool/connpool"
)

type (
	config  = connpool.Config[driver.Conn]
	inline  = func(driver.Conn) error
	waiting = func(context.Context, driver.Conn) error
)

// fill returns the pool's configuration: cfg, with the driver's own ways of
// telling a connection's state where cfg has none. The callbacks that cfg has get
// the driver's own connection.
func (s *source) fill(cfg config) config {
	full := cfg
	full.Connect = s.dial
	full.Close = closing(cfg.Close)
	full.Alive = own(cfg.Alive, nil)
	if cfg.Alive == nil {
		full.Alive = stillValid
	}
	full.Clean = own(cfg.Clean, nil)
	if cfg.Clean == nil {
		full.Clean = func(c driver.Conn) error { return c.(*pooled).valid() }
	}
	full.Check = ownCtx(cfg.Check, ping)
	full.Prepare = preparing(cfg.Prepare)
	full.Reset = ownCtx(cfg.Reset, nil)
	full.IsBad = s.judging(cfg.IsBad)
	s.isBad = asking(cfg.IsBad)
	return full
}

// own returns f, or the other if f is nil, as a callback of the pool's.
func own(f, otherwise inline) inline {
	if f == nil {
		f = otherwise
	}
	if f == nil {
		return nil
	}
	return func(c driver.Conn) error { return f(c.(*pooled).Conn) }
}

func ownCtx(f, otherwise waiting) waiting {
	if f == nil {
		f = otherwise
	}
	if f == nil {
		return nil
	}
	return func(ctx context.Context, c driver.Conn) error { return f(ctx, c.(*pooled).Conn) }
}

func (s *source) dial(ctx context.Context) (driver.Conn, error) {
	generation := s.generation.Load() // before the dial: it may be of the old lot
	c, err := s.Connector.Connect(ctx)
	switch {
	case err != nil && misconfigured(err):
		return nil, connpool.Permanent(&configError{err})
	case err != nil || c == nil:
		return nil, err
	}
	p := newPooled(c, generation, s.options)
	s.tells.Store(p.tells())
	return p, nil
}

// closing closes the statements that a connection keeps, and then the connection.
func closing(f waiting) waiting {
	if f == nil {
		f = closeConn
	}
	return func(ctx context.Context, c driver.Conn) (err error) {
		p := c.(*pooled)
		defer func() { err = errors.Join(err, f(ctx, p.Conn)) }() // also if closing a statement panics
		return p.kept.close()
	}
}

var errInvalid = fmt.Errorf("%w: the driver says that it is not valid", connpool.ErrBadConn)

// stillValid is the default Alive. What has just been opened is not asked, as
// database/sql does not ask it either.
func stillValid(c driver.Conn) error {
	if p := c.(*pooled); p.lent {
		return p.valid()
	}
	return nil
}

// ping is the default Check. A driver without a Ping cannot be asked.
func ping(ctx context.Context, c driver.Conn) error {
	if p, ok := c.(driver.Pinger); ok {
		return p.Ping(ctx)
	}
	return nil
}

// preparing resets the session of a connection that has been lent before, as
// database/sql does it: when it is next used. Whatever goes wrong, the connection
// is destroyed, and the borrower gets another, or its context's error.
func preparing(f waiting) waiting {
	return func(ctx context.Context, c driver.Conn) error {
		p := c.(*pooled)
		if err := p.renew(ctx); err != nil {
			return fmt.Errorf("%w: resetting the session: %w", connpool.ErrBadConn, err)
		}
		if f == nil {
			return nil
		}
		err := f(ctx, p.Conn)
		if errors.Is(err, driver.ErrBadConn) {
			return fmt.Errorf("%w: %w", connpool.ErrBadConn, err)
		}
		return err
	}
}

// judging returns the pool's IsBad, which is for leases that are taken from the
// pool. By default, of a driver that tells a connection's state, only what says so
// is bad: the rest the driver has to tell when the connection comes back.
func (s *source) judging(f func(error) bool) func(error) bool {
	if f == nil {
		f = func(err error) bool {
			return errors.Is(err, connpool.ErrBadConn) ||
				!s.tells.Load() && connpool.DefaultIsBad(err)
		}
	}
	return func(err error) bool { return errors.Is(err, driver.ErrBadConn) || f(err) }
}

// asking returns how an error is judged that a call of the driver's has returned:
// by cfg's IsBad, or by the driver, if it tells, or else by its type.
func asking(f func(error) bool) func(*pooled, error) bool {
	if f != nil {
		return func(_ *pooled, err error) bool { return f(err) }
	}
	return func(p *pooled, err error) bool {
		return connpool.DefaultIsBad(err) && !isContextErr(err) && (!p.tells() || p.valid() != nil)
	}
}

func isContextErr(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
