package rival

import (
	"context"

	"github.com/gomodule/redigo/redis"
)

func redigoRival() Rival {
	const module = "github.com/gomodule/redigo"
	return Rival{
		Name:    "redigo",
		Version: version(module),
		Kind:    Fair,
		Note: "Pool.GetContext with Wait, and Conn.Close, over a redis.Conn that does nothing. On each return redigo sends " +
			"an empty command to collect replies; here that is one call of a function that returns at once.",
		Bounded: true,
		New:     newRedigo,
	}
}

type redigoPool struct{ pool *redis.Pool }

func newRedigo(s Setup) (Pool, error) {
	o := opener{dial: s.Dial}
	return redigoPool{&redis.Pool{
		DialContext: func(ctx context.Context) (redis.Conn, error) {
			conn, err := o.open(ctx)
			if err != nil {
				return nil, err
			}
			return redigoConn{conn}, nil
		},
		MaxActive: s.Max,
		MaxIdle:   s.Max,
		Wait:      true,
	}}, nil
}

func (p redigoPool) Cycle(ctx context.Context, n int) error {
	for range n {
		conn, err := p.pool.GetContext(ctx)
		if err != nil {
			return err
		}
		if err := conn.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (p redigoPool) Use(ctx context.Context, hold func()) error {
	conn, err := p.pool.GetContext(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	hold()
	return nil
}

func (p redigoPool) Waits() uint64 { return uint64(p.pool.Stats().WaitCount) }

func (p redigoPool) Close() { _ = p.pool.Close() }

type redigoConn struct{ *Conn }

func (redigoConn) Close() error                   { return nil }
func (redigoConn) Err() error                     { return nil }
func (redigoConn) Do(string, ...any) (any, error) { return nil, nil }
func (redigoConn) Send(string, ...any) error      { return nil }
func (redigoConn) Flush() error                   { return nil }
func (redigoConn) Receive() (any, error)          { return nil, nil }
