package machine

import (
	"context"
	"log/slog"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/connpool/connpool"
)

// Leases that are dropped are found and their connections closed, once each; no
// other lease is touched, whatever else happens to it.
//
// Clean-ups run outside of every bubble, and a pool that lives in one must not be
// used from there. So this machine runs in real time: it waits until what must
// happen has happened, and judges no time.
func TestLostLeasesAreReclaimed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newLosing(t)
		defer m.pool.Close()
		t.Repeat(map[string]func(*rapid.T){
			"acquire":      m.acquire,
			"acquire full": m.acquireFull,
			"copy":         m.copy,
			"drop":         m.drop,
			"drop another": m.drop,
			"end":          m.end,
			"end again":    m.endAgain,
			"collect":      m.collectSometimes,
			"":             m.look,
		})
		m.finish(t)
	})
}

// losing drives a pool with ReclaimLost.
type losing struct {
	pool    *connpool.Pool[*lendable]
	size    int
	told    atomic.Uint64                  // leaks that OnLeak was told of, all lost
	others  atomic.Uint64                  // and any other
	lives   []*copies                      // leases that last
	past    []*copies                      // leases that have ended, and of which a copy is left
	lost    []*lendable                    // connections whose lease has been dropped
	stale   uint64                         // releases
	waiting chan connpool.Lease[*lendable] // what a caller that waits gets; nil: none waits
}

type lendable struct{ closes atomic.Int32 }

// copies are what is left of one lease. Nothing else may know it.
type copies struct {
	of   *lendable
	left []connpool.Lease[*lendable]
}

func newLosing(t *rapid.T) *losing {
	m := &losing{size: rapid.IntRange(1, 4).Draw(t, "MaxSize")}
	pool, err := connpool.New(connpool.Config[*lendable]{
		MaxSize:       m.size,
		ReclaimLost:   true,
		LeakThreshold: -1,
		Logger:        slog.New(slog.DiscardHandler),
		Connect:       func(context.Context) (*lendable, error) { return new(lendable), nil },
		Close:         func(_ context.Context, c *lendable) error { c.closes.Add(1); return nil },
		OnLeak: func(l connpool.Leak) {
			if l.Lost {
				m.told.Add(1)
			} else {
				m.others.Add(1)
			}
		},
	})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	m.pool = pool
	return m
}

// held is how many connections are lent, lost ones that have not been found
// included, unless they have just been.
func (m *losing) held() int { return len(m.lives) + len(m.lost) - int(m.pool.Stats().Leaks) }

func (m *losing) lend(lease connpool.Lease[*lendable]) {
	m.lives = append(m.lives, &copies{of: lease.Conn(), left: []connpool.Lease[*lendable]{lease}})
}

func (m *losing) acquire(t *rapid.T) {
	if m.waiting != nil || m.held() >= m.size {
		return // it would wait
	}
	lease, err := m.pool.Acquire(context.Background())
	if err != nil {
		t.Fatalf("Acquire: %v", err)
	}
	m.lend(lease)
}

// acquireFull has one caller wait.
func (m *losing) acquireFull(t *rapid.T) {
	if m.waiting != nil || len(m.lives) == m.size {
		return // one waits, or would for ever
	}
	m.waiting = make(chan connpool.Lease[*lendable], 1)
	go wait(m.pool, m.waiting)
}

// wait leaves the lease to its channel alone.
func wait(pool *connpool.Pool[*lendable], got chan<- connpool.Lease[*lendable]) {
	lease, err := pool.Acquire(context.Background())
	if err == nil {
		got <- lease
	}
	close(got)
}

// served takes what the caller that waits has got, if it has.
func (m *losing) served(t *rapid.T) bool {
	select {
	case lease, ok := <-m.waiting: // never, if nil
		if !ok {
			t.Fatalf("the caller that waits has failed")
		}
		m.waiting = nil
		m.lend(lease)
	default:
	}
	return m.waiting == nil
}

func draw(t *rapid.T, from []*copies) *copies {
	if len(from) == 0 {
		t.Skip("there is none")
	}
	return from[rapid.IntRange(0, len(from)-1).Draw(t, "which")]
}

func (m *losing) copy(t *rapid.T) {
	c := draw(t, m.lives)
	c.left = append(c.left, c.left[0])
}

// drop drops one copy of a lease, which is lost with the last.
func (m *losing) drop(t *rapid.T) {
	c := draw(t, m.lives)
	c.left = slices.Delete(c.left, 0, 1)
	if len(c.left) == 0 {
		m.lives = slices.DeleteFunc(m.lives, func(other *copies) bool { return other == c })
		m.lost = append(m.lost, c.of)
	}
}

