package sqlconn

import (
	"context"
	"database/sql/driver"
	"reflect"
)

// pooled is a connection in the pool: the driver's, and what outlives a lease of
// it. Whoever holds the lease owns all of it.
type pooled struct {
	driver.Conn // the driver's own

	closed     closer // the driver's way of telling, or nil
	lent       bool   // somebody has had it: its session has to be reset
	generation uint64 // see source.discard
	kept       *kept  // statements ready for the next who asks; nil without a cache
}

func newPooled(c driver.Conn, generation uint64, options Options) *pooled {
	p := &pooled{Conn: c, closed: closerOf(c), generation: generation}
	if options.StatementCache > 0 {
		p.kept = newKept(options.StatementCache)
	}
	return p
}

// tells reports whether the driver says what it knows of a connection's state.
func (p *pooled) tells() bool { return p.closed != nil }

// valid asks the driver whether the connection can be used again.
func (p *pooled) valid() error {
	if p.closed != nil && p.closed.IsClosed() {
		return errInvalid
	}
	return nil
}

// closer is a connection that knows whether it is closed.
type closer interface{ IsClosed() bool }

// closerOf returns the driver's IsValid, or, of pgx, which has none, what tells
// whether its connection is closed; else nil.
func closerOf(c driver.Conn) closer {
	if v, ok := c.(driver.Validator); ok {
		return validator{v}
	}
	inner, _ := call(reflect.ValueOf(c), "Conn")
	told, _ := inner.(closer)
	return told
}

type validator struct{ driver.Validator }

func (v validator) IsClosed() bool { return !v.IsValid() }

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
