package pool

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

type pgxPool struct{ *pgxpool.Pool }

const connKey = "connpool/chaos" // of a session's Conn in its custom data

func connOf(session *pgx.Conn) *Conn {
	c, _ := session.PgConn().CustomData()[connKey].(*Conn)
	return c
}

func openPgxpool(f *Factory) (Pool, error) {
	s := f.setup
	cfg, err := pgxpool.ParseConfig(s.DSN)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = int32(s.Max)
	limitAges(cfg, s)
	f.hook(cfg)
	p, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		return nil, err
	}
	return pgxPool{p}, nil
}

// limitAges leaves the defaults alone where the scenario sets nothing.
func limitAges(cfg *pgxpool.Config, s Setup) {
	if s.Idle > 0 {
		cfg.MaxConnIdleTime = s.Idle
		cfg.HealthCheckPeriod = max(s.Idle/4, time.Millisecond)
	}
	if s.Lifetime > 0 {
		// Its jitter comes on top of the lifetime, ours off it.
		cfg.MaxConnLifetime, cfg.MaxConnLifetimeJitter = s.Lifetime-s.Jitter, s.Jitter
		cfg.HealthCheckPeriod = s.Lifetime / 40
	}
}

func (f *Factory) hook(cfg *pgxpool.Config) {
	s := f.setup
	var begun sync.Map // by a serial number, which travels as the session's name
	var serial atomic.Int64
	cfg.BeforeConnect = func(ctx context.Context, login *pgx.ConnConfig) error {
		c, err := f.begin(ctx)
		name := fmt.Sprint(serial.Add(1))
		begun.Store(name, c)
		login.RuntimeParams["application_name"] = name
		return err
	}
	cfg.AfterConnect = func(_ context.Context, session *pgx.Conn) error {
		c, _ := begun.LoadAndDelete(session.Config().RuntimeParams["application_name"])
		session.PgConn().CustomData()[connKey] = f.made(c.(*Conn))
		return nil
	}
	cfg.BeforeClose = func(session *pgx.Conn) { _ = f.close(connOf(session)) }
	if s.Lend != nil {
		cfg.PrepareConn = func(_ context.Context, session *pgx.Conn) (bool, error) {
			err := s.Lend(connOf(session))
			return err == nil, err
		}
	}
	if s.Return != nil {
		cfg.AfterRelease = func(session *pgx.Conn) bool { return s.Return(connOf(session)) == nil }
	}
}

func (p pgxPool) Acquire(ctx context.Context) (Lease, error) {
	conn, err := p.Pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	return pgxLease{conn}, nil
}

func (p pgxPool) Size() int { return int(p.Stat().TotalConns()) }
func (p pgxPool) Retire()   { p.Reset() }

type pgxLease struct{ lent *pgxpool.Conn }

func (l pgxLease) Conn() (*Conn, error) { return connOf(l.lent.Conn()), nil }
func (l pgxLease) Release()             { l.lent.Release() }

// Discard is how pgxpool is told: a closed session is not taken back. What the
// close says does not matter.
func (l pgxLease) Discard() {
	_ = l.lent.Conn().Close(context.Background())
	l.lent.Release()
}
