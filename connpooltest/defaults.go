package connpooltest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"reflect"
	"time"

	"github.com/connpool/connpool"
)

// withDefaults returns the Config with the callbacks and time-outs that the pool
// would use for those that are not set.
func withDefaults[T any](cfg connpool.Config[T]) connpool.Config[T] {
	if cfg.Close == nil {
		cfg.Close = closeOf[T]()
	}
	if cfg.Alive == nil && has[T, interface{ IsClosed() bool }]() {
		cfg.Alive = aliveByIsClosed[T]
	}
	if cfg.Check == nil && has[T, interface{ Ping(context.Context) error }]() {
		cfg.Check = func(ctx context.Context, conn T) error {
			return any(conn).(interface{ Ping(context.Context) error }).Ping(ctx)
		}
	}
	cfg.ConnectTimeout = bounded(cfg.ConnectTimeout, 10*time.Second)
	cfg.CheckTimeout = bounded(cfg.CheckTimeout, 5*time.Second)
	cfg.CloseTimeout = bounded(cfg.CloseTimeout, 5*time.Second)
	return cfg
}

// noLimit is how long a callback is waited for whose time-out is off.
const noLimit = time.Minute

func bounded(timeout, byDefault time.Duration) time.Duration {
	switch {
	case timeout == 0:
		return byDefault
	case timeout < 0:
		return noLimit
	}
	return timeout
}

// has reports whether T has the methods of Methods: what a T holds, if it is an
// interface, does not matter, as it does not to the pool.
func has[T, Methods any]() bool {
	return reflect.TypeFor[T]().Implements(reflect.TypeFor[Methods]())
}

func closeOf[T any]() func(context.Context, T) error {
	type withContext interface{ Close(context.Context) error }
	type bare interface{ Close() }
	switch {
	case has[T, io.Closer]():
		return func(_ context.Context, conn T) error { return any(conn).(io.Closer).Close() }
	case has[T, withContext]():
		return func(ctx context.Context, conn T) error { return any(conn).(withContext).Close(ctx) }
	case has[T, bare]():
		return func(_ context.Context, conn T) error { any(conn).(bare).Close(); return nil }
	}
	return nil
}

func aliveByIsClosed[T any](conn T) error {
	if any(conn).(interface{ IsClosed() bool }).IsClosed() {
		return connpool.ErrBadConn
	}
	return nil
}

// refusal returns what New says of the Config. No connection is opened for it.
func refusal[T any](cfg connpool.Config[T]) error {
	if cfg.Connect != nil {
		cfg.Connect = func(context.Context) (none T, err error) { return none, errNotNow }
	}
	cfg.Logger, cfg.Trace = slog.New(slog.DiscardHandler), nil
	pool, err := connpool.New(cfg)
	if err != nil {
		return err
	}
	return pool.Shutdown(context.Background())
}

var errNotNow = errors.New("connpooltest: the pool is not meant to be used")
