package pgxconn

import (
	"time"

	"github.com/connpool/connpool"
)

// Stat is a snapshot of a pool's statistics by pgxpool's names. Those of the pool
// below, Connpool().Stats(), say more.
type Stat struct{ stats connpool.Stats }

// Stat returns a snapshot. Its numbers of connections come from one look and add
// up.
func (p *Pool) Stat() *Stat { return &Stat{p.pool.Stats()} }

// AcquireCount returns how many acquires have succeeded.
func (s *Stat) AcquireCount() int64 { return int64(s.stats.Acquires) }

// AcquireDuration returns how long acquires have waited in all, those that failed
// included. Those that found an idle connection are not timed, and took none worth
// it.
func (s *Stat) AcquireDuration() time.Duration { return s.stats.WaitTime.Sum }

// AcquiredConns returns how many connections are in use, or are being checked,
// reset or closed.
func (s *Stat) AcquiredConns() int32 {
	return int32(s.stats.InUse + s.stats.Checking + s.stats.Resetting + s.stats.Closing)
}

// CanceledAcquireCount returns how many acquires were ended by their context, or
// by AcquireTimeout.
func (s *Stat) CanceledAcquireCount() int64 { return int64(s.stats.Cancels + s.stats.Timeouts) }

// ConstructingConns returns how many connections are being opened.
func (s *Stat) ConstructingConns() int32 { return int32(s.stats.Connecting) }

// EmptyAcquireCount returns how many acquires had to wait, those that failed
// included.
func (s *Stat) EmptyAcquireCount() int64 { return int64(s.stats.WaitTime.Count) }

// EmptyAcquireWaitTime returns how long they have waited in all.
func (s *Stat) EmptyAcquireWaitTime() time.Duration { return s.stats.WaitTime.Sum }

// IdleConns returns how many connections are idle.
func (s *Stat) IdleConns() int32 { return int32(s.stats.Idle) }

// MaxConns returns how many connections may be open.
func (s *Stat) MaxConns() int32 { return int32(s.stats.MaxSize) }

// TotalConns returns how many connections there are: the sum of
// ConstructingConns, AcquiredConns and IdleConns.
func (s *Stat) TotalConns() int32 { return int32(s.stats.Size) }

// NewConnsCount returns how many connections have been opened.
func (s *Stat) NewConnsCount() int64 { return int64(s.stats.Connects) }

// MaxLifetimeDestroyCount returns how many were closed for their age.
func (s *Stat) MaxLifetimeDestroyCount() int64 {
	return int64(s.stats.Closes[connpool.ClosedLifetime])
}

// MaxIdleDestroyCount returns how many were closed for having been idle.
func (s *Stat) MaxIdleDestroyCount() int64 { return int64(s.stats.Closes[connpool.ClosedIdle]) }
