package scenario

import (
	"context"
	"errors"
	"sync"
	"time"
)

// A ledger counts the dials and the callers of one pool, and writes down when
// each count changed. Reading it out afterwards disturbs the pool less than
// sampling it meanwhile, and is exact to the microsecond.
//
// It is safe for concurrent use.
type ledger struct {
	callers int  // that will come
	brief   bool // keep the counts only: there will be too many changes

	mu struct {
		sync.Mutex
		dialTakes time.Duration
		dialFails error
		began     time.Time // of what is recorded
		now       counts
		entries   []entry
	}
}

// counts is what there is at one time, and what there has been.
type counts struct {
	dials      int // begun
	dialling   int // of these, under way
	mostAtOnce int // dials under way
	opened     int // dials that succeeded
	inUse      int
	served     int
}

// An entry is one change.
type entry struct {
	at time.Duration
	counts
}

// change edits the counts and writes an entry.
func (l *ledger) change(edit func(*counts)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	edit(&l.mu.now)
	if !l.brief {
		l.mu.entries = append(l.mu.entries, entry{time.Since(l.mu.began), l.mu.now})
	}
}

// begin forgets how the connections came to be open and records from now on.
// Dials take this long, and end with this error, from now on.
func (l *ledger) begin(dialTakes time.Duration, dialFails error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.dialTakes, l.mu.dialFails = dialTakes, dialFails
	l.mu.now = counts{opened: l.mu.now.opened, dialling: l.mu.now.dialling}
	l.mu.began = time.Now()
	l.mu.entries = []entry{{0, l.mu.now}}
}

func (l *ledger) counts() counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.now
}

// elapsed is the time since begin.
func (l *ledger) elapsed() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.mu.began)
}

// dial is the rival's way to connect.
func (l *ledger) dial(ctx context.Context) error {
	takes, fails := l.dialStarts()
	err := sleep(ctx, takes)
	if err == nil {
		err = fails
	}
	l.change(func(c *counts) {
		c.dialling--
		if err == nil {
			c.opened++
		}
	})
	return err
}

func (l *ledger) dialStarts() (takes time.Duration, fails error) {
	l.change(func(c *counts) {
		c.dials++
		c.dialling++
		c.mostAtOnce = max(c.mostAtOnce, c.dialling)
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.dialTakes, l.mu.dialFails
}

// query is what a caller does with a connection that it has got.
func (l *ledger) query(takes time.Duration) func() {
	return func() {
		l.change(func(c *counts) { c.inUse++ })
		time.Sleep(takes)
		l.change(func(c *counts) { c.inUse--; c.served++ })
	}
}

var errStillDialling = errors.New("dials go on and on")

// settle waits until no dial has been under way for a while: a pool may open
// connections for callers that others have served already, and these count, too.
func (l *ledger) settle(ctx context.Context, quiet time.Duration) error {
	const look = time.Millisecond
	ctx, cancel := context.WithTimeoutCause(ctx, settleTimeout, errStillDialling)
	defer cancel()
	for calm := time.Duration(0); calm < quiet; calm += look {
		if l.counts().dialling > 0 {
			calm = 0
		}
		if err := sleep(ctx, look); err != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// settleTimeout is many times what the slowest pool needs.
const settleTimeout = 30 * time.Second

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
