package machine

import (
	"slices"
	"time"

	"github.com/connpool/connpool"
)

// The invariants, as seen when everything has come to rest. All are called with
// the world's lock held.

// everySlotIsAccountedFor: what the pool says of its slots is what the world has
// in its books (invariants 1, 4 and 5, and 17).
func (m *machine) everySlotIsAccountedFor(s connpool.Stats) {
	w := m.w
	idle, inUse := 0, 0
	for _, c := range w.mu.conns {
		switch {
		case c.idleLocked(w):
			idle++
		case c.user != nil || c.handed:
			inUse++
		}
	}
	m.same("Idle", s.Idle, idle)
	m.same("InUse", s.InUse, inUse)
	m.same("Connecting", s.Connecting, w.countLocked(connecting))
	m.same("Checking", s.Checking, w.countLocked(checking))
	m.same("Resetting", s.Resetting, w.countLocked(resetting))
	m.same("Closing", s.Closing, w.countLocked(closing))
	m.same("Abandoned", s.Abandoned, w.hungLocked())
	m.same("Size", s.Size, w.slotsLocked())
	m.same("Size, by its parts,", s.Size, s.Idle+s.InUse+s.Connecting+s.Checking+s.Resetting+s.Closing)
	m.same("Waiting", s.Waiting, m.waiters())
}

func (m *machine) waiters() (n int) {
	for _, c := range m.clients {
		if c.waitsLocked() {
			n++
		}
	}
	return n
}

func (m *machine) same(what string, got, want int) {
	if got != want {
		m.w.wrongLocked("%s is %d, and %d by the books", what, got, want)
	}
}

// neverMoreThanTheLimit: invariants 2 and 3. After a shrink there may be too
// many, which are never lent again and only become fewer.
func (m *machine) neverMoreThanTheLimit(s connpool.Stats) {
	w := m.w
	m.same("MaxSize", s.MaxSize, w.mu.maxSize)
	m.same("Limit", s.Limit, w.mu.size)
	if s.Size > w.mu.limit && s.Size > m.before.stats.Size {
		w.wrongLocked("Size is %d, it was %d and the limit is %d", s.Size, m.before.stats.Size, s.Limit)
	}
	live := s.Size - s.Closing
	if live <= s.Limit {
		return
	}
	if s.Idle > 0 {
		w.wrongLocked("%d are open, where %d are allowed, and %d of them idle", live, s.Limit, s.Idle)
	}
	for _, c := range m.clients {
		if live > w.mu.limit && c.queues() && c.grantedAt >= 0 && !c.served {
			w.wrongLocked("%v is served, though %d are open where %d are allowed", c, live, s.Limit)
		}
	}
}

// countersAgree: invariants 9 and 13.
func (m *machine) countersAgree(s connpool.Stats) {
	count := m.w.mu.count
	var closes uint64
	for _, n := range s.Closes {
		closes += n
	}
	for _, c := range []struct {
		what      string
		got, want uint64
	}{
		{"Connects", s.Connects, count.connects},
		{"Hijacks", s.Hijacks, count.hijacks},
		{"StaleReleases", s.StaleReleases, count.stale},
		{"Panics", s.Panics, count.panics},
		{"QueueFull", s.QueueFull, count.queueFull},
		{"Cancels", s.Cancels, count.cancels},
		{"Timeouts", s.Timeouts, count.timeouts},
		{"Closes", closes, count.closes},
	} {
		if c.got != c.want {
			m.w.wrongLocked("%s is %d, and %d by the books", c.what, c.got, c.want)
		}
	}
	if !m.w.mu.closed && s.ConnectErrors != count.connectErrors { // what Close calls off is no error
		m.w.wrongLocked("ConnectErrors is %d, and %d by the books", s.ConnectErrors, count.connectErrors)
	}
	if m.idleCutShort() {
		m.w.mu.count.granted = s.Acquires // nobody can tell how many it had got
		return
	}
	if !m.anyPending(acquireIdle) && s.Acquires != count.granted { // which has some that it has not returned
		m.w.wrongLocked("Acquires is %d, and %d by the books", s.Acquires, count.granted)
	}
}

