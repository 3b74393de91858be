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

	sound   bool  // IsValid has said yes, and nothing has been done since
	running bool  // something is being done, or did not return
	bad     bool  // driver.ErrBadConn was seen
	begun   bool  // a transaction has begun and not ended
	closed  bool  // the lease has ended
	open    *stmt // statements not closed yet
}

// enter begins whatever is done with the connection.
func (c *conn) enter(ctx context.Context) error {
	switch {
	case c.closed:
		return driver.ErrBadConn
	case c.sound:
		if err := c.wake(ctx); err != nil {
			return err
		}
	}
	c.running = true
	return nil
}

// leave ends it.
func (c *conn) leave(err error) {
	c.running = false
	c.note(err)
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
	err := resetSession(ctx, c.Conn)
	c.note(err)
	if c.bad {
		return driver.ErrBadConn
	}
	return nil
}

// IsValid reports whether the connection may be lent again.
func (c *conn) IsValid() bool {
	valid := isValid(c.Conn) == nil
	c.sound = valid && !c.bad && !c.running && !c.begun
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
