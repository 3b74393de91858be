package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"

	"github.com/connpool/connpool/netconn"
)

// conn is a connection with the state that belongs to it. It serves one user at a
// time, who cannot get at the net.Conn: what is written and read there is counted.
type conn struct {
	over    net.Conn
	replies *replyReader

	// owed is how many commands have been sent whose replies have not been read.
	// Whatever cuts a command short leaves it above zero: a context that ends, a
	// network that fails, a reply that is none, a panic. Then the next reply to
	// come is not the reply to the next command.
	//
	// It goes up before the first byte is written and down when a reply has been
	// read to its end, so it is never too low. It is atomic because a user who gives
	// up may return the connection while a goroutine of theirs still reads from it.
	owed atomic.Int64

	session
}

var (
	errOwed    = errors.New("redis: replies are owed")
	errNothing = errors.New("redis: no value")
)

func newConn(over net.Conn) *conn { return &conn{over: over, replies: newReplyReader(over)} }

func (c *conn) Close() error { return c.over.Close() }

// do sends a command and returns its reply. Where the server says no, the error is
// a refusal, and the connection can be used as before.
func (c *conn) do(ctx context.Context, command ...string) (any, error) {
	replies, err := c.pipeline(ctx, command)
	if err != nil {
		return nil, err
	}
	if no, ok := replies[0].(refusal); ok {
		return nil, no
	}
	return replies[0], nil
}

// text is do for a command that replies with a string, or with none: errNothing.
func (c *conn) text(ctx context.Context, command ...string) (string, error) {
	reply, err := c.do(ctx, command...)
	switch reply := reply.(type) {
	case string:
		return reply, nil
	case nil:
		if err == nil {
			err = errNothing
		}
		return "", err
	default:
		return "", fmt.Errorf("redis: the reply to %s is no string", command[0])
	}
}

// pipeline sends commands together and returns their replies, refusals among
// them. If ctx ends first, it returns at once, and nobody waits for the replies
// any more.
func (c *conn) pipeline(ctx context.Context, commands ...[]string) (replies []any, err error) {
	err = netconn.Do(ctx, c.over, func() (err error) {
		replies, err = c.exchange(commands...)
		return err
	})
	return replies, err
}

// exchange is pipeline without a context.
func (c *conn) exchange(commands ...[]string) ([]any, error) {
	var request []byte
	for _, command := range commands {
		if len(command) == 0 {
			return nil, errors.New("redis: an empty command, which has no reply")
		}
		request = appendCommand(request, command)
	}
	// Not even the same user can go on where replies are owed.
	if !c.owed.CompareAndSwap(0, int64(len(commands))) {
		return nil, errOwed
	}
	if _, err := c.over.Write(request); err != nil {
		return nil, err
	}
	replies := make([]any, len(commands))
	for i, command := range commands {
		reply, err := c.replies.read()
		if err != nil {
			return nil, err
		}
		c.note(command, reply)
		c.owed.Add(-1)
		replies[i] = reply
	}
	return replies, nil
}

// receive waits for a message on a connection that has subscribed. The message is
// owed from then on: if ctx ends first, the connection is of no more use.
func (c *conn) receive(ctx context.Context) (message any, err error) {
	err = netconn.Do(ctx, c.over, func() (err error) {
		if !c.owed.CompareAndSwap(0, 1) {
			return errOwed
		}
		if message, err = c.replies.read(); err == nil {
			c.owed.Add(-1)
		}
		return err
	})
	return message, err
}

// finished returns an error unless the connection is as it was before its user
// sent the first command.
func (c *conn) finished() error {
	if owed := c.owed.Load(); owed > 0 {
		return fmt.Errorf("%w: %d", errOwed, owed)
	}
	if c.replies.in.Buffered() > 0 {
		return netconn.ErrUnread // nobody has asked for that
	}
	return c.left()
}
