package sqlconn

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

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
	full.Check = ownCtx(cfg.Check, ping)
	full.Prepare = preparing(cfg.Prepare)
	full.Reset = ownCtx(cfg.Reset, nil)
	full.IsBad = judging(cfg.IsBad)
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
	if err != nil || c == nil {
		return nil, err
	}
	return newPooled(c, generation, s.options), nil
}

// closing closes the statements that a connection keeps, and then the connection.
func closing(f waiting) waiting {
	if f == nil {
		f = func(_ context.Context, c driver.Conn) error { return c.Close() }
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
		return isValid(p.Conn)
	}
	return nil
}

func isValid(c driver.Conn) error {
	if v, ok := c.(driver.Validator); ok && !v.IsValid() {
		return errInvalid
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

// judging is cfg's IsBad or the pool's usual one, to which driver.ErrBadConn is
// bad whatever else.
func judging(f func(error) bool) func(error) bool {
	if f == nil {
		f = isBad
	}
	return func(err error) bool { return errors.Is(err, driver.ErrBadConn) || f(err) }
}

// netError is net.Error, without package net.
type netError interface {
	error
	Timeout() bool
	Temporary() bool
}

func isBad(err error) bool {
	var broken netError
	return errors.Is(err, connpool.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.As(err, &broken) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
