package machine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/connpool/connpool"
)

// act is what a client does.
type act int

const (
	acquire act = iota
	do
	tryAcquire
	acquireIdle
	warm
	shutdown
	short // a call that must not block
)

var actNames = []string{"Acquire", "Do", "TryAcquire", "AcquireIdle", "Warm", "Shutdown", "end of a lease"}

// client is one call of the pool's, on a goroutine of its own: a callback that
// panics or exits there ends the client and not the machine.
type client struct {
	id    int
	kind  act
	round int // in which it came: those of one round came in no known order

	ctx        context.Context
	cancel     context.CancelCauseFunc
	came       time.Duration
	deadline   time.Duration // the context's, or 0
	until      time.Duration // when the pool may let it wait no longer, or 0
	generation int           // of the connection it gets, at least
	canceled   time.Duration // when its context was cancelled, or -1
	queued     int           // the first round that ended with it in the queue, or 0
	served     bool          // its grant has been judged

	// Guarded by the world's lock.
	preparing bool
	grantedAt time.Duration // when it got a connection, or -1
	leases    []*hold
	ended     bool
	endedAt   time.Duration
	err       error
	panicked  any
	exited    bool
	dials     dialling // when it ended
	dialling  bool     // a dial was under way then
}

// clientKey is the key of the client in its context.
type clientKey struct{}

func (c *client) String() string {
	if c == nil {
		return "somebody"
	}
	return fmt.Sprintf("client %d (%s)", c.id, actNames[c.kind])
}

// GoString is how rapid prints what it has drawn.
func (c *client) GoString() string { return c.String() }

// queues reports whether the client stands in the pool's queue while it lasts.
func (c *client) queues() bool { return c.kind == acquire || c.kind == do }

// waitsLocked reports whether the client stands in the queue, once everything
// has come to rest.
func (c *client) waitsLocked() bool {
	return c.queues() && !c.ended && !c.preparing && len(c.leases) == 0
}

// prepared notes that Prepare has ended for the client, which has nothing if it
// failed.
func (c *client) prepared(w *world, err error) {
	if c == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	c.preparing = false
	if err != nil {
		c.grantedAt = -1
	}
}

var errCanceled = errors.New("canceled by the machine")

// start has a client begin. limit is the longest that its context lasts, 0 for
// ever, negative for a context that has ended.
func (m *machine) start(kind act, limit time.Duration, f func(c *client) error) *client {
	w := m.w
	m.clientsMade++
	m.act()
	c := &client{id: m.clientsMade, kind: kind, round: m.round, came: w.now(), canceled: -1, grantedAt: -1}
	ctx := context.WithValue(context.Background(), clientKey{}, c)
	if limit != 0 {
		if limit > 0 {
			limit = w.odd(limit)
		}
		c.deadline = c.came + limit
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		m.cancels = append(m.cancels, cancel)
	}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	if c.until = c.deadline; c.queues() {
		if limit := acquireTimeout(m.w.cfg, c.deadline); limit > 0 && (c.until == 0 || c.came+limit < c.until) {
			c.until = c.came + limit
		}
	}
	w.mu.Lock()
	c.generation = w.mu.retired
	w.mu.Unlock()
	m.clients = append(m.clients, c)
	go c.run(w, f)
	return c
}

// run calls f and writes down how it ended.
func (c *client) run(w *world, f func(c *client) error) {
	returned := false
	var err error
	defer func() {
		panicked := recover()
		w.mu.Lock()
		defer w.mu.Unlock()
		c.ended, c.endedAt, c.err = true, w.now(), err
		c.panicked, c.exited = panicked, !returned && panicked == nil
		c.dials, c.dialling = w.dialsLocked(), w.countLocked(connecting) > 0
		w.moveLocked()
	}()
	err = f(c)
	returned = true
}

// got enters the leases that a client has got into the books.
func (c *client) got(w *world, leases ...connpool.Lease[*conn]) {
	for _, lease := range leases {
		h := w.take(c, lease.Conn(), lease)
		w.mu.Lock()
		c.leases = append(c.leases, h)
		if c.grantedAt < 0 {
			c.grantedAt = h.since
		}
		w.mu.Unlock()
	}
}

func (m *machine) startAcquire(limit time.Duration) *client {
	return m.start(acquire, limit, func(c *client) error {
		lease, err := m.w.pool.Acquire(c.ctx)
		if err == nil {
			c.got(m.w, lease)
		}
		return err
	})
}

func (m *machine) startTry() *client {
	return m.start(tryAcquire, 0, func(c *client) error {
		lease, err := m.w.pool.TryAcquire(c.ctx)
		if err == nil {
			c.got(m.w, lease)
		}
		return err
	})
}

func (m *machine) startAcquireIdle() *client {
	return m.start(acquireIdle, 0, func(c *client) error {
		c.got(m.w, m.w.pool.AcquireIdle()...)
		return nil
	})
}

// ending is how a Do's function ends.
type ending int

const (
	endsWell ending = iota
	endsHarmlessly
	endsBroken
	endsInPanic
	endsInExit
)

var endingNames = []string{"well", "with a harmless error", "with a broken connection", "in a panic", "in Goexit"}

func (e ending) String() string { return endingNames[e] }

// startDo starts a Do, whose function lasts until it is told how to end.
func (m *machine) startDo(limit time.Duration) *client {
	return m.start(do, limit, func(c *client) error {
		calls := 0
		return m.w.pool.Do(c.ctx, func(_ context.Context, got *conn) error {
			if calls++; calls > 1 {
				m.w.wrong("%v: its function is called %d times", c, calls)
			}
			h := m.w.take(c, got, connpool.Lease[*conn]{})
			m.w.mu.Lock()
			h.finish = make(chan ending, 1)
			c.leases, c.grantedAt = append(c.leases, h), h.since
			m.w.mu.Unlock()
			return m.w.endDo(h, <-h.finish)
		})
	})
}

// endDo is the end of a Do's function.
func (w *world) endDo(h *hold, how ending) error {
	w.mu.Lock()
	why := ""
	if how >= endsBroken {
		why = "its Do has ended " + how.String()
	}
	if how >= endsInPanic {
		w.mu.count.panics++
	}
	w.giveUpLocked(h, why)
	if how == endsBroken {
		w.doubtLocked(w.now())
	}
	w.mu.Unlock()
	switch how {
	case endsHarmlessly:
		return errHarmless
	case endsBroken:
		return errBroken
	case endsInPanic:
		panic(plannedPanic{})
	case endsInExit:
		runtime.Goexit()
	}
	return nil
}

// call starts a call that must not block.
func (m *machine) call(f func()) {
	m.start(short, 0, func(*client) error { f(); return nil })
}
