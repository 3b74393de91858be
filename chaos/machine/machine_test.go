package machine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/connpool/connpool"
)

// A pool keeps its promises whatever its users, its server and its operators do,
// in whatever order.
func TestAPoolKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			m := newMachine(t)
			t.Cleanup(m.clear)
			t.Repeat(m.actions())
			m.finish(t)
		})
	})
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
}

// rest is what the machine sees when everything has come to rest.
type rest struct {
	stats connpool.Stats
	count tallies
}

func newMachine(t *rapid.T) *machine {
	w := newWorld()
	w.cfg = drawConfig(t, w)
	w.period = period(w.cfg)
	w.sizedLocked(w.cfg.MaxSize, w.cfg.MaxSize)
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

// clear ends everything that still goes on, so that the bubble is empty.
func (m *machine) clear() {
	m.w.heal()
	for _, c := range m.clients {
		c.cancel(errCanceled)
	}
	m.w.mu.Lock()
	m.w.mu.closed = true
	for h := range m.w.mu.holds {
		h.end(endsWell)
	}
	m.w.mu.Unlock()
	m.w.pool.Close()
	for _, cancel := range m.cancels {
		cancel()
	}
	time.Sleep(2 * time.Hour) // longer than anything here takes
	synctest.Wait()
}
