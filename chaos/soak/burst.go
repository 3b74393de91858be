package main

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/connpool/connpool"
)

// In a crowd somebody always comes along who wakes a caller that was forgotten.
// So some pools are used by a handful of goroutines for a moment, and then by
// nobody: who sleeps then sleeps for good.

// burstLimit is how long a burst may take whose work takes microseconds.
const burstLimit = 20 * time.Second

// burst runs bursts on a pool of its own until the phase is over.
func (s *soak) burst(ctx context.Context, n int, d dice) {
	k := kit{name: "bursts", size: 1 + n%3, edit: func(c *config, s *source) {
		c.LeakStacks = connpool.StacksNever // captured ones take releases off their fast path
		// With no limit of time the sweep comes once a minute, and does not wake in time
		// whom a release has forgotten.
		c.LeakThreshold, c.IdleTimeout, c.MaxLifetime = -1, -1, -1
		if n%2 == 1 {
			c.Clean = s.clean
		}
	}}
	r, err := k.newRig(s.verdict, d.Uint64(), "")
	if err != nil {
		s.verdict.broken("bursts: %v", err)
		return
	}
	for ctx.Err() == nil && s.burstOnce(r, d) {
	}
	s.retireRig(r)
}

// burstOnce has a few goroutines use the pool a few times, and reports whether
// all was well.
func (s *soak) burstOnce(r *rig, d dice) bool {
	ctx, cancel := context.WithTimeout(context.Background(), burstLimit)
	defer cancel()
	var users sync.WaitGroup
	for range 2 + d.IntN(4) {
		times := 1 + d.IntN(4)
		users.Go(func() {
			for range times {
				s.turn(ctx, r)
			}
		})
	}
	users.Wait()
	stats := r.pool.Stats()
	if stats.InUse != 0 || stats.Waiting != 0 {
		s.verdict.broken("bursts: nobody uses the pool: %+v", stats)
	}
	return ctx.Err() == nil && stats.InUse == 0
}

func (s *soak) turn(ctx context.Context, r *rig) {
	l, err := r.pool.Acquire(ctx)
	if err != nil {
		s.verdict.broken("bursts: a caller slept while a connection was idle: %v", err)
		return
	}
	r.acquired.Add(1)
	r.begin()
	c := l.Conn()
	me := c.claim("a burst")
	runtime.Gosched()
	c.yield(me)
	r.end()
	l.Release()
}

// retireRig shuts the pool of a rig down; everything must be closed then.
func (s *soak) retireRig(r *rig) {
	ctx, cancel := context.WithTimeout(context.Background(), settleLimit)
	defer cancel()
	if err := r.pool.Shutdown(ctx); err != nil {
		s.verdict.broken("%v: %s", err, r.books())
		return
	}
	if _, err := r.pool.Acquire(ctx); !errors.Is(err, connpool.ErrClosed) {
		s.verdict.broken("%s: Acquire on a closed pool: %v", r.name, err)
	}
	await(func() string { return r.unbalanced(0) }, func(why string) { s.verdict.broken("%s: after Shutdown: %s", r.name, why) })
}

// mayfly opens pools and shuts them down in the middle of things.
func (s *soak) mayfly(ctx context.Context, d dice) {
	for ctx.Err() == nil {
		k := kit{name: "mayfly", size: 1 + d.IntN(4), hangs: true, inline: true}
		if d.chance(0.5) {
			k.edit = hooked
		}
		r, err := k.newRig(s.verdict, d.Uint64(), "")
		if err != nil {
			s.verdict.broken("mayfly: %v", err)
			return
		}
		r.source.rates.Store(d.rates(r))
		s.liveBriefly(r, d)
	}
}

func (s *soak) liveBriefly(r *rig, d dice) {
	var users, late sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	for range 8 {
		w := &worker{dice: diceFor(d.Uint64()), rigs: []*rig{r}, verdict: s.verdict, late: &late}
		users.Go(func() {
			for ctx.Err() == nil {
				apart(func() { w.borrow(r) })
			}
		})
	}
	time.Sleep(d.upTo(10 * time.Millisecond))
	if err := r.pool.Close(); err != nil {
		s.verdict.broken("mayfly: Close: %v", err)
	}
	time.Sleep(d.upTo(time.Millisecond)) // some come to a closed pool
	stop()
	users.Wait()
	late.Wait()
	s.retireRig(r)
}
