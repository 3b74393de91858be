package machine

import (
	"cmp"
	"context"
	"maps"
	"reflect"
	"slices"
	"time"

	"pgregory.net/rapid"
)

// action is something that the machine can do.
type action struct {
	can func() bool // nil: always
	do  func(t *rapid.T)
}

// actions returns what rapid may choose from, by name.
func (m *machine) actions() map[string]func(*rapid.T) {
	all := make(map[string]func(*rapid.T))
	add := func(actions map[string]action) {
		for name, a := range actions {
			all[name] = m.alone(a)
		}
	}
	add(m.acquiring())
	add(m.ending())
	add(m.mischief())
	add(m.operating())
	add(m.waiting())
	return all
}

// alone makes a round of an action.
func (m *machine) alone(a action) func(*rapid.T) {
	return func(t *rapid.T) {
		if a.can != nil && !a.can() {
			t.SkipNow()
		}
		a.do(t)
	}
}

// oneOfSeveral does one of several things that are done in one round.
func (m *machine) oneOfSeveral(t *rapid.T) {
	all := make(map[string]action)
	for _, some := range []map[string]action{m.acquiring(), m.ending(), m.operating()} {
		maps.Copy(all, some)
	}
	able := slices.Sorted(maps.Keys(all))
	able = slices.DeleteFunc(able, func(name string) bool {
		a := all[name]
		return a.can != nil && !a.can()
	})
	all[rapid.SampledFrom(able).Draw(t, "at once")].do(t)
}

// act notes that something is done.
func (m *machine) act() {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	m.did++
	m.w.moveLocked()
}

func (m *machine) acquiring() map[string]action {
	return map[string]action{
		"acquire": {do: func(*rapid.T) { m.startAcquire(0) }},
		"acquire soon": {do: func(t *rapid.T) {
			m.startAcquire(drawDuration(t, "within", time.Millisecond, 20*time.Millisecond, 200*time.Millisecond, 2*time.Second, 15*time.Second))
		}},
		"acquire too late": {do: func(*rapid.T) { m.startAcquire(-time.Nanosecond) }},
		"do": {do: func(t *rapid.T) {
			m.startDo(drawDuration(t, "within", 0, 20*time.Millisecond, 2*time.Second))
		}},
		"try": {do: func(*rapid.T) { m.startTry() }},
		"acquire idle": {
			can: func() bool { return !m.anyBegun(acquireIdle) }, // two could not be told apart in Prepare
			do:  func(*rapid.T) { m.startAcquireIdle() },
		},
		"cancel": {
			can: func() bool { return len(m.pending()) > 0 },
			do: func(t *rapid.T) {
				m.cancel(rapid.SampledFrom(m.pending()).Draw(t, "who"))
			},
		},
	}
}

func (m *machine) cancel(c *client) {
	m.act()
	c.canceled = m.w.now()
	c.cancel(errCanceled)
}

// anyBegun reports whether such a call is under way, as far as is known.
func (m *machine) anyBegun(kind act) bool {
	return slices.ContainsFunc(m.clients, func(c *client) bool { return c.kind == kind })
}

// pending returns clients that can be cancelled.
func (m *machine) pending() []*client {
	return slices.DeleteFunc(slices.Clone(m.clients), func(c *client) bool {
		return c.kind == short || c.canceled >= 0 || c.round == m.round
	})
}

func (m *machine) ending() map[string]action {
	leased := func() bool { return len(m.held(false)) > 0 }
	return map[string]action{
		"release":      {can: leased, do: func(t *rapid.T) { m.release(m.drawHold(t, false)) }},
		"release one":  {can: leased, do: func(t *rapid.T) { m.release(m.drawHold(t, false)) }},
		"release with": {can: leased, do: m.releaseErr},
		"discard":      {can: leased, do: m.discard},
		"hijack":       {can: leased, do: m.hijack},
		"keep long":    {can: leased, do: m.keepLong},
		"end a do": {
			can: func() bool { return len(m.held(true)) > 0 },
			do: func(t *rapid.T) {
				how := rapid.SampledFrom([]ending{endsWell, endsWell, endsHarmlessly, endsBroken, endsInPanic, endsInExit}).Draw(t, "how")
				h := m.drawHold(t, true)
				m.act()
				h.end(how)
			},
		},
	}
}

// held returns leases that can be ended in this round: those of Do, or others.
func (m *machine) held(byDo bool) []*hold {
	return slices.DeleteFunc(slices.Clone(m.holds), func(h *hold) bool { return (h.finish != nil) != byDo })
}

// drawHold draws one of them, which is out of the draw for the round.
func (m *machine) drawHold(t *rapid.T, byDo bool) *hold {
	h := rapid.SampledFrom(m.held(byDo)).Draw(t, "which")
	m.holds = slices.DeleteFunc(m.holds, func(other *hold) bool { return other == h })
	return h
}