// idleCutShort reports whether an AcquireIdle has been ended by a callback.
func (m *machine) idleCutShort() bool {
	return slices.ContainsFunc(m.clients, func(c *client) bool {
		return c.kind == acquireIdle && (c.panicked != nil || c.exited)
	})
}

func (m *machine) anyPending(kind act) bool {
	for _, c := range m.clients {
		if c.kind == kind && !c.ended {
			return true
		}
	}
	return false
}

// waitersAreServed: invariant 7, as far as what is open is concerned. Somebody
// may wait beside an idle connection only if that has to be checked first and as
// many others are on their way.
func (m *machine) waitersAreServed(s connpool.Stats) {
	if s.Waiting > 0 && s.Idle > 0 && !s.Paused && s.Waiting > s.Checking+s.Resetting {
		m.w.wrongLocked("%d wait and %d are idle", s.Waiting, s.Idle)
	}
	if most := m.w.cfg.MaxWaiting; most > 0 && s.Waiting > most && m.w.mu.count.rejected == 0 { // else one may have gone back
		m.w.wrongLocked("%d wait, where %d may", s.Waiting, most)
	}
	m.dialled("waiters", s, s.Waiting-s.Checking-s.Resetting)
}

// minimumsAreKept: invariant 16, and MaxIdle. What comes back while somebody
// waits, or who has come in this round, may have been meant for him.
func (m *machine) minimumsAreKept(s connpool.Stats) {
	before := m.before.stats
	if s.Idle > s.MaxIdle && s.Idle > before.Idle && s.Waits == before.Waits && before.Waiting == 0 {
		m.w.wrongLocked("%d are idle, where %d may be", s.Idle, s.MaxIdle)
	}
	if s.Closing > 0 {
		return // the slot of one that is missing is not free yet
	}
	m.dialled("MinSize", s, s.MinSize-(s.Size-s.Connecting))
	if s.MinIdle > 0 && !m.anyHanded() { // one more is missed when Prepare has passed
		m.dialled("MinIdle", s, s.MinIdle+s.Waiting-s.Idle-s.Checking-s.Resetting)
	}
}

// anyHanded reports whether a connection is on its way to somebody.
func (m *machine) anyHanded() bool {
	return slices.ContainsFunc(m.w.mu.conns, func(c *conn) bool { return c.handed })
}

// dialled reports it if fewer dials are under way than somebody needs, and
// nothing stands in the way: invariant 7, as far as dials are concerned.
func (m *machine) dialled(whom string, s connpool.Stats, need int) {
	if c := m.w.mu.common; m.mayDial(s, need) && (c.units == 0 || c.usedLocked() < c.units) {
		m.w.wrongLocked("%d dials are under way where the %s need %d, and nothing stands in the way",
			s.Connecting, whom, need)
	}
}

// mayDial reports whether fewer dials are under way than somebody needs, and
// nothing but the Budget stands in the way.
func (m *machine) mayDial(s connpool.Stats, need int) bool {
	d := m.w.mu.dials
	window := min(2, m.w.cfg.MaxConnecting) // or more, unless a dial has failed
	if d.failed && d.lastFail >= d.lastOK {
		window = 1
	}
	inPause := d.failed && m.w.now() <= d.lastFail+m.w.cfg.BackoffMax
	return s.Connecting < need && s.Connecting < window && s.Size < s.Limit && !inPause &&
		!s.Paused && !m.w.mu.closed && s.Abandoned < s.MaxSize
}

// inOrder: invariant 8. Of those who stood in the queue, whoever came first is
// served first, and nobody gets by. One whose connection was rejected goes back
// to the head, and others may have been served meanwhile.
func (m *machine) inOrder(connpool.Stats) {
	if m.w.mu.count.rejected != m.before.count.rejected {
		return
	}
	for _, later := range m.clients {
		if later.grantedAt < 0 || later.served || later.kind == short {
			continue
		}
		for _, c := range m.clients {
			if c.queued == 0 || c.queued >= later.joined() {
				continue
			}
			if c.waitsLocked() || !c.served && c.grantedAt > later.grantedAt {
				m.w.wrongLocked("%v is served before %v, who came first", later, c)
			}
		}
	}
}

// joined is the first round in which the client may have joined the queue.
func (c *client) joined() int { return max(c.round, c.queued) }

