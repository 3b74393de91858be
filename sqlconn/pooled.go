package sqlconn

import (
	"context"
	"database/sql/driver"
)

// pooled is a connection in the pool: the driver's, and what outlives a lease of
// it. Whoever holds the lease owns all of it.
type pooled struct {
	driver.Conn // the driver's own

	lent       bool   // somebody has had it: its session has to be reset
	generation uint64 // see source.discard
	kept       *kept  // statements ready for the next who asks; nil without a cache
}

func newPooled(c driver.Conn, generation uint64, options Options) *pooled {
	p := &pooled{Conn: c, generation: generation}
	if options.StatementCache > 0 {
		p.kept = newKept(options.StatementCache)
	}
	return p
}

// renew readies the connection for its next borrower.
func (p *pooled) renew(ctx context.Context) error {
	if !p.lent {
		p.lent = true
		return nil
	}
	return resetSession(ctx, p.Conn)
}

func resetSession(ctx context.Context, c driver.Conn) error {
	if r, ok := c.(driver.SessionResetter); ok {
		return r.ResetSession(ctx)
	}
	return nil
}