// end ends a lease, first in the books and then by calling f.
func (m *machine) end(h *hold, why string, f func()) {
	m.w.mu.Lock()
	m.w.giveUpLocked(h, why)
	m.w.mu.Unlock()
	m.past = append(m.past, h)
	m.call(f)
}

func (m *machine) release(h *hold) { m.end(h, "", h.lease.Release) }

func drawError(t *rapid.T) error {
	return rapid.SampledFrom([]error{nil, errHarmless, errBroken, context.Canceled, errIsBadFails, errIsBadExits}).Draw(t, "error")
}

func (m *machine) releaseErr(t *rapid.T) {
	h, err := m.drawHold(t, false), drawError(t)
	why := ""
	if err != nil && err != errHarmless {
		why = "ReleaseErr of " + err.Error()
	}
	m.end(h, why, func() { h.lease.ReleaseErr(err) })
	m.doubtIf(err)
}

func (m *machine) discard(t *rapid.T) {
	h, err := m.drawHold(t, false), drawError(t)
	m.end(h, "Discard", func() { h.lease.Discard(err) })
	m.doubtIf(err)
}

func (m *machine) doubtIf(err error) {
	if err == errBroken {
		m.w.doubt(m.w.now())
	}
}

func (m *machine) hijack(t *rapid.T) {
	h := m.drawHold(t, false)
	m.w.mu.Lock()
	h.conn.hijacked, h.conn.left = true, true
	m.w.mu.count.hijacks++
	m.w.mu.Unlock()
	m.end(h, "Hijack", func() {
		if c := h.lease.Hijack(); c != h.conn {
			m.w.wrong("%v is hijacked, and %v comes of it", h.conn, c)
		}
	})
}

func (m *machine) keepLong(t *rapid.T) {
	h := rapid.SampledFrom(m.held(false)).Draw(t, "which")
	m.act()
	h.lease.KeepLong()
	if h.kept < 0 {
		h.kept = m.w.now() // the books of a lease that lasts are the machine's alone
	}
}

// mischief is what no user should do, and what befalls servers.
func (m *machine) mischief() map[string]action {
	past := func() bool { return len(m.past) > 0 }
	return map[string]action{
		"end an ended lease": {can: past, do: m.endAgain},
		"use an ended lease": {can: past, do: m.useAgain},
		"order":              {do: m.order},
		"order another":      {do: m.order},
		"let go":             {do: func(*rapid.T) { m.w.letGo() }},
		"server goes down": {
			can: func() bool { return m.w.cfg.BackoffMax > time.Millisecond },
			do:  func(*rapid.T) { m.setDown(true) },
		},
		"server comes up": {can: func() bool { return m.w.mu.down }, do: func(*rapid.T) { m.setDown(false) }},
		"connection dies": {
			can: func() bool { return len(m.idle()) > 0 },
			do: func(t *rapid.T) {
				c := rapid.SampledFrom(m.idle()).Draw(t, "which")
				m.w.mu.Lock()
				defer m.w.mu.Unlock()
				c.dead = m.w.now()
			},
		},
	}
}

func (m *machine) setDown(down bool) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	m.w.mu.down = down
}

func (m *machine) idle() []*conn {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.w.mu.conns), func(c *conn) bool { return !c.idleLocked(m.w) || c.dead >= 0 })
}

// endAgain ends an ended lease: it is counted, and changes nothing else
// (invariant 13).
func (m *machine) endAgain(t *rapid.T) {
	h := rapid.SampledFrom(m.past).Draw(t, "which")
	again := rapid.SampledFrom([]string{"Release", "ReleaseErr", "Discard", "Hijack"}).Draw(t, "how")
	want := m.w.pool.Stats()
	switch again {
	case "Release":
		h.lease.Release()
	case "ReleaseErr":
		h.lease.ReleaseErr(errBroken)
	case "Discard":
		h.lease.Discard(errBroken)
	case "Hijack":
		if !panicsOnUse(func() { h.lease.Hijack() }) {
			m.w.wrong("an ended lease is hijacked")
		}
	}
	m.w.mu.Lock()
	m.w.mu.count.stale++
	m.w.mu.Unlock()
	want.StaleReleases++
	if got := m.w.pool.Stats(); !reflect.DeepEqual(want, got) {
		m.w.wrong("%s of an ended lease changes %+v into %+v", again, want, got)
	}
}

// useAgain uses an ended lease: Conn panics.
func (m *machine) useAgain(t *rapid.T) {
	h := rapid.SampledFrom(m.past).Draw(t, "which")
	h.lease.KeepLong()
	if !panicsOnUse(func() { h.lease.Conn() }) {
		m.w.wrong("Conn of an ended lease returns")
	}
}

