package sqlconn

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/connpool/connpool"
)

// conn is what database/sql takes for a connection: a shell. It borrows a
// connection for the first call that needs one, with the context of that call, and
// returns it when database/sql takes the shell back. So database/sql may keep idle
// shells as it likes: none has a connection.
//
// database/sql calls a shell under a lock of its own, one for each, and so do the
// statements, rows and transactions of that shell: a conn needs no lock.
//
// There is one place where database/sql takes a connection back, and that calls
// IsValid if and only if nothing speaks against keeping it. So IsValid returns the
// connection to the pool; a Close that finds one still there rejects it, be it for
// driver.ErrBadConn or for a function given to Raw that panicked.
type conn struct {
	source *source
	loan
	over bool // closed, or the driver did not return from a call: borrows no more
}

// loan is what a shell knows of the connection that it has, zero without one.
type loan struct {
	*pooled
	lease   connpool.Lease[driver.Conn]
	bad     error // that spoke for discarding the connection, and against others of its age
	begun   bool  // a transaction has begun and not ended
	spoiled bool  // the connection is not to be used again
	open    *stmt // statements that are prepared on the connection and not closed yet
}

// borrow has the shell have a connection. A shell whose connection is lost takes no
// other: what was to run in a transaction would run outside of it.
func (c *conn) borrow(ctx context.Context) error {
	switch {
	case c.over || c.spoiled:
		return driver.ErrBadConn
	case c.pooled != nil:
		return nil
	}
	lease, err := c.source.pool.Acquire(ctx)
	if err != nil {
		return exactly(err)
	}
	c.lease, c.pooled = lease, lease.Conn().(*pooled)
	return nil
}

// do has the driver do something with the connection.
func (c *conn) do(ctx context.Context, call func() error) error {
	if err := c.borrow(ctx); err != nil {
		return err
	}
	return c.call(call)
}

// call has the driver do something with a connection that is there.
func (c *conn) call(call func() error) error {
	return c.guarded(func() error {
		err := call()
		if err != nil {
			c.judge(err)
		}
		return err
	})
}

// guarded runs what may panic or call runtime.Goexit: after most calls database/sql
// would never take the connection back, so its lease ends at once.
func (c *conn) guarded(call func() error) error {
	if c.over {
		return driver.ErrBadConn
	}
	returned := false
	defer func() {
		if !returned {
			c.lose()
		}
	}()
	err := call()
	returned = true
	return err
}

func (c *conn) lose() {
	c.over = true
	if c.pooled != nil {
		c.lease.Discard(errLost)
		c.loan = loan{}
	}
}

// judge looks at what the driver said about the connection: an error that one of
// its calls on this connection has returned.
func (c *conn) judge(err error) {
	switch {
	case err == driver.ErrSkip:
	case errors.Is(err, driver.ErrBadConn):
		c.bad = err
	case c.source.isBad(c.pooled, err):
		c.bad = &badError{err}
	}
}

// giveBack ends the lease. The connection goes back to the pool, unless something
// speaks against it. Statements that database/sql has not closed end with the lease.
func (c *conn) giveBack(sound bool) {
	for c.open != nil {
		c.open.giveBack()
	}
	if c.pooled == nil {
		return
	}
	was := c.loan
	c.loan = loan{}
	switch {
	case was.bad != nil:
		c.source.discard(was)
	case !sound || was.begun || was.spoiled:
		was.lease.Discard(errRejected)
	default:
		c.source.sound(was)
	}
}

// IsValid returns the connection to the pool, and reports whether the shell can be
// used again.
func (c *conn) IsValid() bool {
	c.giveBack(true)
	return !c.over
}

// Close ends the shell, and destroys the connection that is still there.
func (c *conn) Close() error {
	c.giveBack(false)
	c.over = true
	return nil
}

// ResetSession has nothing to reset: the pool does so before it lends a connection.
func (c *conn) ResetSession(context.Context) error { return nil }
