package machine

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/connpool/connpool"
)

// The pool's callbacks. Each writes into the books what it is about to do, does
// it, and writes down what has come of it, also if it panics or exits.

// stormSize is how many dials may begin in one instant. A pool may open its
// window from one to MaxSize in an instant, but hardly this often.
const stormSize = 50

func (w *world) connect(ctx context.Context) (c *conn, err error) {
	w.reenter()
	began := w.now()
	r, generation := w.beginDial(began)
	err = errPlanned // unless obey returns
	defer func() { c = w.endDial(r, began, generation, err) }()
	err = w.obey(ctx, connecting)
	return nil, err
}

// beginDial judges a dial as it begins: invariants 2, 11 and 14.
func (w *world) beginDial(now time.Duration) (*run, int) {
	w.mu.Lock()
	r := w.startLocked(connecting, nil)
	d := &w.mu.dials
	if d.instant != now {
		d.instant, d.atInstant = now, 0
	}
	d.atInstant++
	storm := d.atInstant == stormSize
	if n := w.countLocked(connecting); n > w.cfg.MaxConnecting {
		w.wrongLocked("%d dials at once, where %d are allowed", n, w.cfg.MaxConnecting)
	}
	if n := w.slotsLocked(); n > w.mu.limit {
		w.wrongLocked("a dial begins: %d connections are open or being opened or closed, where %d are allowed", n, w.mu.limit)
	}
	if used := w.mu.usedLocked(); w.mu.units > 0 && used > w.mu.units {
		w.wrongLocked("a dial begins: %d units of the Budget are in use, and there are %d",
			used, w.mu.units)
	}
	if w.mu.closed && w.mu.closedAt < now { // within one instant it may have been decided on before
		w.wrongLocked("a dial begins after Close")
	}
	if w.mu.paused && w.mu.pausedAt < now {
		w.wrongLocked("a dial begins during a pause")
	}
	if d.noneAt == now {
		w.wrongLocked("a dial begins in the instant in which one has failed")
	}
	if storm {
		w.wrongLocked("%d dials begin in one instant", stormSize)
	}
	generation := w.mu.retired
	w.mu.Unlock()
	if storm {
		time.Sleep(time.Hour) // or the instant would never end
	}
	return r, generation
}

// endDial writes down what has come of a dial, and returns the connection.
func (w *world) endDial(r *run, began time.Duration, generation int, err error) *conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.mu.running, r)
	w.moveLocked()
	now := w.now()
	if late := r.abandoned(now); err != nil {
		if !late {
			w.dialFailedLocked(began, now)
		}
		return nil
	} else if !late {
		w.mu.count.connects++
		w.mu.dials.succeeded(now)
	}
	w.mu.opened++
	c := &conn{id: w.mu.opened, born: now, generation: generation, dead: -1, proved: now, left: r.abandoned(now)}
	w.mu.conns = append(w.mu.conns, c)
	return c
}

// dialFailedLocked notes the pause that follows a failure. A dial that was under
// way when an earlier pause began does not prolong it; and of dials that end in
// one instant, nobody can tell which ended last.
func (w *world) dialFailedLocked(began, now time.Duration) {
	d := &w.mu.dials
	d.failed, d.lastFail = true, now
	if !w.mu.closed {
		w.mu.count.connectErrors++
	}
	if alone := w.countLocked(connecting) == 0 && d.lastEnd < now; alone && began > w.dialsLocked().pauseUntil && began < now {
		d.noneAt = now
	}
	d.pauseUntil, d.lastEnd = now+w.cfg.BackoffMax, now
}

func (w *world) close(ctx context.Context, c *conn) error {
	w.reenter()
	r := w.beginClose(c)
	defer w.endClose(r)
	return w.obey(ctx, closing)
}

// beginClose judges a Close: invariants 4 and 5.
func (w *world) beginClose(c *conn) *run {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.startLocked(closing, c)
	r.stray = !c.pooledLocked(w)
	if !r.stray {
		w.mu.count.closes++
	}
	c.closes++
	switch {
	case c.closes > 1:
		w.wrongLocked("%v is closed %d times", c, c.closes)
	case c.hijacked:
		w.wrongLocked("%v is closed though hijacked", c)
	case c.user != nil:
		w.wrongLocked("%v is closed while %v lasts", c, c.user)
	case c.busy != nil:
		w.wrongLocked("%v is closed during its %v", c, c.busy.kind)
	}
	return r
}

