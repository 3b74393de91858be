package machine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/connpool/connpool"
)

// kind is one of a pool's callbacks.
type kind int

const (
	connecting kind = iota
	closing
	checking
	resetting
	preparing
	cleaning
	alive
	sizing
	kinds
)

var kindNames = [kinds]string{
	"Connect", "Close", "Check", "Reset", "Prepare", "Clean", "Alive", "Sizer",
}

func (k kind) String() string { return kindNames[k] }

// GoString is how rapid prints what it has drawn.
func (k kind) GoString() string { return k.String() }

// deed is what a callback does when it is called.
type deed int

const (
	works deed = iota
	fails
	slow      // takes a while, or until its context ends
	slowFails // the same, and then fails
	hangs     // takes until the machine lets go of it, whatever its context says
	panics
	exits
	unsure    // of Alive
	saysBroke // fails with ErrBadConn
)

var deedNames = []string{"works", "fails", "slow", "slow and fails", "hangs", "panics", "exits", "unsure", "says broken"}

func (d deed) String() string { return deedNames[d] }

// GoString is how rapid prints what it has drawn.
func (d deed) GoString() string { return d.String() }

// deedsOf lists what each callback may be told to do. Those that run inline must
// not block, except that Prepare may take as long as its context allows.
var deedsOf = [kinds][]deed{
	connecting: {fails, slow, slow, slowFails, hangs, panics, exits},
	closing:    {fails, slow, hangs, panics, exits},
	checking:   {fails, slow, slow, slowFails, hangs, panics, exits},
	resetting:  {fails, slow, slow, slowFails, hangs, panics, exits},
	preparing:  {fails, saysBroke, slow, slowFails, panics, exits},
	cleaning:   {fails, panics, exits},
	alive:      {fails, unsure, panics, exits},
	sizing:     {slow, slow, hangs, panics, exits},
}

// order is a deed that the next call of some callback will do.
type order struct {
	deed  deed
	delay time.Duration
}

var errPlanned = errors.New("failed as planned")

// plannedPanic is what callbacks panic with.
type plannedPanic struct{}

// obey does what the next order for such a callback says. It counts the panics
// that the pool must count.
func (w *world) obey(ctx context.Context, k kind) error {
	o := w.nextOrder(k)
	switch o.deed {
	case fails:
		return errPlanned
	case unsure:
		return connpool.ErrUnsure
	case saysBroke:
		return fmt.Errorf("the server has gone: %w", connpool.ErrBadConn)
	case slow:
		return pause(ctx, o.delay)
	case slowFails:
		return errors.Join(pause(ctx, o.delay), errPlanned)
	case hangs:
		<-w.holdUp()
	case panics:
		w.countPanic()
		panic(plannedPanic{})
	case exits:
		w.countPanic()
		runtime.Goexit()
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *world) nextOrder(k kind) order {
	w.mu.Lock()
	defer w.mu.Unlock()
	if k == connecting && w.mu.down {
		return order{deed: fails}
	}
	if len(w.mu.orders[k]) == 0 {
		if (k == checking || k == resetting) && w.trip > 0 {
			return order{deed: slow, delay: w.trip}
		}
		return order{}
	}
	o := w.mu.orders[k][0]
	w.mu.orders[k] = w.mu.orders[k][1:]
	return o
}

// holdUp returns the channel that is closed when hung callbacks may go on.
func (w *world) holdUp() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.hung
}

// letGo lets every callback go on that hangs.
func (w *world) letGo() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.mu.hung)
	w.mu.hung = make(chan struct{})
}

// heal makes every callback work from now on, and the Sizer allow all that it may.
func (w *world) heal() {
	w.mu.Lock()
	w.mu.orders = [kinds][]order{}
	w.mu.down, w.trip, w.mu.healed = false, 0, true
	w.mu.Unlock()
	w.letGo()
}

func (w *world) countPanic() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.count.panics++
}

// odd makes a delay end at a nanosecond at which nothing else ends.
func (w *world) odd(d time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.odd++
	return d + w.mu.odd
}