// onlyGoodOnesStay: what must not be lent again is closed, or on its way there
// (invariants 10, 11 and 15), and what nobody needs too.
func (m *machine) onlyGoodOnesStay(s connpool.Stats) {
	w, now := m.w, m.w.now()
	slack := 3*w.period + w.cfg.CheckTimeout + grace
	for _, c := range w.mu.conns {
		if c.left && c.closes == 0 && !c.hijacked && c.busy == nil {
			w.wrongLocked("%v came too late, and is not closed", c)
		}
		if !c.idleLocked(w) {
			continue
		}
		idle := now - max(c.returned, c.born)
		switch {
		case c.unfit != "":
			w.wrongLocked("%v is idle after %s", c, c.unfit)
		case c.generation < w.mu.retired:
			w.wrongLocked("%v is idle, and was retired", c)
		case w.mu.closed:
			w.wrongLocked("%v is idle in a closed pool", c)
		case w.cfg.MaxLifetime > 0 && now-c.born >= w.cfg.MaxLifetime:
			w.wrongLocked("%v is idle at the age of %v", c, now-c.born)
		case w.cfg.IdleTimeout > 0 && idle > w.cfg.IdleTimeout+slack && now-m.spareSince(s) > slack:
			w.wrongLocked("%v has been idle for %v", c, idle)
		}
	}
}

// spareSince returns since when there has been an idle connection more than the
// minimums ask for, and nothing has changed.
func (m *machine) spareSince(s connpool.Stats) time.Duration {
	before := m.before.stats
	spare := s.Size-s.Closing-s.Connecting > s.MinSize && s.Idle > s.MinIdle
	if !spare || s.Connects != before.Connects || s.Acquires != before.Acquires || s.Idle != before.Idle || s.Size != before.Size {
		m.spared = m.w.now()
	}
	return m.spared
}

// pausedMeansPaused: nobody is served during a pause.
func (m *machine) pausedMeansPaused(s connpool.Stats) {
	if s.Paused != m.w.mu.paused {
		m.w.wrongLocked("Paused is %t", s.Paused)
	}
	if !m.before.stats.Paused || m.resumed {
		return
	}
	for _, c := range m.clients {
		if after := c.round >= m.pausedIn || c.grantedAt > m.w.mu.pausedAt; after && c.grantedAt >= 0 && !c.served {
			m.w.wrongLocked("%v is served during a pause", c)
		}
	}
}

// leaksAreReported: every lease that is held for too long, once, and no other.
func (m *machine) leaksAreReported(s connpool.Stats) {
	w := m.w
	all := w.mu.leaks
	for h := range w.mu.holds {
		all = all.plus(w.leaksOf(h))
	}
	if s.Leaks < all.must && !w.mu.closed || s.Leaks > all.may && !m.anyPending(acquireIdle) {
		w.wrongLocked("%d leaks are reported, where there are %d to %d", s.Leaks, all.must, all.may)
	}
}

// holdersAreComplete: Holders leaves no lease out, and makes none older than it
// is.
func (m *machine) holdersAreComplete(s connpool.Stats, holders []connpool.Holder) {
	n, longest := 0, time.Duration(0)
	for _, h := range holders {
		n, longest = n+h.Count, max(longest, h.Held)
	}
	m.same("the number of leases in Holders", n, s.InUse)
	oldest := m.w.now()
	for _, c := range m.w.mu.conns {
		if c.user != nil {
			oldest = min(oldest, c.user.since)
		}
		if c.handed {
			oldest = min(oldest, c.handedAt)
		}
	}
	if n > 0 && longest > m.w.now()-oldest && !m.anyPending(acquireIdle) {
		m.w.wrongLocked("a lease is held for %v in Holders, and for %v by the books", longest, m.w.now()-oldest)
	}
}

// leasesHold: a lease that lasts is of the connection that it was of at first
// (invariants 4 and 6).
func (m *machine) leasesHold() {
	for h := range m.w.mu.holds {
		if h.conn.closes > 0 {
			m.w.wrongLocked("%v: it has been closed", h)
		}
		if h.finish != nil {
			continue
		}
		if c := h.lease.Conn(); c != h.conn {
			m.w.wrongLocked("%v is now of %v", h, c)
		}
	}
}
