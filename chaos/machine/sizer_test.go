package machine

import (
	"context"
	"time"

	"pgregory.net/rapid"

	"github.com/connpool/connpool"
)

// sizer is the pool's Sizer. It leaves the limit alone unless the machine has
// something decided, and as often as not that is out of bounds.
type sizer struct{ w *world }

// sizeWindow is what the books know of the Sizer's present window.
type sizeWindow struct {
	began, length time.Duration
}

func drawSizer(t *rapid.T, c *config, w *world) {
	if !rapid.Bool().Draw(t, "Sizer") {
		return
	}
	c.Sizer = sizer{w}
	c.SizeInterval = drawDuration(t, "SizeInterval", 300*time.Millisecond, time.Second, 4*time.Second)
	w.mu.window.length = c.SizeInterval
}

// decide has the Sizer decide something when its next windows end, at once or after
// a while, in which a Resize may come.
func (m *machine) decide(t *rapid.T) {
	d := connpool.SizeDecision{
		Limit:  rapid.IntRange(-1, 10).Draw(t, "limit"),
		Window: drawDuration(t, "window", 0, 0, 20*time.Millisecond, 300*time.Millisecond, 2*time.Second),
	}
	o := order{deed: rapid.SampledFrom([]deed{works, slow}).Draw(t, "deed")}
	o.delay = m.w.odd(drawDuration(t, "after", 20*time.Millisecond, 600*time.Millisecond, 2*time.Second))
	m.act()
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	m.w.mu.decisions = append(m.w.mu.decisions, d)
	m.w.mu.orders[sizing] = append(m.w.mu.orders[sizing], o)
}

// sizedLocked enters a new size into the books.
func (w *world) sizedLocked(maxSize, limit int) {
	w.mu.maxSize, w.mu.size = maxSize, limit
	w.mu.limit = max(w.mu.limit, limit)
	w.moveLocked()
}

// Next judges the sample, and writes down what comes of the decision: the pool
// follows it at once, unless the call was abandoned, or the limit that it is about
// has been moved meanwhile by a Resize, which stays in force.
func (s sizer) Next(sample connpool.SizeSample) (d connpool.SizeDecision) {
	w := s.w
	w.reenter()
	r := w.beginSizing(sample)
	d.Limit = sample.Limit
	followed := false // unless obey returns
	defer func() { w.endSizing(r, sample, d, followed) }()
	w.obey(context.Background(), sizing)
	d, followed = w.nextDecision(sample.Limit), true
	return d
}

// deciding reports whether the Sizer is being asked.
func (w *world) deciding() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.countLocked(sizing) > 0
}

func (w *world) nextDecision(limit int) connpool.SizeDecision {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.mu.healed:
		return connpool.SizeDecision{Limit: connpool.LargestMaxSize}
	case len(w.mu.decisions) == 0:
		return connpool.SizeDecision{Limit: limit}
	}
	d := w.mu.decisions[0]
	w.mu.decisions = w.mu.decisions[1:]
	return d
}

// beginSizing judges a sample: its window has passed, and it is of what is in
// force.
func (w *world) beginSizing(sample connpool.SizeSample) *run {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noteSizingLocked()
	now := w.now()
	switch least := w.leastLocked(); {
	case w.mu.closed && w.mu.closedAt < now:
		w.wrongLocked("a closed pool asks its Sizer")
	case w.countLocked(sizing) > 0:
		w.wrongLocked("the Sizer is asked while it decides")
	case sample.Min != least || sample.Max != w.mu.maxSize || sample.Limit != w.mu.size:
		w.wrongLocked("the Sizer is asked for %d to %d, of %d now; by the books for %d to %d, of %d",
			sample.Min, sample.Max, sample.Limit, least, w.mu.maxSize, w.mu.size)
	case sample.Window != now-w.mu.window.began || sample.Window < w.mu.window.length:
		w.wrongLocked("the Sizer's window of %v has lasted for %v, and for %v by the books",
			w.mu.window.length, sample.Window, now-w.mu.window.began)
	}
	return w.startLocked(sizing, nil)
}

// noteSizingLocked enters it into the books if the pool has given its Sizer up.
func (w *world) noteSizingLocked() {
	for r := range w.mu.running {
		if r.kind == sizing && !r.noted && r.abandoned(w.now()) {
			r.noted = true
			w.beginWindowLocked(r.until, 0)
		}
	}
}

// leastLocked is the lowest limit that a Sizer may set.
func (w *world) leastLocked() int { return max(1, w.cfg.MinSize) }

func (w *world) endSizing(
	r *run, sample connpool.SizeSample, d connpool.SizeDecision, followed bool,
) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noteSizingLocked()
	delete(w.mu.running, r)
	if r.abandoned(w.now()) {
		return
	}
	w.beginWindowLocked(w.now(), d.Window)
	moved := w.mu.size != sample.Limit || w.mu.maxSize != sample.Max
	if followed && !moved && !w.mu.closed {
		w.sizedLocked(w.mu.maxSize, max(w.leastLocked(), min(d.Limit, w.mu.maxSize)))
	}
}

// beginWindowLocked enters a new window into the books; 20 ms is the least.
func (w *world) beginWindowLocked(now, length time.Duration) {
	if length <= 0 {
		length = w.cfg.SizeInterval
	}
	w.mu.window = sizeWindow{began: now, length: max(length, 20*time.Millisecond)}
}
