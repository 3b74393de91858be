package main

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/connpool/connpool"
)

// source makes one pool's connections, badly if it is told to, and keeps the
// books.
type source struct {
	name    string
	verdict *verdict
	dice    sharedDice
	rates   atomic.Pointer[rates]
	addr    string // of the echo server; empty: no sockets

	// With strict, no callback overstays its time, so that what we count is what
	// the pool counts: never more than the ceiling.
	strict  bool
	ceiling atomic.Int64

	slots                    atomic.Int64 // from the start of a dial to its failure or the end of the connection
	dials                    atomic.Uint64
	generation               atomic.Uint64 // goes up before each Retire
	opened, closed, hijacked atomic.Int64
}

// rates are how often what goes wrong.
type rates struct {
	fail, hang, slow, panics, goexit, null float64
	check, inline, die                     float64
}

// calm is when nothing goes wrong.
var calm = new(rates)

var (
	errRefused  = errors.New("injected: refused")
	errUnwell   = errors.New("injected: the connection is not well")
	errHarmless = errors.New("injected: an error that says nothing about the connection")
)

// injected is what panicking callbacks panic with.
type injected struct{}

// overstay is longer than any of the time-outs of pools whose callbacks hang.
const overstay, short = 120 * time.Millisecond, 50 * time.Millisecond

func (s *source) connect(ctx context.Context) (*conn, error) {
	s.dials.Add(1)
	generation := s.generation.Load()
	s.enter()
	opened := false
	defer func() {
		if !opened {
			s.slots.Add(-1)
		}
	}()
	r := s.rates.Load()
	if err := s.stumble(ctx, r); err != nil {
		return nil, err
	}
	switch {
	case s.dice.chance(r.fail):
		return nil, errRefused
	case s.dice.chance(r.null):
		return nil, nil
	}
	c := &conn{source: s, age: generation}
	if s.addr != "" {
		var err error
		if c.socket, err = new(net.Dialer).DialContext(ctx, "tcp", s.addr); err != nil {
			return nil, err
		}
	}
	opened = true
	c.id = uint64(s.opened.Add(1))
	return c, nil
}

// enter counts a slot that is taken.
func (s *source) enter() {
	if n := s.slots.Add(1); s.strict && n > s.ceiling.Load() {
		s.verdict.broken("%s: %d connections at once, where %d are allowed", s.name, n, s.ceiling.Load())
	}
}

// stumble does what no callback should do.
func (s *source) stumble(ctx context.Context, r *rates) error {
	switch {
	case s.dice.chance(r.panics):
		panic(injected{})
	case s.dice.chance(r.goexit):
		runtime.Goexit()
	case s.dice.chance(r.hang) && s.dice.chance(0.5):
		time.Sleep(overstay) // whatever the context says
	case s.dice.chance(r.hang):
		<-ctx.Done()
		return ctx.Err()
	case s.dice.chance(r.slow):
		time.Sleep(time.Millisecond)
	}
	return nil
}

func (s *source) close(ctx context.Context, c *conn) error {
	// The pool goes on without a Close that hangs, but the connection counts until
	// it is closed.
	defer s.slots.Add(-1)
	defer s.closed.Add(1)
	defer c.finish("the pool")
	return s.stumble(ctx, s.rates.Load())
}

func (s *source) alive(c *conn) error {
	me := c.claim("Alive")
	defer c.yield(me)
	s.stumbleInline()
	switch {
	case c.dead.Load():
		return connpool.ErrBadConn
	case s.dice.chance(s.rates.Load().check):
		return connpool.ErrUnsure
	}
	return nil
}

func (s *source) clean(c *conn) error {
	me := c.claim("Clean")
	defer c.yield(me)
	s.stumbleInline()
	if s.dice.chance(s.rates.Load().check / 2) {
		return errUnwell
	}
	return nil
}

func (s *source) prepare(_ context.Context, c *conn) error {
	me := c.claim("Prepare")
	defer c.yield(me)
	s.stumbleInline()
	switch r := s.rates.Load(); {
	case s.dice.chance(r.check / 2):
		return connpool.ErrBadConn
	case s.dice.chance(r.check / 8):
		return errUnwell
	}
	return nil
}

// isBad is an IsBad that knows what we inject.
func (s *source) isBad(err error) bool {
	s.stumbleInline()
	return !errors.Is(err, errHarmless)
}

func (s *source) stumbleInline() {
	switch r := s.rates.Load(); {
	case s.dice.chance(r.inline):
		panic(injected{})
	case s.dice.chance(r.inline):
		runtime.Goexit()
	}
}

// check is a Check and a Reset.
func (s *source) check(ctx context.Context, c *conn) error {
	me := c.claim("a round trip")
	defer c.yield(me)
	r := s.rates.Load()
	if err := s.stumble(ctx, r); err != nil {
		return err
	}
	switch {
	case c.dead.Load(), s.dice.chance(r.check):
		return errUnwell
	case c.socket != nil:
		return c.echo(me)
	}
	return nil
}
