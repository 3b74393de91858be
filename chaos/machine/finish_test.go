package machine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// finish makes the world well again and checks that nothing has been lost: all
// who wait are served, each pool lends as many connections as it may, and once it
// is shut down every one has been closed, once, and every unit has been given back.
func (f *fleet) finish(t *rapid.T) {
	for _, m := range f.machines {
		m.w.heal()
		if m.w.mu.paused {
			m.resume()
		}
	}
	f.look(t)
	if f.units > 0 {
		f.giveUpWarming() // others may have the units that it waits for, and keep them
	}
	time.Sleep(10 * time.Second) // until a dial has found out that the server is well
	f.drain(t)
	for _, m := range f.machines {
		if !m.w.mu.closed {
			f.lendAll(t, m)
		}
	}
	f.shutDown(t)
	f.useAll(t)
}

func (f *fleet) giveUpWarming() {
	for _, m := range f.machines {
		for _, c := range m.pending() {
			if c.kind == warm {
				m.cancel(c)
			}
		}
	}
}

// drain ends all leases until nobody wants one any more.
func (f *fleet) drain(t *rapid.T) {
	for range 100 {
		f.look(t)
		busy := false
		for _, m := range f.machines {
			busy = busy || len(m.clients) > 0 || len(m.holds) > 0
			m.endAll()
		}
		if !busy {
			return
		}
		f.look(t)
		time.Sleep(2 * time.Second)
	}
	for _, m := range f.machines {
		t.Fatalf("%s: %d calls are still under way: %v", m.w.cfg.Name, len(m.clients), m.clients)
	}
}

// endAll ends all leases of one pool.
func (m *machine) endAll() {
	for _, h := range slices.Clone(m.holds) {
		if h.finish != nil {
			h.end(endsWell)
		} else {
			m.release(h)
		}
	}
}

// lendAll borrows as many connections of a pool as may be open. The others have
// no use for theirs.
func (f *fleet) lendAll(t *rapid.T, m *machine) {
	most := m.w.mu.maxSize
	if f.units > 0 {
		most = min(most, f.units)
	}
	for n := range most {
		c := m.startAcquire(time.Minute)
		f.look(t)
		time.Sleep(2 * time.Second)
		f.look(t)
		if len(c.leases) != 1 {
			t.Fatalf("%s: of %d connections, %d can be lent: %v", m.w.cfg.Name, most, n, c.err)
		}
	}
	f.drain(t)
}

func (f *fleet) shutDown(t *rapid.T) {
	var calls []*client
	for _, m := range f.machines {
		m.setClosed()
		calls = append(calls, m.start(shutdown, 10*time.Second, func(c *client) error {
			return m.w.pool.Shutdown(c.ctx)
		}))
	}
	f.look(t)
	time.Sleep(10 * time.Second)
	f.look(t)
	for i, m := range f.machines {
		if err := calls[i].err; err != nil {
			t.Fatalf("%s: %v fails, with every lease ended: %v", m.w.cfg.Name, calls[i], err)
		}
		for _, c := range m.w.mu.conns {
			t.Fatalf("%s: %v is open after a Shutdown", m.w.cfg.Name, c)
		}
	}
}

// describe prints the books.
func (w *world) describe() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b strings.Builder
	for _, c := range w.mu.conns {
		fmt.Fprintf(&b, "%v: user %v handed %t busy %t closes %d left %t unfit %q\n", c, c.user, c.handed, c.busy != nil, c.closes, c.left, c.unfit)
	}
	return b.String()
}
