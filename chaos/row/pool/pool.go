package pool

import (
	"context"
	"fmt"
	"time"

	"github.com/connpool/connpool"
)

// Setup says how a pool is configured, and what its callbacks do wrong. The zero
// value of each field is "nothing".
type Setup struct {
	Max int // most connections

	Dial   func(context.Context, *Conn) error // runs in each dial
	Nil    bool                               // the factory returns neither a connection nor an error
	Close  func(*Conn)                        // runs in each close
	Lend   func(*Conn) error                  // Prepare; pgxpool: PrepareConn; database/sql: ResetSession
	Return func(*Conn) error                  // Reset; pgxpool: AfterRelease; database/sql: ResetSession

	Idle     time.Duration // idle connections are closed after it
	Lifetime time.Duration // connections are closed after it...
	Jitter   time.Duration // ...or up to this much earlier or later

	DSN  string                        // for pgxpool
	Edit func(*connpool.Config[*Conn]) // for ours
}

// Pool is what the four have in common.
type Pool interface {
	Acquire(ctx context.Context) (Lease, error)
	Close() // the pool's own, which may take its time
	Size() int
}

// Lease is a borrowed connection.
type Lease interface {
	Conn() (*Conn, error) // the pool's own way to get at the connection
	Release()
	Discard()
}

// Resizer is a pool whose size can be changed.
type Resizer interface{ Resize(n int) }

// Retirer is a pool that can be told to replace its connections.
type Retirer interface{ Retire() }

// Opened is a pool that has been opened, and its factory.
type Opened struct {
	Pool
	*Factory
}

// Open opens a pool. The error is the pool's own.
func Open(k Kind, s Setup) (*Opened, error) {
	f := &Factory{setup: s}
	open, ok := map[Kind]func(*Factory) (Pool, error){
		Ours: openOurs, Puddle: openPuddle, Pgxpool: openPgxpool, SQL: openSQL,
	}[k]
	if !ok {
		return nil, fmt.Errorf("pool: no pool is called %q", k)
	}
	p, err := open(f)
	return &Opened{p, f}, err
}
