package machine

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/connpool/connpool"
)

// A pool keeps its promises whatever its users, its server and its operators do,
// in whatever order.
func TestAPoolKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) { play(t, newFleet(t, 1, 0)) })
	})
}

// Pools that share a Budget keep theirs, and never open more connections together
// than it has units; nor does one wait beside what another owes it.
func TestPoolsOfABudgetKeepTheirPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			pools := rapid.IntRange(2, 3).Draw(t, "pools")
			play(t, newFleet(t, pools, rapid.IntRange(1, 6).Draw(t, "units")))
		})
	})
}

func play(t *rapid.T, f *fleet) {
	t.Cleanup(f.clear)
	t.Repeat(f.actions())
	f.finish(t)
}

// machine drives one pool through one check, in rounds: it does something, waits
// until everything has come to rest, and looks.
type machine struct {
	w           *world
	closesAfter int // rounds before the pool may be closed

	round       int
	clientsMade int
	clients     []*client // those that have not been judged yet
	cancels     []context.CancelFunc
	past        []*hold       // leases that have ended, some of them
	pausedIn    int           // the first round that was all in a pause, of the last pause
	spared      time.Duration // see spareSince

	// Of the round.
	did     int     // things done
	holds   []*hold // leases that may be ended
	resumed bool
	before  rest
	starved bool // it had no connection, and lacked only a unit, when last looked at
}

// rest is what the machine sees when everything has come to rest.
type rest struct {
	stats connpool.Stats
	count tallies
}

func newMachine(t *rapid.T, c *common, name string, budget *connpool.Budget) *machine {
	w := newWorld(c)
	w.cfg = drawConfig(t, w, name)
	w.cfg.Budget = budget
	w.period = period(w.cfg)
	w.mu.Lock()
	w.sizedLocked(w.cfg.MaxSize, w.cfg.MaxSize)
	w.mu.Unlock()
	if err := w.open(); err != nil {
		t.Fatalf("New: %v", err)
	}
	return &machine{w: w, round: 1, closesAfter: rapid.IntRange(0, 150).Draw(t, "closes after")}
}

// open makes the pool. Callbacks use it, and may run before New has returned: the
// dials, which come first, wait for it.
func (w *world) open() (err error) {
	made := make(chan struct{})
	defer close(made)
	cfg := w.cfg
	cfg.Connect = func(ctx context.Context) (*conn, error) {
		<-made
		return w.connect(ctx)
	}
	w.pool, err = connpool.New(cfg)
	return err
}

// stop ends everything that still goes on.
func (m *machine) stop() {
	m.w.heal()
	for _, c := range m.clients {
		c.cancel(errCanceled)
	}
	m.w.mu.Lock()
	m.w.mu.closed = true
	holds := slices.Collect(maps.Keys(m.w.mu.holds))
	m.w.mu.Unlock()
	for _, h := range holds { // a lost one would be cleaned up from outside the bubble
		h.end(endsWell)
		h.lease.Discard(nil)
	}
	m.w.pool.Close()
	for _, cancel := range m.cancels {
		cancel()
	}
}
