package machine

import (
	"fmt"
	"sync"
	"time"

	"github.com/connpool/connpool"
)

// world is the server's side of the pool and the model beside it: it opens and
// closes the connections, does as it is told while the pool calls it, and keeps
// its own books of what is open, what is under way and who has what. What breaks
// a promise the moment it happens is noted at once; the rest is found when
// everything has come to rest.
type world struct {
	cfg    config
	period time.Duration
	trip   time.Duration // what a Check or a Reset takes unless told otherwise; guarded by mu
	began  time.Time
	pool   *connpool.Pool[*conn]

	// mu is held for moments only, never while a callback blocks or while the pool
	// is called.
	mu struct {
		*common
		faults []string // promises broken

		orders [kinds][]order
		down   bool          // the server refuses every dial
		hung   chan struct{} // hung callbacks wait for it
		odd    time.Duration

		conns   []*conn        // all there have been that are not at rest for good
		opened  int            // how many there have been
		running map[*run]bool  // callbacks under way that have a slot, or had one
		holds   map[*hold]bool // leases that last
		retired int            // calls of Retire
		closed  bool           // Close has been called
		paused  bool           // Pause has been called, and Resume not since
		leaks   leaks

		closedAt, pausedAt time.Duration

		maxSize, size int // what Resize has set last, and the limit now in force
		limit         int // the largest since everything was last at rest
		decisions     []connpool.SizeDecision
		healed        bool // the Sizer decides for the most
		window        sizeWindow
		doubts        []doubt
		dials         dialling
		count         tallies
	}
}

// dialling is what is known of the pace of the dials.
type dialling struct {
	instant    time.Duration // of the last dial that began
	atInstant  int           // dials that began then
	lastFail   time.Duration
	lastOK     time.Duration
	earlierOK  time.Duration // the last success in an instant before that
	failed     bool          // some dial has failed
	lastEnd    time.Duration // of a dial
	pauseUntil time.Duration // the pause that is known to be on ends by then
	noneAt     time.Duration // at this instant a pause has begun
}

// succeeded notes a dial that has succeeded.
func (d *dialling) succeeded(now time.Duration) {
	if d.lastOK != now {
		d.earlierOK = d.lastOK
	}
	d.lastOK, d.noneAt, d.pauseUntil, d.lastEnd = now, -1, -1, now
}

// resumed notes a Retire or a Resume: the pause is over, and what is under way can
// begin none.
func (d *dialling) resumed(now time.Duration) {
	d.noneAt, d.pauseUntil = -1, max(d.pauseUntil, now)
}

// okBefore returns when a dial last succeeded, in an instant before the given one:
// within one, nobody can tell what came first.
func (d *dialling) okBefore(instant time.Duration) time.Duration {
	if d.lastOK == instant {
		return d.earlierOK
	}
	return d.lastOK
}

// dialsLocked returns what is known of the dials, those included that have just
// been abandoned.
func (w *world) dialsLocked() dialling {
	d, now := w.mu.dials, w.now()
	for r := range w.mu.running {
		if r.kind == connecting && r.abandoned(now) {
			d.failed, d.lastFail = true, max(d.lastFail, r.until)
			d.pauseUntil = max(d.pauseUntil, r.until+w.cfg.BackoffMax)
		}
	}
	return d
}

// tallies are what the pool's counters should say.
type tallies struct {
	granted, connects, connectErrors, hijacks, stale, panics uint64
	queueFull, cancels, timeouts                             uint64
	closes                                                   uint64 // begun, of connections with a slot
	rejected                                                 uint64 // by Alive or Prepare
}

// common is what the worlds of pools that share a Budget share, their lock among
// it: so what is open everywhere can be seen at once.
type common struct {
	sync.Mutex
	worlds []*world
	units  int           // of the Budget; 0: there is none
	moved  time.Duration // when anything has last changed
}

func newWorld(c *common) *world {
	w := &world{began: time.Now()}
	w.mu.common = c
	w.mu.hung = make(chan struct{})
	w.mu.running = make(map[*run]bool)
	w.mu.holds = make(map[*hold]bool)
	w.mu.dials = dialling{instant: -1, lastFail: -1, lastOK: -1, lastEnd: -1, pauseUntil: -1, noneAt: -1}
	c.Lock() // the pools before it are at work
	defer c.Unlock()
	c.worlds = append(c.worlds, w)
	return w
}

// now returns the time since the world began.
func (w *world) now() time.Duration { return time.Since(w.began) }

// wrongLocked notes that a promise has been broken.
func (w *world) wrongLocked(format string, args ...any) {
	where := fmt.Sprintf("at %v: %s: ", w.now(), w.cfg.Name)
	w.mu.faults = append(w.mu.faults, where+fmt.Sprintf(format, args...))
}

func (w *world) wrong(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrongLocked(format, args...)
}

// reenter calls the pool from within a callback, and looks at the one snapshot
// that it gets (invariant 17).
func (w *world) reenter() {
	s := w.pool.Stats()
	w.mu.Lock()
	defer w.mu.Unlock()
	if sum := s.Idle + s.InUse + s.Connecting + s.Checking + s.Resetting + s.Closing; sum != s.Size {
		w.wrongLocked("a snapshot's Size is %d, its parts are %d", s.Size, sum)
	}
}

// run is a callback under way on one of the pool's goroutines.
type run struct {
	kind  kind
	conn  *conn // nil for a dial
	until time.Duration
	stray bool // closes a connection that has no slot any more
	noted bool // that it has been abandoned
}

// grace is how long past its time-out the pool waits for a callback before it
// abandons it.
const grace = 10 * time.Millisecond

// abandoned reports whether the pool has given the callback up.
func (r *run) abandoned(now time.Duration) bool { return now >= r.until }

func (w *world) timeout(k kind) time.Duration {
	switch k {
	case connecting:
		return w.cfg.ConnectTimeout
	case closing:
		return w.cfg.CloseTimeout
	}
	return w.cfg.CheckTimeout
}

// startLocked enters a callback into the books.
func (w *world) startLocked(k kind, c *conn) *run {
	r := &run{kind: k, conn: c, until: w.now() + w.timeout(k) + grace}
	w.mu.running[r] = true
	if k != sizing {
		w.moveLocked()
	}
	return r
}

// countLocked counts callbacks of a kind that are under way and that the pool
// still reckons with.
func (w *world) countLocked(k kind) (n int) {
	now := w.now()
	for r := range w.mu.running {
		if r.kind == k && !r.stray && !r.abandoned(now) {
			n++
		}
	}
	return n
}

// hungLocked counts the callbacks that the pool has given up and that go on.
func (w *world) hungLocked() (n int) {
	now := w.now()
	for r := range w.mu.running {
		if r.abandoned(now) {
			n++
		}
	}
	return n
}

// slotsLocked counts what the limit is a limit of: dials, open connections, and
// those being closed.
func (w *world) slotsLocked() int {
	n := w.countLocked(connecting) + w.countLocked(closing)
	for _, c := range w.mu.conns {
		if c.pooledLocked(w) {
			n++
		}
	}
	return n
}