func panicsOnUse(f func()) (panicked bool) {
	defer func() { panicked = recover() != nil }()
	f()
	return false
}

// order tells the next calls of a callback what to do.
func (m *machine) order(t *rapid.T) {
	k := rapid.SampledFrom([]kind{
		connecting, connecting, closing, checking, checking, resetting, resetting,
		preparing, cleaning, alive, sizing,
	}).Draw(t, "callback")
	o := order{deed: rapid.SampledFrom(deedsOf[k]).Draw(t, "deed")}
	o.delay = m.w.odd(drawDuration(t, "after", 5*time.Millisecond, 60*time.Millisecond, 600*time.Millisecond, 2500*time.Millisecond))
	for range rapid.IntRange(1, 3).Draw(t, "times") {
		m.w.mu.Lock()
		m.w.mu.orders[k] = append(m.w.mu.orders[k], o)
		m.w.mu.Unlock()
	}
}

// operating is what operators do.
func (m *machine) operating() map[string]action {
	old := func() bool { return m.round >= m.closesAfter }
	return map[string]action{
		"resize": {do: m.resize},
		"resize while the Sizer decides": {
			can: func() bool { return m.w.deciding() },
			do:  m.resize,
		},
		"decide": {can: func() bool { return m.w.cfg.Sizer != nil }, do: m.decide},
		"retire": {do: func(*rapid.T) { m.retire() }},
		"pause":  {can: func() bool { return !m.w.mu.paused }, do: func(*rapid.T) { m.pause() }},
		"resume": {can: func() bool { return m.w.mu.paused }, do: func(*rapid.T) { m.resume() }},
		"warm": {do: func(t *rapid.T) {
			m.start(warm, drawDuration(t, "within", 0, 30*time.Millisecond, 2*time.Second), func(c *client) error { return m.w.pool.Warm(c.ctx) })
		}},
		"close": {can: old, do: func(*rapid.T) { m.close() }},
		"shut down": {can: old, do: func(t *rapid.T) {
			m.setClosed()
			m.start(shutdown, drawDuration(t, "within", 30*time.Millisecond, 2*time.Second), func(c *client) error { return m.w.pool.Shutdown(c.ctx) })
		}},
	}
}

func (m *machine) resize(t *rapid.T) {
	n := rapid.IntRange(1, 8).Draw(t, "to")
	m.act()
	fits := n >= m.w.cfg.MinSize && n >= m.w.cfg.MinIdle
	if fits {
		m.w.mu.Lock()
		m.w.sizedLocked(n, n)
		m.w.mu.Unlock()
	}
	if err := m.w.pool.Resize(n); (err == nil) != fits {
		m.w.wrong("Resize(%d) returns %v", n, err)
	}
}

// retire also renews what those who wait may get: none of them has a connection
// yet.
func (m *machine) retire() {
	m.act()
	m.w.mu.Lock()
	m.w.mu.retired++
	m.w.mu.dials.resumed(m.w.now())
	m.w.mu.Unlock()
	m.w.pool.Retire()
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	for _, c := range m.clients {
		if m.did == 1 && c.waitsLocked() {
			c.generation = m.w.mu.retired
		}
	}
}

func (m *machine) pause() {
	m.act()
	m.pausedIn = m.round + 1
	m.w.pool.Pause()
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	m.w.mu.paused, m.w.mu.pausedAt = true, m.w.now()
}

func (m *machine) resume() {
	m.act()
	m.resumed = true
	m.w.mu.Lock()
	m.w.mu.paused = false
	m.w.mu.dials.resumed(m.w.now())
	m.w.mu.Unlock()
	m.w.pool.Resume()
}

func (m *machine) close() {
	m.setClosed()
	if err := m.w.pool.Close(); err != nil {
		m.w.wrong("Close returns %v", err)
	}
}

func (m *machine) setClosed() {
	m.act()
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	if !m.w.mu.closed {
		m.w.mu.closed, m.w.mu.closedAt = true, m.w.now()
	}
}

// waiting lets time pass: moments, longer than a time-out, longer than a life.
func (m *machine) waiting() map[string]action {
	wait := func(times ...time.Duration) action {
		return action{do: func(t *rapid.T) {
			m.did++
			time.Sleep(drawDuration(t, "for", times...))
		}}
	}
	return map[string]action{
		"wait a moment": wait(time.Millisecond, 7*time.Millisecond, 30*time.Millisecond),
		"wait":          wait(70*time.Millisecond, 150*time.Millisecond, 600*time.Millisecond, 1100*time.Millisecond),
		"wait long":     wait(2500*time.Millisecond, 5*time.Second, 9*time.Second, 35*time.Second),
	}
}

// byID sorts what comes out of maps, so that a run can be replayed.
func byID(a, b *hold) int { return cmp.Compare(a.conn.id, b.conn.id) }
