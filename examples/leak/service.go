package main

import (
	"context"

	"github.com/connpool/connpool"
)

// session stands for a connection.
type session struct{ queries int }

func connect(context.Context) (*session, error) { return &session{}, nil }

func (s *session) query() { s.queries++ }

// service is the code under suspicion.
type service struct{ pool *connpool.Pool[*session] }

// handleReport leaks a connection when there is nothing to report.
func (s service) handleReport(ctx context.Context, rows int) error {
	lease, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	if rows == 0 {
		return nil // the bug: a defer lease.Release() above would have done
	}
	lease.Conn().query()
	lease.Release()
	return nil
}

// streamEvents holds a connection for as long as the stream is open, and says
// so: it is not reported as a leak.
func (s service) streamEvents(ctx context.Context) (hangUp func(), err error) {
	lease, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	lease.KeepLong()
	return lease.Release, nil
}
