package row

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/chaos/row/pool"
)

// Rows about callbacks that do not return.
func panicRows() []Row {
	return []Row{
		{
			Number: 13, Name: "panic in the factory", On: everywhere, Scenario: factoryPanics,
			Injected: "the factory panics once; one connection in all",
			Required: "an error with the stack, the slot is free, the process lives",
		}, {
			Number: 14, Name: "Goexit in the factory", On: everywhere, Scenario: factoryExits,
			Injected: "the factory calls runtime.Goexit once; one connection in all",
			Required: "an error, the slot is free",
		}, {
			Number: 15, Name: "panic in a hook", On: withSQL, Scenario: hooksPanic,
			Injected: "the hook before a hand-out panics once, and then the one after a release",
			Required: "the connection is destroyed, the slot is free, the process lives",
		}, {
			Number: 16, Name: "panic in close", On: everywhere, Scenario: closePanics,
			Injected: "closing a connection panics once",
			Required: "recovered and counted, the slot is free",
		}, {
			Number: 17, Name: "hung close", On: everywhere, Scenario: closeHangs,
			Injected: "closing a connection hangs for ever; one connection in all",
			Required: "the slot is free by CloseTimeout (200 ms)",
		},
	}
}

// once is a fault that happens once.
type once struct{ done atomic.Bool }

func (o *once) do(fault func()) {
	if !o.done.Swap(true) {
		fault()
	}
}

func onFire() { panic("on fire") }

// patiently makes ours report a failing factory to who waits, instead of trying
// again until it works.
func patiently(c *connpool.Config[*pool.Conn]) { c.DownAfter = -1 }

func factoryPanics(t *Trial) {
	var broken atomic.Bool
	broken.Store(true)
	p := t.open(pool.Setup{Max: 1, Edit: patiently, Dial: func(context.Context, *pool.Conn) error {
		if broken.Load() {
			onFire()
		}
		return nil
	}})
	_, err := p.take(300 * time.Millisecond)
	t.Require(err != nil, "the panic was swallowed")
	t.Require(!errors.As(err, new(panicError)), "the panic ended its caller")
	if panicked := new(connpool.PanicError); t.Ours() && t.Require(errors.As(err, &panicked), "no PanicError: %v", err) {
		t.Require(strings.Contains(string(panicked.Stack), "onFire"), "its stack says nothing")
	}
	t.Sawf("%v", errText(err))
	broken.Store(false)
	p.requireCapacity(1)
}

func factoryExits(t *Trial) {
	var broken atomic.Bool
	broken.Store(true)
	p := t.open(pool.Setup{Max: 1, Edit: patiently, Dial: func(context.Context, *pool.Conn) error {
		if broken.Load() {
			runtime.Goexit()
		}
		return nil
	}})
	_, err := p.take(300 * time.Millisecond)
	if errors.Is(err, errStuck) {
		t.Abortf("the caller is stuck for 5 s, past its deadline of 300 ms")
	}
	t.Require(!errors.Is(err, errExit), "the caller's goroutine was ended")
	t.Sawf("%v", errText(err))
	broken.Store(false)
	p.requireCapacity(1)
}

func hooksPanic(t *Trial) {
	var before, after once
	before.done.Store(true)
	after.done.Store(true)
	p := t.open(pool.Setup{
		Max:    1,
		Lend:   func(*pool.Conn) error { before.do(onFire); return nil },
		Return: func(*pool.Conn) error { after.do(onFire); return nil },
	})
	p.fill(1)
	for _, fault := range []struct {
		hook string
		once *once
	}{{"before a hand-out", &before}, {"after a release", &after}} {
		fault.once.done.Store(false)
		if lease, err := p.take(time.Second); err == nil {
			lease.Release()
		} else {
			t.Sawf("%s: %v", fault.hook, short(err))
		}
		p.requireCapacity(1)
	}
	t.Require(p.Opens.Load() > 1, "the connection was kept")
}

func closePanics(t *Trial) {
	var fault once
	p := t.open(pool.Setup{Max: 1, Close: func(*pool.Conn) { fault.do(onFire) }})
	lease := p.must("borrowing")
	if err := quietly(lease.Discard); err != nil {
		t.Faultf("the caller has it: %v", short(err))
	}
	p.requireCapacity(1)
	if own := p.Own(); own != nil {
		t.Require(own.Stats().Panics == 1, "%d panics counted", own.Stats().Panics)
		t.Sawf("1 panic counted")
		p.Closes.Add(1) // the one that did not end
	}
}

func closeHangs(t *Trial) {
	var fault once
	never := make(chan struct{})
	p := t.open(pool.Setup{
		Max:   1,
		Close: func(*pool.Conn) { fault.do(func() { <-never }) },
		Edit:  func(c *connpool.Config[*pool.Conn]) { c.CloseTimeout = 200 * time.Millisecond },
	})
	t.Cleanup(func() { close(never) })
	lease := p.must("borrowing")
	if t.Bounded(lease.Discard) != nil {
		t.Abortf("the caller is stuck for 5 s")
	}
	began := time.Now()
	next, err := p.take(2 * time.Second)
	if err != nil {
		t.Abortf("the slot is lost to the hung close: %v", short(err))
	}
	t.Sawf("free after %v", ms(time.Since(began)))
	next.Release()
}
