package machine

import (
	"context"
	"errors"

	"github.com/connpool/connpool"
)

// judgeClients looks at every call that was under way when the round began or
// has been made in it. The world's lock is held.
func (m *machine) judgeClients() {
	for _, c := range m.clients {
		if c.ended {
			m.judgeEnd(c)
		} else {
			m.judgePending(c)
		}
	}
}

// judgePending looks at a call that has not returned: it must have a reason
// (invariants 11 and 12).
func (m *machine) judgePending(c *client) {
	w, now := m.w, m.w.now()
	switch {
	case c.kind == short:
		w.wrongLocked("%v does not return", c)
	case c.kind == acquireIdle || len(c.leases) > 0: // in a slow Prepare; in the function of a Do
	case c.canceled >= 0:
		w.wrongLocked("%v does not return, though canceled", c)
	case c.deadline > 0 && now >= c.deadline:
		w.wrongLocked("%v does not return, though its deadline has passed", c)
	case c.preparing:
	case c.until > 0 && now >= c.until:
		w.wrongLocked("%v does not return, though AcquireTimeout has passed", c)
	case w.mu.closed && c.kind != shutdown:
		w.wrongLocked("%v does not return, though the pool is closed", c)
	case c.kind == tryAcquire:
		w.wrongLocked("%v waits", c)
	}
}

// judgeEnd looks at how a call has ended.
func (m *machine) judgeEnd(c *client) {
	w := m.w
	if c.kind == acquireIdle && (c.panicked != nil || c.exited) {
		m.unhand()
	}
	if c.panicked != nil {
		if c.panicked != (plannedPanic{}) {
			w.wrongLocked("%v panics: %v", c, c.panicked)
		}
		return
	}
	if c.exited {
		if w.mu.count.panics == m.before.count.panics {
			w.wrongLocked("%v is ended by Goexit, which nobody has called", c)
		}
		return
	}
	switch {
	case c.kind == shutdown:
		m.judgeShutdown(c)
	case c.kind == tryAcquire && errors.Is(c.err, connpool.ErrNoneIdle):
		m.judgeNoneIdle(c)
	case c.err != nil:
		m.judgeError(c)
	case c.kind == acquire && len(c.leases) != 1:
		w.wrongLocked("%v returns neither lease nor error", c)
	case c.kind == acquireIdle && m.did == 1 && m.calm() && len(c.leases) < m.before.stats.Idle:
		w.wrongLocked("%v returns %d leases, where %d were idle", c, len(c.leases), m.before.stats.Idle)
	}
}

// unhand notes that the pool has taken back what an AcquireIdle had got before a
// callback ended it.
func (m *machine) unhand() {
	for _, c := range m.w.mu.conns {
		if c.handed && c.handedTo == nil {
			c.handed, c.returned = false, m.w.now()
		}
	}
}

// calm reports whether what was idle when the round began could be lent as it
// was, with nothing to be asked and nobody ahead.
func (m *machine) calm() bool {
	cfg, before := m.w.cfg, m.before.stats
	return cfg.Alive == nil && cfg.Prepare == nil && cfg.MaxLifetime < 0 && before.Waiting == 0 && !before.Paused && !m.w.mu.closed
}

func (m *machine) judgeNoneIdle(c *client) {
	if m.did == 1 && m.calm() && m.w.cfg.Check == nil && m.before.stats.Idle > 0 {
		m.w.wrongLocked("%v finds none idle, where %d were", c, m.before.stats.Idle)
	}
}

// judgeShutdown: invariant 11.
func (m *machine) judgeShutdown(c *client) {
	w := m.w
	switch {
	case c.err != nil && errors.Is(c.err, context.Canceled) && c.canceled == c.endedAt:
	case c.err != nil && c.endedAt != c.deadline:
		w.wrongLocked("%v fails before its deadline: %v", c, c.err)
	case c.err == nil && (len(w.mu.holds) > 0 || w.slotsLocked() > 0):
		w.wrongLocked("%v returns with %d leases held and %d slots in use", c, len(w.mu.holds), w.slotsLocked())
	}
}

// judgeError looks for the reason of an error (invariants 11 and 12), and counts
// what the pool must have counted.
func (m *machine) judgeError(c *client) {
	w, count := m.w, &m.w.mu.count
	var failed *connpool.AcquireError
	switch {
	case c.kind == do && len(c.leases) > 0 && (c.err == errHarmless || c.err == errBroken):
		return
	case c.kind == tryAcquire && errors.Is(c.err, connpool.ErrClosed) && w.mu.closed:
		return
	case !errors.As(c.err, &failed):
		w.wrongLocked("%v returns %v", c, c.err)
		return
	}
	switch failed.Stage {
	case connpool.StageConnect:
		m.judgeDown(c)
	case connpool.StagePrepare:
		if w.cfg.Prepare == nil {
			w.wrongLocked("%v returns %v without a Prepare", c, c.err)
		}
	case connpool.StageCheck:
		if count.rejected == 0 {
			w.wrongLocked("%v returns %v with no connection rejected", c, c.err)
		}
	case connpool.StageWait:
		m.judgeWait(c, failed.Err)
	}
}

func (m *machine) judgeWait(c *client, err error) {
	w, count := m.w, &m.w.mu.count
	switch {
	case errors.Is(err, connpool.ErrClosed):
		if !w.mu.closed {
			w.wrongLocked("%v returns %v of an open pool", c, err)
		}
	case errors.Is(err, connpool.ErrQueueFull):
		count.queueFull++
		if most := w.cfg.MaxWaiting; most == 0 || m.did == 1 && m.before.stats.Waiting < most {
			w.wrongLocked("%v returns %v, with %d waiting of %d", c, err, m.before.stats.Waiting, most)
		}
	case errors.Is(err, context.Canceled):
		if c.queues() {
			count.cancels++
		}
		if c.canceled != c.endedAt || !errors.Is(err, errCanceled) {
			w.wrongLocked("%v, canceled at %v, returns %v", c, c.canceled, err)
		}
	case errors.Is(err, context.DeadlineExceeded):
		if c.queues() {
			count.timeouts++
		}
		if c.endedAt != c.until && (c.deadline >= c.came || c.endedAt != c.came) {
			w.wrongLocked("%v, whose time is over at %v, returns %v", c, c.until, err)
		}
	default:
		w.wrongLocked("%v returns %v", c, err)
	}
}

// judgeDown: nobody is failed for the server before dials have failed for
// DownAfter, nor for a failure of long ago. Warm returns the first connect error.
func (m *machine) judgeDown(c *client) {
	w, d := m.w, c.dials
	if c.kind == warm && d.failed {
		return
	}
	if d.failed && c.endedAt-d.lastFail > w.cfg.BackoffMax && !c.dialling {
		w.wrongLocked("%v is failed with %v, though no dial is under way and the last failed at %v",
			c, c.err, d.lastFail)
	}
	ok := d.okBefore(c.endedAt)
	if w.cfg.DownAfter < 0 || !d.failed || d.lastFail < ok || c.endedAt-max(ok, 0) < w.cfg.DownAfter {
		w.wrongLocked("%v is failed with %v, though the last dial succeeded at %v and the last failed at %v", c, c.err, d.lastOK, d.lastFail)
	}
}
