package row

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/chaos/row/pool"
)

// Rows about hooks that return.
func hookRows() []Row {
	return []Row{
		{
			Number: 34, Name: "reset fails", On: withSQL, Scenario: resetFails,
			Injected: "the reset hook returns an error of its own for the first connection",
			Required: "that connection is never handed out again",
		}, {
			Number: 42, Name: "hooks call the pool", On: everywhere, Scenario: reentrant,
			Injected: "dial, close and hooks ask for numbers and borrow themselves; ours: Stats, Holders, Resize, Close too",
			Required: "no deadlock",
		},
	}
}

func resetFails(t *Trial) {
	p := t.open(pool.Setup{Max: 1, Return: func(c *pool.Conn) error {
		if c.ID == 1 {
			return errors.New("the reset failed")
		}
		return nil
	}})
	p.fill(1)
	lease, err := p.take(patience / 2)
	if err != nil {
		t.Abortf("the next user was refused: %v", short(err))
	}
	defer lease.Release()
	c, err := conn(lease)
	t.Must(err, "the connection")
	t.Sawf("the next user got connection %d", c.ID)
	t.Require(c.ID == 2, "handed out all the same")
}

func reentrant(t *Trial) {
	var p *tried
	var depth atomic.Int32
	enter := func() {
		defer depth.Add(-1)
		if depth.Add(1) > 3 || p == nil {
			return // borrowing in callbacks of borrowing need not go on for ever
		}
		p.Size()
		_, _ = borrowOnce(t.ctx, p.Pool, time.Millisecond)
		if own := p.Own(); own != nil {
			own.Stats()
			own.Holders()
			_ = own.Resize(2) // as it is
		}
	}
	hook := func(*pool.Conn) error { enter(); return nil }
	p = t.open(pool.Setup{
		Max:    2,
		Dial:   func(context.Context, *pool.Conn) error { enter(); return nil },
		Close:  func(*pool.Conn) { enter() },
		Lend:   hook,
		Return: hook,
		Edit: func(c *connpool.Config[*pool.Conn]) {
			c.Alive, c.Clean = hook, hook
			c.Check = func(context.Context, *pool.Conn) error { enter(); return nil }
			c.Trace = &connpool.Trace{Closed: func(connpool.ClosedInfo) { enter() }}
		},
	})
	for i := range 20 {
		lease, err := p.take(patience / 2)
		if err != nil {
			t.Abortf("%v", short(err))
		}
		end := lease.Release
		if i%2 == 0 {
			end = lease.Discard
		}
		if t.Bounded(end) != nil {
			t.Abortf("ending a lease is stuck for 5 s")
		}
	}
	t.Sawf("20 leases")
	if t.Ours() {
		closedFromWithin(t)
	}
}

// closedFromWithin has a hook close the pool.
func closedFromWithin(t *Trial) {
	var p *tried
	p = t.open(pool.Setup{Max: 1, Return: func(*pool.Conn) error { p.Close(); return nil }})
	p.must("borrowing").Release()
	_, err := p.take(patience)
	t.Require(await(patience, func() bool { _, err = p.take(time.Second); return errors.Is(err, connpool.ErrClosed) }),
		"closed from within: %v", err)
}
