package sqlconn

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/connpool/connpool"
)

// conn is one lease of a connection, as database/sql sees it: it makes one with
// every Connect and closes each once. database/sql calls it under a lock of its
// own, one for each conn, and so do its statements, rows and transactions; it
// needs no lock, as long as nothing of it touches the driver's connection once
// the lease has ended.
//
// What Close does with the connection depends on how database/sql came to it.
// There is one place where it takes a connection back, and that asks IsValid if
// and only if nothing speaks against keeping it. So a Close that follows an
// IsValid is a return; one that follows anything else is a rejection, be it for
// driver.ErrBadConn, for a transaction whose context has ended, or for a function
// given to Raw that panicked.
type conn struct {
	*pooled
	source *source
	lease  connpool.Lease[driver.Conn]

	sound     bool  // IsValid has said yes, and nothing has been done since
	lost      bool  // the driver has not returned from a call
	bad       bool  // driver.ErrBadConn was seen
	begun     bool  // a transaction has begun and not ended
	unwatched bool  // rows of the driver's own have been handed out
	closed    bool  // the lease has ended
	open      *stmt // statements not closed yet
}

// do has the driver do something with the connection.
func (c *conn) do(ctx context.Context, call func() error) error {
	switch {
	case c.closed:
		return driver.ErrBadConn
	case c.sound:
		if err := c.wake(ctx); err != nil {
			return err
		}
	}
	return c.call(call)
}

// call is do without asking whether the connection is fit for it.
func (c *conn) call(call func() error) error {
	returned := false
	defer func() {
		if !returned {
			c.lose()
		}
	}()
	err := call()
	returned = true
	c.note(err)
	return err
}

// lose ends the lease of a connection whose driver has panicked or called
// runtime.Goexit: after most calls database/sql would never close it. Rows of the
// driver's own may still be in use then; where there are such, the lease is left to
// database/sql.
func (c *conn) lose() {
	c.lost = true
	if !c.unwatched && !c.closed {
		c.closed = true
		c.lease.Discard(errLost)
	}
}

func (c *conn) note(err error) {
	if errors.Is(err, driver.ErrBadConn) {
		c.bad = true
	}
}

// wake takes the connection back into use after database/sql has kept it idle on
// its own, as it does if the user calls SetMaxIdleConns. It has then called
// ResetSession if it could see one; see shaped for when it cannot.
func (c *conn) wake(ctx context.Context) error {
	c.sound = false
	if c.shape.resets {
		return nil
	}
	if err := c.resetSession(ctx); errors.Is(err, driver.ErrBadConn) {
		return err
	}
	return nil
}

func (c *conn) resetSession(ctx context.Context) error {
	return c.call(func() error { return resetSession(ctx, c.Conn) })
}

// IsValid reports whether the connection may be lent again.
func (c *conn) IsValid() bool {
	fit := !c.closed && !c.bad && !c.lost && !c.begun
	c.sound = fit && c.call(func() error { return isValid(c.Conn) }) == nil
	return c.sound
}

// Close ends the lease. The connection goes back to the pool, unless something
// speaks against it. Statements that database/sql has not closed go with the
// lease: of those that were prepared on a sql.Conn it would close some only
// later, when the connection may be in another's hands.
func (c *conn) Close() error {
	if c.closed {
		return nil
	}
	var err error
	for c.open != nil {
		err = errors.Join(err, c.open.giveBack())
	}
	c.closed = true
	switch {
	case c.bad:
		c.source.discard(c.lease, c.pooled)
	case !c.sound:
		c.lease.Discard(errRejected)
	default:
		c.lease.Release()
	}
	return err
}

// driverConn hands out the driver's connection, with which anything may be done.
func (c *conn) driverConn() driver.Conn {
	c.sound = false
	return c.Conn
}
