package row

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/puddle/v2"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/chaos/row/pool"
)

// Rows about the end of a pool, and of its connections all at once.
func closeRows() []Row {
	return []Row{
		{
			Number: 44, Name: "close with a leak and a waiter", On: everywhere, Scenario: closeWithLeak,
			Injected: "one connection, leaked; a waiter; then the pool is closed",
			Required: "the waiter is told at once that the pool is closed; closing returns within 2 s",
		}, {
			Number: 45, Name: "close while dialling", On: everywhere, Scenario: closeWhileDialling,
			Injected: "the pool is closed during a dial that succeeds 200 ms later",
			Required: "\"closed\", not a connection, which is closed once",
		}, {
			Number: 46, Name: "retire while dialling", On: []pool.Kind{pool.Ours, pool.Puddle, pool.Pgxpool}, Scenario: retireWhileDialling,
			Injected: "Retire (Reset) during a dial: its caller waits on; its caller has left, and somebody borrows afterwards",
			Required: "what was dialled before is never handed out",
		},
	}
}

// saysClosed reports whether an error says that the pool is closed. database/sql
// has no exported error for that.
func saysClosed(err error) bool {
	return errors.Is(err, connpool.ErrClosed) || errors.Is(err, puddle.ErrClosedPool) ||
		err != nil && strings.Contains(err.Error(), "sql: database is closed")
}

func closeWithLeak(t *Trial) {
	p := t.open(pool.Setup{Max: 1})
	leaked := p.must("borrowing")
	told := make(chan error, 1)
	go func() {
		_, err := p.take(4 * time.Second)
		told <- err
	}()
	time.Sleep(20 * time.Millisecond)
	closing := time.Now()
	closed := make(chan struct{})
	go func() { defer close(closed); p.Close() }()
	t.requireTold(told, closing)
	select {
	case <-closed:
		t.Sawf("closed after %v", ms(time.Since(closing)))
	case <-time.After(time.Until(closing.Add(2 * time.Second))):
		t.Faultf("Close is stuck for 2 s")
	}
	if own := p.Own(); own != nil {
		err := own.Shutdown(t.For(200 * time.Millisecond))
		t.Require(errors.Is(err, context.DeadlineExceeded), "Shutdown says %v", err)
	}
	leaked.Release()
}

// requireTold checks that a waiter learns of the close.
func (t *Trial) requireTold(told <-chan error, closing time.Time) {
	select {
	case err := <-told:
		t.Sawf("waiter told after %v: %v", ms(time.Since(closing)), errText(err))
		t.Require(saysClosed(err), "it is not told why")
	case <-time.After(2 * time.Second):
		t.Faultf("the waiter is still waiting after 2 s")
	}
}

func closeWhileDialling(t *Trial) {
	p := t.open(pool.Setup{Max: 2, Dial: func(context.Context, *pool.Conn) error {
		time.Sleep(200 * time.Millisecond)
		return nil
	}})
	got := make(chan error, 1)
	go func() {
		lease, err := p.take(patience)
		if err == nil {
			lease.Release()
		}
		got <- err
	}()
	t.Require(await(patience, func() bool { return p.Dials.Load() == 1 }), "no dial")
	go p.Close()
	err := <-got
	t.Require(err != nil, "handed out on a closed pool")
	t.Require(err == nil || saysClosed(err), "it says %v", errText(err))
	t.Sawf("%v", errText(err))
	t.Require(await(patience, func() bool { return p.Opens.Load() == p.Closes.Load() }),
		"%d opened, %d closed", p.Opens.Load(), p.Closes.Load())
}

func retireWhileDialling(t *Trial) {
	t.retireDuringDial("a caller that waits", patience)
	t.retireDuringDial("the next user, the caller having left", 50*time.Millisecond)
}

// retireDuringDial has the pool replace its connections during a dial whose
// caller waits for so long, and looks at what the caller gets, or else the next.
func (t *Trial) retireDuringDial(who string, wait time.Duration) {
	goOn := make(chan struct{})
	p := t.open(pool.Setup{Max: 1, Dial: func(context.Context, *pool.Conn) error { <-goOn; return nil }})
	got := make(chan pool.Lease, 1)
	go func() {
		lease, _ := p.take(wait)
		got <- lease
	}()
	t.Require(await(patience, func() bool { return p.Dials.Load() == 1 }), "no dial")
	if wait < time.Second {
		<-got
		got <- nil
	}
	retired := time.Now()
	p.retire()
	close(goOn)
	lease := <-got
	if lease == nil {
		await(patience, func() bool { return p.Opens.Load() > 0 })
		lease = p.must(who)
	}
	defer lease.Release()
	c, err := conn(lease)
	t.Must(err, "the connection")
	t.Sawf("%s got connection %d", who, c.ID)
	t.Require(c.Dialled.After(retired), "%s got one dialled before", who)
}

func (p *tried) retire() {
	if own := p.Own(); own != nil {
		own.Retire()
		return
	}
	p.Pool.(pool.Retirer).Retire()
}
