package pgxconn

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/connpool/connpool"
)

// Pool is a pool of PostgreSQL connections with pgxpool's methods. It is safe
// for concurrent use.
type Pool struct {
	pool          *connpool.Pool[*pgx.Conn]
	config        *Config
	logger        *slog.Logger
	acquireTracer AcquireTracer // or nil
	releaseTracer ReleaseTracer // or nil
}

// New returns a pool of connections to the database that a connection string
// leads to; ParseConfig says what may be in it. The context is as in
// NewWithConfig.
func New(ctx context.Context, connString string) (*Pool, error) {
	config, err := ParseConfig(connString)
	if err != nil {
		return nil, err
	}
	return NewWithConfig(ctx, config)
}

// NewWithConfig returns a pool with a configuration that ParseConfig has made,
// of which it keeps a copy. It opens no connection before it is asked for one,
// except to fill MinConns and MinIdleConns in the background: Ping finds out
// whether one can be had.
//
// Of the context only the values are used: BeforeConnect and AfterConnect find
// them where the caller for whom a connection is opened has none by the same key,
// and where it is opened in the background. That the context ends does nothing.
func NewWithConfig(ctx context.Context, config *Config) (*Pool, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	config = config.Copy().own()
	config.values = ctx
	settings := config.settings()
	if config.Tune != nil {
		config.Tune(&settings)
	}
	pool, err := connpool.New(settings)
	if err != nil {
		return nil, fmt.Errorf("pgxconn: %w", err)
	}
	p := &Pool{pool: pool, config: config, logger: settings.Logger}
	p.acquireTracer, _ = config.ConnConfig.Tracer.(AcquireTracer)
	p.releaseTracer, _ = config.ConnConfig.Tracer.(ReleaseTracer)
	return p, nil
}

// Connpool returns the pool below, for its Stats, Holders, Resize, Pause, Warm,
// Shutdown and so on. Acquires and closes that go past p are not traced by its
// tracers.
func (p *Pool) Connpool() *connpool.Pool[*pgx.Conn] { return p.pool }

// Config returns a copy of the configuration.
func (p *Pool) Config() *Config { return p.config.Copy() }

// Acquire returns a connection, which must be given back by Release. Those who
// have to wait are served in their order. The error is a *connpool.AcquireError,
// which says who holds the connections, or what PrepareConn has returned.
//
// Without a deadline in ctx it waits for 30 s (connpool.Config.AcquireTimeout).
func (p *Pool) Acquire(ctx context.Context) (*Conn, error) {
	c := &Conn{}
	if err := p.borrow(ctx, c); err != nil {
		return nil, err
	}
	return c, nil
}

// borrow fills in c with a connection.
func (p *Pool) borrow(ctx context.Context, c *Conn) (err error) {
	c.pool = p
	if p.acquireTracer == nil {
		c.lease, err = p.lend(ctx)
		return err
	}
	return p.borrowTraced(ctx, c)
}

// AcquireFunc calls f with a connection, and gives that back. ctx is for the
// acquire alone. The error is that of the acquire, or f's.
func (p *Pool) AcquireFunc(ctx context.Context, f func(*Conn) error) (err error) {
	var c Conn
	if err := p.borrow(ctx, &c); err != nil {
		return err
	}
	defer func() { c.giveBack(c.blame(err)) }()
	return f(&c)
}

// AcquireAllIdle returns all connections that are idle now, unchecked but for a
// look at their sockets, to be released like others. PrepareConn is called for
// them without the values of ctx, and destroys those for which it returns an
// error. It is not traced.
func (p *Pool) AcquireAllIdle(context.Context) []*Conn {
	leases := p.pool.AcquireIdle()
	conns := make([]*Conn, len(leases))
	for i, lease := range leases {
		conns[i] = &Conn{pool: p, lease: lease}
	}
	return conns
}

// Reset replaces all connections: idle ones now, others as they come back. The
// closing goes on in the background: Connpool().Settled waits for it.
func (p *Pool) Reset() { p.pool.Retire() }

// closing is how long Close waits for connections that are in use: as long as
// it takes until they are suspected to be leaked.
const closing = time.Minute

// Close refuses new acquires, wakes those who wait, closes idle connections and
// waits until those in use have come back and been closed, for up to a minute.
// Then it logs a warning that says who holds them; they will be closed as they
// come back. Shutdown of the pool below waits for as long as its context says.
func (p *Pool) Close() { p.close(closing) }

func (p *Pool) close(within time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	if err := p.pool.Shutdown(ctx); err != nil {
		p.log().Warn("pgxconn: closed while connections are in use", "pool", p.pool.Name(), "error", err)
	}
}

func (p *Pool) log() *slog.Logger {
	if p.logger == nil {
		return slog.Default()
	}
	return p.logger
}