func (w *world) endClose(r *run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.mu.running, r)
	w.moveLocked()
	r.conn.left = true
}

func (w *world) check(ctx context.Context, c *conn) error { return w.roundTrip(ctx, checking, c) }
func (w *world) reset(ctx context.Context, c *conn) error { return w.roundTrip(ctx, resetting, c) }

func (w *world) roundTrip(ctx context.Context, k kind, c *conn) (err error) {
	w.reenter()
	began := w.now()
	r := w.beginRoundTrip(k, c)
	err = errPlanned // unless obey returns
	defer func() { w.endRoundTrip(r, began, err) }()
	if err = w.obey(ctx, k); err == nil && w.isDead(c) {
		err = errPlanned
	}
	return err
}

func (w *world) beginRoundTrip(k kind, c *conn) *run {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.user != nil {
		w.wrongLocked("%v of %v while %v lasts", k, c, c.user)
	}
	if !c.idleLocked(w) {
		w.wrongLocked("%v of %v, which is not idle", k, c)
	}
	c.busy = w.startLocked(k, c)
	return c.busy
}

func (w *world) endRoundTrip(r *run, began time.Duration, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.mu.running, r)
	w.moveLocked()
	c, now := r.conn, w.now()
	late := r.abandoned(now)
	c.busy = nil
	switch {
	case late:
		c.left = true
		c.unfit = "its " + r.kind.String() + " was abandoned"
	case err != nil:
		c.unfit = "its " + r.kind.String() + " failed"
		if r.kind == checking && !w.mu.closed {
			w.doubtLocked(began)
		}
	default:
		c.proved = now
	}
}

func (w *world) isDead(c *conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return c.dead >= 0
}

// alive runs inline, as a connection is lent. Only an answer makes others
// suspect, a panic does not.
func (w *world) alive(c *conn) (err error) {
	err = errPlanned // unless obey returns
	defer func() { w.rejected(c, alive, err) }()
	if err = connpool.ErrBadConn; !w.isDead(c) {
		err = errPlanned
		err = w.obey(context.Background(), alive)
	}
	if err != nil && !errors.Is(err, connpool.ErrUnsure) {
		w.doubt(w.now())
	}
	return err
}

// prepare runs inline, as a connection is lent.
func (w *world) prepare(ctx context.Context, c *conn) (err error) {
	by, _ := ctx.Value(clientKey{}).(*client)
	w.mu.Lock()
	w.judgeLocked(by, c)
	c.handed, c.handedTo, c.handedAt = true, by, w.now()
	if by != nil {
		by.preparing, by.grantedAt = true, w.now()
	}
	w.mu.Unlock()
	err = errPlanned // unless obey returns
	defer func() {
		w.rejected(c, preparing, err)
		by.prepared(w, err)
	}()
	err = w.obey(ctx, preparing)
	return err
}

// rejected writes down what Alive or Prepare has said of a connection.
func (w *world) rejected(c *conn, k kind, err error) {
	if err == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.count.rejected++
	c.handed = false
	if !errors.Is(err, connpool.ErrUnsure) { // of which a dial or a check a moment ago is answer enough
		c.unfit = "its " + k.String() + " failed"
	}
}

// clean runs inline, as a lease ends.
func (w *world) clean(c *conn) (err error) {
	err = errPlanned // unless obey returns
	defer func() {
		if err != nil {
			w.mu.Lock()
			defer w.mu.Unlock()
			c.unfit = "its Clean failed"
		}
	}()
	err = w.obey(context.Background(), cleaning)
	return err
}

// Errors of users' work, and what IsBad makes of them.
var (
	errHarmless   = errors.New("a harmless error")
	errBroken     = errors.New("the connection broke")
	errIsBadFails = errors.New("IsBad panics over this")
	errIsBadExits = errors.New("IsBad exits over this")
)

func (w *world) isBad(err error) bool {
	switch {
	case errors.Is(err, errIsBadFails):
		w.countPanic()
		panic(plannedPanic{})
	case errors.Is(err, errIsBadExits):
		w.countPanic()
		runtime.Goexit()
	}
	return errors.Is(err, errBroken) || errors.Is(err, context.Canceled)
}
