package rival

import (
	"context"
	"errors"
	"io"
	"net"
	"reflect"
	"sync"
	"time"
	"unsafe"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

func goRedisRival() Rival {
	const module = "github.com/redis/go-redis/v9"
	return Rival{
		Name:    "go-redis",
		Version: version(module),
		Kind:    Fair,
		Note: "Get and Put of the pool inside a redis.Client, which no command of the client can be without; the client itself has " +
			"no call that borrows and sends nothing, so its pool is taken out by reflection. Its net.Conn is not a socket, so the " +
			"peek at the socket that each borrow ends with, a system call, is not paid. PoolTimeout is out of reach.",
		Bounded: true,
		New:     newGoRedis,
	}
}

// goRedisPool is generic in go-redis's internal connection type, which cannot be
// named but can be inferred.
type goRedisPool[C goRedisConn] struct {
	client *redis.Client
	conns  lender[C]
}

// lender is what is used of go-redis's internal interface of pools.
type lender[C any] interface {
	Get(context.Context) (C, error)
	Put(context.Context, C)
}

// goRedisConn is what is used of go-redis's internal connection.
type goRedisConn interface {
	IsInited() bool
	SetUsable(bool)
	TryAcquire() bool
}

// silence discards what go-redis logs: a line for each failed dial.
var silence = sync.OnceFunc(func() { redis.SetLogger(deafLogger{}) })

type deafLogger struct{}

func (deafLogger) Printf(context.Context, string, ...any) {}

func newGoRedis(s Setup) (Pool, error) {
	silence()
	o := opener{dial: s.Dial}
	client := redis.NewClient(&redis.Options{
		Dialer: func(ctx context.Context, _, _ string) (net.Conn, error) {
			if _, err := o.open(ctx); err != nil {
				return nil, err
			}
			return deafConn{}, nil
		},
		PoolSize:     s.Max,
		MinIdleConns: s.Min,
		PoolTimeout:  long,
		// Lifetimes are left alone. This one would need a server to talk to:
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	return poolInside(client, (*maintnotifications.PoolHook).IsHandoffPending)
}

// poolInside finds the pool of a client. The method is only there to infer C from.
func poolInside[C goRedisConn](client *redis.Client, _ func(*maintnotifications.PoolHook, C) bool) (Pool, error) {
	field := reflect.ValueOf(client).Elem().FieldByName("baseClient").Elem().FieldByName("connPool")
	if !field.IsValid() {
		return nil, errors.Join(errNotInside, client.Close())
	}
	conns, ok := reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem().Interface().(lender[C])
	if !ok {
		return nil, errors.Join(errNotInside, client.Close())
	}
	return goRedisPool[C]{client, conns}, nil
}

var errNotInside = errors.New("rival: this version of go-redis keeps its pool elsewhere")

// borrow is what the client does, without the handshake on a new connection.
func (p goRedisPool[C]) borrow(ctx context.Context) (C, error) {
	conn, err := p.conns.Get(ctx)
	if err == nil && !conn.IsInited() {
		conn.SetUsable(true)
		conn.TryAcquire()
	}
	return conn, err
}

func (p goRedisPool[C]) Cycle(ctx context.Context, n int) error {
	for range n {
		conn, err := p.borrow(ctx)
		if err != nil {
			return err
		}
		p.conns.Put(ctx, conn)
	}
	return nil
}

func (p goRedisPool[C]) Use(ctx context.Context, hold func()) error {
	conn, err := p.borrow(ctx)
	if err != nil {
		return err
	}
	defer p.conns.Put(ctx, conn)
	hold()
	return nil
}

func (p goRedisPool[C]) Waits() uint64 { return uint64(p.client.PoolStats().WaitCount) }

func (p goRedisPool[C]) Close() { _ = p.client.Close() }

// deafConn is a net.Conn that does nothing.
type deafConn struct{}

func (deafConn) Read([]byte) (int, error)         { return 0, io.EOF }
func (deafConn) Write(b []byte) (int, error)      { return len(b), nil }
func (deafConn) Close() error                     { return nil }
func (deafConn) LocalAddr() net.Addr              { return &net.UnixAddr{Name: "deaf", Net: "unix"} }
func (deafConn) RemoteAddr() net.Addr             { return &net.UnixAddr{Name: "deaf", Net: "unix"} }
func (deafConn) SetDeadline(time.Time) error      { return nil }
func (deafConn) SetReadDeadline(time.Time) error  { return nil }
func (deafConn) SetWriteDeadline(time.Time) error { return nil }
