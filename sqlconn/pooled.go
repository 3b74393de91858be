package sqlconn

import (
	"context"
	"database/sql/driver"
)

// pooled is a connection in the pool: the driver's, and what outlives a lease of
// it. Whoever holds the lease owns all of it.
type pooled struct {
	driver.Conn // the driver's own

	shape      shape
	lent       bool   // somebody has had it: its session has to be reset
	generation uint64 // see source.discard
	kept       *kept  // statements ready for the next who asks; nil without a cache
}

func newPooled(c driver.Conn, generation uint64, options Options) *pooled {
	p := &pooled{Conn: c, shape: shapeOf(c), generation: generation}
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

func (p *pooled) driverConn() driver.Conn { return p.Conn }

// DriverConn returns the driver's own connection behind what a function given to
// sql.Conn.Raw gets, or behind the Conn of a lease of the pool:
//
//	err := conn.Raw(func(c any) error {
//		return copyInto(sqlconn.DriverConn(c).(*stdlib.Conn).Conn())
//	})
//
// Anything else it returns as it is, so code that calls it works with a plain
// sql.DB too. The connection must not be used after the function has returned,
// or the lease has ended.
func DriverConn(c any) any {
	if w, ok := c.(interface{ driverConn() driver.Conn }); ok {
		return w.driverConn()
	}
	return c
}
