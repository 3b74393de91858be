package pgxconn_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestAHookIsWhatItIsWithPgxpool(t *testing.T) {
	tellBothHooked(t, []story{
		{"BeforeConnect may change how each connection is opened", func(p *twin) {
			var n atomic.Int64
			p.open(hooks{beforeConnect: func(_ context.Context, c *pgx.ConnConfig) error {
				if n.Add(1) == 1 {
					c.RuntimeParams["application_name"] = "the first"
				}
				return nil
			}})
			a := p.one()
			b := p.one()
			p.note(ask[string](p, a, "show application_name"), ask[string](p, b, "show application_name"))
			a.Release()
			b.Release()
		}},
		{"BeforeConnect may refuse", func(p *twin) {
			p.open(hooks{beforeConnect: func(context.Context, *pgx.ConnConfig) error { return errWork }})
			_, err := p.acquire(p.ctx)
			require.ErrorIs(p, err, errWork)
			p.gone()
		}},
		{"AfterConnect is there before everybody", func(p *twin) {
			p.open(hooks{afterConnect: func(ctx context.Context, c *pgx.Conn) error {
				_, err := c.Exec(ctx, "set application_name = 'met'")
				return err
			}})
			for range 3 {
				p.note(ask[string](p, p, "show application_name"))
			}
			p.back()
		}},
		{"AfterConnect may refuse", func(p *twin) {
			p.open(hooks{afterConnect: func(context.Context, *pgx.Conn) error { return errWork }})
			_, err := p.acquire(p.ctx)
			require.ErrorIs(p, err, errWork)
			p.gone()
		}},
		{"PrepareConn lends with true and nil, and gets the caller's context", func(p *twin) {
			type key struct{}
			ctx := context.WithValue(p.ctx, key{}, "the caller's")
			p.open(hooks{prepare: func(given context.Context, c *pgx.Conn) (bool, error) {
				p.note("prepare", given == ctx, given.Value(key{}), ask[int](p, c, "select 1"))
				return true, nil
			}})
			for range 2 {
				_, err := p.Exec(ctx, "select 1")
				p.must(err)
				p.back()
			}
		}},
		{"PrepareConn gives back with true and an error", func(p *twin) {
			refuse := true
			p.open(hooks{prepare: func(context.Context, *pgx.Conn) (bool, error) {
				if refuse {
					return true, errWork
				}
				return true, nil
			}})
			for name, err := range everything(p, p.ctx) {
				require.Equal(p, errWork, err, name)
				p.back()
			}
			refuse = false
			p.must(p.Ping(p.ctx))
			p.back()
		}},
		{"PrepareConn destroys with false and an error", func(p *twin) {
			p.open(hooks{prepare: func(context.Context, *pgx.Conn) (bool, error) { return false, errWork }})
			for name, err := range everything(p, p.ctx) {
				require.Equal(p, errWork, err, name)
				p.gone()
			}
		}},
		{"PrepareConn has another tried with false and nil", func(p *twin) {
			var met []uint32
			p.open(hooks{prepare: func(_ context.Context, c *pgx.Conn) (bool, error) {
				met = append(met, c.PgConn().PID())
				return len(met) == 3, nil
			}})
			c := p.one()
			require.Len(p, met, 3)
			require.NotEqual(p, met[0], met[1])
			require.Equal(p, met[2], c.Conn().PgConn().PID())
			c.Release()
			require.EqualValues(p, 3, p.stat().NewConnsCount())
		}},
		{"PrepareConn is asked of one more connection than there may be", func(p *twin) {
			asked := 0
			p.open(hooks{prepare: func(context.Context, *pgx.Conn) (bool, error) { asked++; return false, nil }})
			_, err := p.acquire(p.ctx)
			require.Error(p, err)
			require.Equal(p, twinSize+1, asked)
			p.gone()
		}},
		{"PrepareConn is asked of all that are idle, and those that it does not want are destroyed", func(p *twin) {
			answers := map[uint32]func() (bool, error){}
			p.open(hooks{prepare: func(_ context.Context, c *pgx.Conn) (bool, error) {
				if answer := answers[c.PgConn().PID()]; answer != nil {
					return answer()
				}
				return true, nil
			}})
			for _, answer := range []func() (bool, error){
				func() (bool, error) { return true, errWork },
				func() (bool, error) { return false, errWork },
				func() (bool, error) { return false, nil },
			} {
				a, b := p.one(), p.one()
				unwanted, kept := a.Conn().PgConn().PID(), b.Conn().PgConn().PID()
				answers[unwanted] = answer
				a.Release()
				b.Release()
				all := p.acquireIdle(p.ctx)
				require.Len(p, all, 1)
				require.Equal(p, kept, all[0].Conn().PgConn().PID())
				await(p, func() bool { return !p.watcher.sees(unwanted) })
				all[0].Release()
			}
		}},
		{"AfterRelease keeps with true, and may make round trips", func(p *twin) {
			released := make(chan int, 10)
			p.open(hooks{afterRelease: func(c *pgx.Conn) bool {
				released <- ask[int](p, c, "select 1")
				return true
			}})
			for range 3 {
				p.must(p.Ping(p.ctx))
				p.note(<-released)
				await(p, func() bool { return p.stat().IdleConns() == 1 })
			}
			p.back()
		}},
		{"AfterRelease destroys with false", func(p *twin) {
			p.open(hooks{afterRelease: func(*pgx.Conn) bool { return false }})
			for n := range 3 {
				p.must(p.Ping(p.ctx))
				p.gone()
				require.EqualValues(p, n+1, p.stat().NewConnsCount())
			}
		}},
		{"AfterRelease is not asked of what is not fit to be lent again", func(p *twin) {
			var asked atomic.Int64
			p.open(hooks{afterRelease: func(*pgx.Conn) bool { asked.Add(1); return true }})
			p.spoil(func(c conn) { _, _ = c.Begin(p.ctx) })
			await(p, func() bool { return p.stat().IdleConns() == 1 })
			require.EqualValues(p, 1, asked.Load(), "of the one that was fit")
		}},
		{"BeforeClose is called once for each connection, which is usable yet", func(p *twin) {
			var closed atomic.Int64
			p.open(hooks{beforeClose: func(c *pgx.Conn) { closed.Add(int64(ask[int](p, c, "select 1"))) }})
			a, b := p.one(), p.one()
			a.Release()
			b.Release()
			p.Reset()
			await(p, func() bool { return closed.Load() == 2 })
			p.must(p.Ping(p.ctx))
			p.Close()
			require.EqualValues(p, 3, closed.Load())
		}},
		{"BeforeClose is not called for a connection that was hijacked", func(p *twin) {
			p.open(hooks{beforeClose: func(*pgx.Conn) { panic("it was called") }})
			own := p.one().Hijack()
			p.must(own.Close(p.ctx))
			p.gone()
			p.Close()
		}},
	})
}