// end ends a lease. Copies of it may be left, to be dropped or misused.
func (m *losing) end(t *rapid.T) {
	c := draw(t, m.lives)
	m.lives = slices.DeleteFunc(m.lives, func(other *copies) bool { return other == c })
	lease, how := c.left[0], rapid.SampledFrom([]string{"Release", "Discard", "Hijack"})
	switch how.Draw(t, "how") {
	case "Release":
		lease.Release()
	case "Discard":
		lease.Discard(nil)
	case "Hijack":
		lease.Hijack()
	}
	if c.left = slices.Delete(c.left, 0, 1); len(c.left) > 0 {
		m.past = append(m.past, c)
	}
}

func (m *losing) endAgain(t *rapid.T) {
	c := draw(t, m.past)
	m.past = slices.DeleteFunc(m.past, func(other *copies) bool { return other == c })
	c.left[0].Release()
	m.stale++
}

// look: no lease that can still be ended is taken for lost.
func (m *losing) look(t *rapid.T) {
	m.served(t)
	m.nothingElseIsLost(t)
	for _, c := range m.lives {
		if got := c.left[0].Conn(); got != c.of || c.of.closes.Load() != 0 {
			t.Fatalf("a lease that lasts has lost its connection")
		}
	}
}

// nothingElseIsLost: no more leases are counted or told than have been dropped, and
// no clean-up counts as a release.
func (m *losing) nothingElseIsLost(t *rapid.T) {
	s, lost := m.pool.Stats(), uint64(len(m.lost))
	if s.Leaks > lost || s.Closes[connpool.ClosedLost] > lost || m.told.Load() > lost {
		t.Fatalf("%d leases are lost; reported: %d, told: %d, closed: %d",
			lost, s.Leaks, m.told.Load(), s.Closes[connpool.ClosedLost])
	}
	if s.StaleReleases != m.stale || m.others.Load() > 0 {
		t.Fatalf("%d releases are stale, of %d; %d other leaks are told",
			s.StaleReleases, m.stale, m.others.Load())
	}
}

// collectSometimes collects not each time that it is asked to, since that takes
// milliseconds.
func (m *losing) collectSometimes(t *rapid.T) {
	if rapid.IntRange(0, 15).Draw(t, "luck") == 0 {
		m.collect(t)
	}
}

// collect has the garbage collected until each lost lease has been found, and the
// caller that waits has got a connection if one is free.
func (m *losing) collect(t *rapid.T) {
	m.collectUntil(t, func(s connpool.Stats) bool {
		lost := uint64(len(m.lost))
		return s.Leaks == lost && s.Closes[connpool.ClosedLost] == lost &&
			m.told.Load() == lost && s.Closing == 0
	})
	if len(m.lives) < m.size {
		m.collectUntil(t, func(connpool.Stats) bool { return m.served(t) })
	}
	for _, c := range m.lost {
		if n := c.closes.Load(); n != 1 {
			t.Fatalf("the connection of a lost lease is closed %d times", n)
		}
	}
	if s := m.pool.Stats(); m.waiting == nil && s.InUse != len(m.lives) {
		t.Fatalf("%d connections are in use, of %d", s.InUse, len(m.lives))
	}
}

func (m *losing) collectUntil(t *rapid.T, happened func(connpool.Stats) bool) {
	for deadline := time.Now().Add(20 * time.Second); !happened(m.pool.Stats()); {
		m.nothingElseIsLost(t)
		if time.Now().After(deadline) {
			t.Fatalf("%d leases are lost, %d told: %+v", len(m.lost), m.told.Load(), m.pool.Stats().Closes)
		}
		runtime.GC()
		time.Sleep(50 * time.Microsecond)
	}
}

// finish loses what is left, in a pool that is closed or not, and shuts it down:
// that ends, since nothing is lent any more.
func (m *losing) finish(t *rapid.T) {
	m.look(t)
	if m.waiting == nil && rapid.Bool().Draw(t, "close first") {
		m.pool.Close()
	}
	for len(m.lives) > 0 || m.waiting != nil {
		for len(m.lives) > 0 {
			m.lives[0].left = m.lives[0].left[:1]
			m.drop(t)
		}
		m.collect(t)
	}
	m.collect(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := m.pool.Shutdown(ctx); err != nil {
		t.Fatalf("Shutdown: %v", err)
	}
	m.look(t)
}
