package machine

import (
	"maps"
	"slices"

	"pgregory.net/rapid"

	"github.com/connpool/connpool"
)

// look compares the pool, where everything has come to rest, with the books, and
// ends the round.
func (m *machine) look(t *rapid.T) {
	s, holders := m.w.pool.Stats(), m.w.pool.Holders()
	m.w.mu.Lock()
	m.noteAbandoned()
	m.judgeClients()
	for _, invariant := range []func(connpool.Stats){
		m.everySlotIsAccountedFor, m.neverMoreThanTheLimit, m.countersAgree,
		m.waitersAreServed, m.minimumsAreKept, m.inOrder, m.onlyGoodOnesStay, m.pausedMeansPaused, m.leaksAreReported,
	} {
		invariant(s)
	}
	m.holdersAreComplete(s, holders)
	m.leasesHold()
	faults := m.w.mu.faults
	m.endRound(s)
	m.w.mu.Unlock()
	if len(faults) > 0 {
		s.WaitTime, s.ConnectTime = connpool.Histogram{}, connpool.Histogram{}
		t.Fatalf("%s\n%+v\n%s", faults[0], s, m.w.describe())
	}
}

// noteAbandoned enters into the books what the pool has given up on.
func (m *machine) noteAbandoned() {
	w, now := m.w, m.w.now()
	w.noteSizingLocked()
	for r := range w.mu.running {
		if r.noted || !r.abandoned(now) {
			continue
		}
		r.noted = true
		switch r.kind {
		case connecting:
			d := &w.mu.dials
			d.failed, d.lastFail = true, max(d.lastFail, r.until)
			d.pauseUntil = max(d.pauseUntil, r.until+w.cfg.BackoffMax)
			w.mu.count.connectErrors++
		case checking, resetting:
			r.conn.unfit = "its " + r.kind.String() + " was abandoned"
			w.mu.count.closes++
		}
	}
}

// endRound readies the books for the next round.
func (m *machine) endRound(s connpool.Stats) {
	w := m.w
	for _, c := range m.clients {
		if c.queued == 0 && c.waitsLocked() {
			c.queued = m.round
		}
		c.served = c.grantedAt >= 0
	}
	m.clients = slices.DeleteFunc(m.clients, func(c *client) bool { return c.ended })
	m.holds = slices.SortedFunc(maps.Keys(w.mu.holds), byID)
	m.past = m.past[max(0, len(m.past)-8):]
	w.mu.conns = slices.DeleteFunc(w.mu.conns, func(c *conn) bool {
		return c.left && c.user == nil && c.busy == nil && (c.closes == 1 || c.hijacked)
	})
	w.foldDoubtsLocked()
	w.mu.limit = w.mu.size
	m.spareSince(s)
	m.before = rest{stats: s, count: w.mu.count}
	m.did, m.resumed = 0, false
	m.round++
}
