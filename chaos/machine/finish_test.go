package machine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// finish makes the world well again and checks that nothing has been lost: all
// who wait are served, the pool lends as many connections as it may, and once it
// is shut down every one has been closed, once.
func (m *machine) finish(t *rapid.T) {
	m.w.heal()
	if m.w.mu.paused {
		m.resume()
	}
	m.look(t)
	time.Sleep(10 * time.Second) // until a dial has found out that the server is well
	m.drain(t)
	if !m.w.mu.closed {
		m.lendAll(t)
	}
	m.setClosed()
	c := m.start(shutdown, 10*time.Second, func(c *client) error { return m.w.pool.Shutdown(c.ctx) })
	m.look(t)
	time.Sleep(10 * time.Second)
	m.look(t)
	if c.err != nil {
		t.Fatalf("%v fails, with every lease ended: %v", c, c.err)
	}
	for _, c := range m.w.mu.conns {
		t.Fatalf("%v is open after a Shutdown", c)
	}
}

// drain ends all leases until nobody wants one any more.
func (m *machine) drain(t *rapid.T) {
	for range 100 {
		m.look(t)
		if len(m.clients) == 0 && len(m.holds) == 0 {
			return
		}
		for _, h := range slices.Clone(m.holds) {
			if h.finish != nil {
				h.end(endsWell)
			} else {
				m.release(h)
			}
		}
		m.look(t)
		time.Sleep(2 * time.Second)
	}
	t.Fatalf("%d calls are still under way: %v", len(m.clients), m.clients)
}

// lendAll borrows as many connections as may be open.
func (m *machine) lendAll(t *rapid.T) {
	most := m.w.mu.maxSize
	for n := range most {
		c := m.startAcquire(time.Minute)
		m.look(t)
		time.Sleep(2 * time.Second)
		m.look(t)
		if len(c.leases) != 1 {
			t.Fatalf("of %d connections, %d can be lent: %v", most, n, c.err)
		}
	}
	m.drain(t)
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
