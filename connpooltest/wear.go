package connpooltest

import (
	"context"

	"github.com/connpool/connpool"
)

// A pool tells of uses by its callbacks: it calls Prepare, last of all, for every
// hand-out, and Clean, first of all, for every return. Between the two the
// connection is its borrower's.

// wear is how much a connection has been used.
type wear struct {
	left   int  // uses until it breaks; 0: it does not
	closed bool // it was broken by closing it
}

// wear wraps the callbacks that tell of uses.
func (s *saboteur[T]) wear(cfg connpool.Config[T]) connpool.Config[T] {
	s.mu.worn = make(map[T]*wear)
	shut := cfg.Close
	if shut == nil {
		shut = closeOf[T]()
	}
	if shut == nil && s.Break == nil {
		panic("connpooltest: Faults has connections to break and nothing to break them with: set Break, or the Config's Close")
	}
	if s.BreakAfterUses > 0 {
		cfg.Clean = s.clean(cfg.Clean, shut)
	}
	if s.BreakInUseEvery > 0 {
		cfg.Prepare = s.prepare(cfg.Prepare, shut)
	}
	cfg.Close = s.close(shut)
	return cfg
}

type shutFunc[T any] = func(context.Context, T) error

// enter begins to count the uses of a new connection.
func (s *saboteur[T]) enter(conn T, number uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.worn == nil {
		return
	}
	w := new(wear)
	if s.BreakAfterUses > 0 {
		w.left = 1 + forWearing.draw(s.Seed, number).IntN(s.BreakAfterUses)
	}
	s.mu.worn[conn] = w
}

// use counts a use that has ended, and reports whether it was the last.
func (s *saboteur[T]) use(conn T) (last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.mu.worn[conn]
	if w == nil || w.left == 0 {
		return false
	}
	w.left--
	return w.left == 0
}

func (s *saboteur[T]) clean(before func(T) error, shut shutFunc[T]) func(T) error {
	return func(conn T) error {
		if before != nil {
			if err := before(conn); err != nil {
				return err
			}
		}
		if s.use(conn) {
			s.breakUp(context.Background(), conn, shut)
		}
		return nil
	}
}

func (s *saboteur[T]) prepare(before func(context.Context, T) error, shut shutFunc[T]) func(context.Context, T) error {
	return func(ctx context.Context, conn T) error {
		if before != nil {
			if err := before(ctx, conn); err != nil {
				return err
			}
		}
		if forBreaking.hits(s.Seed, s.handOuts.Add(1)-1, s.BreakInUseEvery) {
			s.breakUp(ctx, conn, shut)
		}
		return nil
	}
}

// breakUp breaks a connection that is still in the pool's hands.
func (s *saboteur[T]) breakUp(ctx context.Context, conn T, shut shutFunc[T]) {
	if s.Break != nil {
		s.Break(conn)
		return
	}
	if s.closes(conn) {
		_ = shut(ctx, conn) // broken it is, whatever Close says
	}
}

// closes reports whether the connection has not been closed to break it, and
// notes that now it is.
func (s *saboteur[T]) closes(conn T) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.mu.worn[conn]
	if w == nil || w.closed {
		return false
	}
	w.closed = true
	return true
}

// close is the Config's Close: it forgets the connection, and closes it unless
// breaking it has done so.
func (s *saboteur[T]) close(shut shutFunc[T]) shutFunc[T] {
	return func(ctx context.Context, conn T) error {
		if !s.leave(conn) || shut == nil {
			return nil
		}
		return shut(ctx, conn)
	}
}

// leave forgets a connection, and reports whether it has to be closed.
func (s *saboteur[T]) leave(conn T) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.mu.worn[conn]
	delete(s.mu.worn, conn)
	return w == nil || !w.closed
}
