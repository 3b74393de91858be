package machine

import (
	"context"
	"fmt"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/connpool/connpool"
)

// fleet is one pool, or some that share a Budget, each with a world and a machine.
type fleet struct {
	*common
	budget   *connpool.Budget // or nil
	machines []*machine
	lookedAt time.Duration
}

// newFleet draws so many pools. units is 0 for no Budget.
func newFleet(t *rapid.T, pools, units int) *fleet {
	f := &fleet{common: &common{units: units}}
	if units > 0 {
		f.budget = connpool.NewBudget(units)
	}
	for n := range pools {
		f.machines = append(f.machines, newMachine(t, f.common, fmt.Sprintf("pool %d", n+1), f.budget))
	}
	return f
}

// actions are those of a pool that is drawn for each.
func (f *fleet) actions() map[string]func(*rapid.T) {
	all := make(map[string]func(*rapid.T))
	for name := range f.machines[0].actions() {
		all[name] = func(t *rapid.T) { f.drawPool(t).actions()[name](t) }
	}
	all["several at once"] = f.together
	all[""] = f.look
	return all
}

func (f *fleet) drawPool(t *rapid.T) *machine {
	if len(f.machines) == 1 {
		return f.machines[0]
	}
	n := rapid.IntRange(1, len(f.machines)).Draw(t, "pool")
	return f.machines[n-1]
}

// together does a few things in one round, the next begun before the last has
// had any effect: a release meets a cancel, a Close, a Resize, a caller of another
// pool.
func (f *fleet) together(t *rapid.T) {
	for range rapid.IntRange(2, 4).Draw(t, "so many") {
		f.drawPool(t).oneOfSeveral(t)
	}
	for _, m := range f.machines {
		m.did += 2 // what one pool does may have an effect on another
	}
}

// look waits until everything has come to rest, and looks at each pool and at what
// they share.
func (f *fleet) look(t *rapid.T) {
	synctest.Wait()
	kept := f.keepers()
	for _, m := range f.machines {
		m.look(t)
	}
	if f.units == 0 {
		return
	}
	f.Lock()
	defer f.Unlock()
	if used := f.usedLocked(); used > f.units {
		t.Fatalf("%d units of the Budget are in use, and there are %d", used, f.units)
	}
	for _, m := range f.machines {
		f.owedIsGiven(t, m)
		was := m.starved
		m.starved = m.before.stats.Size == 0 && m.lacksUnit()
		if was && m.starved && len(kept) > 0 {
			t.Fatalf("at %v: callers of %s wait, which has no connection, and %v is served by %s, "+
				"which has them all", m.w.now(), m.w.cfg.Name, kept[0], kept[0].name)
		}
	}
	f.lookedAt = f.machines[0].w.now()
}

// keeper is a caller that has been served with a connection that came back.
type keeper struct {
	*client
	name string // of its pool
}

// keepers returns callers that waited and have now been served with what came back
// to their pool, if that has all the units and nothing else was done.
func (f *fleet) keepers() (kept []keeper) {
	f.Lock()
	defer f.Unlock()
	for _, m := range f.machines {
		now := m.w.now()
		if m.did != 1 || m.w.slotsLocked() < f.units || f.lookedAt != now {
			continue
		}
		for _, c := range m.clients {
			for _, h := range c.leases {
				if c.queued > 0 && !c.served && h.conn.returned == now && h.conn.born < now {
					kept = append(kept, keeper{c, m.w.cfg.Name})
				}
			}
		}
	}
	return kept
}

// usedLocked counts the connections that are open, or being opened or closed, in
// all pools.
func (c *common) usedLocked() (n int) {
	for _, w := range c.worlds {
		n += w.slotsLocked()
	}
	return n
}

// moveLocked notes that something has changed.
func (w *world) moveLocked() { w.mu.moved = max(w.mu.moved, w.now()) }

// settling is more than the time after which an idle connection has rested, as a
// Budget says: it looks twice, at an interval of 50 ms.
const settling = 300 * time.Millisecond

// owedIsGiven: callers of a pool that lacks nothing but a unit do not wait beside an
// idle connection of another, once nothing has changed for a moment; and not even
// that long if it has no connection or two fewer, and is the only one in need.
func (f *fleet) owedIsGiven(t *rapid.T, m *machine) {
	if !m.lacksUnit() || f.closingLocked() {
		return
	}
	s := m.before.stats
	now, d := m.w.now(), m.w.mu.dials
	since := f.movedLocked(now)
	if d.failed {
		since = max(since, d.lastFail+m.w.cfg.BackoffMax)
	}
	for _, other := range f.machines {
		theirs := other.before.stats
		if other == m || theirs.Idle == 0 {
			continue
		}
		poorer := s.Size == 0 || theirs.Size > s.Size+1
		if atOnce := poorer && f.onlyInNeed(m); atOnce || now-since > settling {
			t.Fatalf("at %v: %d callers of %s wait, which has %d connections, beside %d idle ones "+
				"of the %d of %s; at once: %t", now, s.Waiting, m.w.cfg.Name, s.Size, theirs.Idle, theirs.Size, other.w.cfg.Name, atOnce)
		}
	}
}

// lacksUnit reports whether callers of the pool wait, and only the Budget can
// stand in the way of a dial.
func (m *machine) lacksUnit() bool {
	s := m.before.stats
	return s.Connecting == 0 && m.mayDial(s, s.Waiting-s.Checking-s.Resetting)
}

// closingLocked reports whether a unit may be on its way.
func (f *fleet) closingLocked() bool {
	for _, w := range f.worlds {
		if w.countLocked(closing) > 0 {
			return true
		}
	}
	return false
}

// movedLocked returns when anything has last changed, callbacks that were given up
// included.
func (f *fleet) movedLocked(now time.Duration) time.Duration {
	moved := f.moved
	for _, w := range f.worlds {
		for r := range w.mu.running {
			if r.abandoned(now) {
				moved = max(moved, r.until)
			}
		}
	}
	return moved
}

// onlyInNeed reports whether no other pool can be waiting for a unit.
func (f *fleet) onlyInNeed(m *machine) bool {
	for _, other := range f.machines {
		d := other.w.mu.dials
		failing := d.failed && d.lastFail >= d.lastOK
		if other != m && (failing || other.before.stats.Waiting > 0) {
			return false
		}
	}
	return true
}

// useAll opens as many connections as there are units, which all pools have given
// back.
func (f *fleet) useAll(t *rapid.T) {
	if f.units == 0 {
		return
	}
	pool, err := connpool.New(config{
		MaxSize: f.units,
		Budget:  f.budget,
		Connect: func(context.Context) (*conn, error) { return new(conn), nil },
		Close:   func(context.Context, *conn) error { return nil },
	})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	defer pool.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for n := range f.units {
		lease, err := pool.Acquire(ctx)
		if err != nil {
			t.Fatalf("of %d units %d are there: %v", f.units, n, err)
		}
		defer lease.Release()
	}
}

// clear ends everything that still goes on, so that the bubble is empty.
func (f *fleet) clear() {
	for _, m := range f.machines {
		m.stop()
	}
	time.Sleep(2 * time.Hour) // longer than anything here takes
	synctest.Wait()
}
