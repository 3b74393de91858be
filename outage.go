package connpool

import (
	"log/slog"
	"time"

	"github.com/connpool/connpool/internal/slot"
)

// When and how callers and the log learn that the server cannot be reached, or
// gives fewer connections than are wanted.

// outageState is what is known of them beside the pace; guarded by Pool.mu.
type outageState struct {
	on     bool   // one has begun, and no dial has succeeded since
	hope   bool   // since dials fail, something has been open that may come back
	held   []hold // what the last failed dial saw of the slots, by number
	failed uint64 // acquires that had failed when it began
	logged bool   // the log knows of this one

	begins allowance // of lines about begins
	lasts  reminder  // that it lasts
	fails  reminder  // that a dial has failed
}

// hold is the turn that a slot has had since a dial failed then. It stands beside
// the slot, which fills two cache lines.
type hold struct {
	turn  uint64
	since time.Duration
}

// news is what has to be told.
type news int

const (
	nothing news = iota
	outageBegan
	outageLasts
	outageEnded
)

// report tells of an outage.
type report struct {
	news   news
	since  time.Duration // when dials began to fail
	lasted time.Duration // since then
	err    error         // of the last dial
	failed uint64        // acquires since it began
	logged bool          // the log is to know
}

// failLocked fails those who wait if the server is down and nothing is open that
// could come back to them, and returns what is to be told of that. A server that
// refuses more connections than it has given is not out: they go on waiting for
// those. When there is nothing more to wait for, the count of DownAfter begins anew
// and the next dial is tried at once: it may get the place of the last one that was
// closed. Under the lock no dial can succeed meanwhile.
//
// An error of long ago fails nobody: where the Budget has no unit to probe with,
// callers wait for one.
func (p *Pool[T]) failLocked(now time.Duration) report {
	probed := p.mu.connecting > 0 || p.mu.pace.Fresh(now)
	if p.hopedLocked(now) || !p.mu.pace.Down() || !probed || p.paused() {
		return report{}
	}
	if p.queue.Len() > 0 {
		p.refused.Store(true)
		p.queue.Fail(&downError{p.mu.pace.Failing()})
	}
	switch o := &p.mu.outages; {
	case !o.on:
		o.on, o.failed = true, p.count.unreachable.Load()
		o.logged = o.begins.take(now, outageEvery, outageBurst)
		o.lasts = reminder{at: now + firstReminder, every: firstReminder}
		return p.reportLocked(outageBegan, now)
	case o.lasts.due(now):
		o.logged = true
		return p.reportLocked(outageLasts, now)
	}
	return report{}
}

// hopedLocked reports whether dials fail and nobody is to be failed for it, for what
// is open, or was until now.
//
// Seam 24: a caller waits beside a dial that may hang for what may come back, and
// that may cease without an event: a lease has lasted for long, or DownAfter is
// over. So whatever is decided here for a time has the rule run again then, with
// nobody there as well, for DownAfter is counted from then.
func (p *Pool[T]) hopedLocked(now time.Duration) bool {
	o := &p.mu.outages
	if p.mu.pace.Failing() == nil {
		return false
	}
	if hopeful, until := p.hopefulLocked(now); hopeful {
		o.hope = true
		p.retry.By(until)
		return true
	}
	if !o.hope || o.on || p.refusedLocked() {
		return false
	}
	o.hope = false
	p.mu.pace.Resumed(now)
	p.retry.By(now)
	return true
}

// refusedLocked reports whether the last dial failed for good.
func (p *Pool[T]) refusedLocked() bool {
	_, permanent := p.mu.pace.Failing().(*permanentError)
	return permanent
}

// hopefulLocked reports whether a connection is open that may come back to callers
// that wait, and until when that holds if nothing happens to it.
func (p *Pool[T]) hopefulLocked(now time.Duration) (hopeful bool, until time.Duration) {
	for n := uint32(0); n < p.mu.high && p.liveLocked() > 0; n++ {
		s := p.seats.at(n)
		switch w := s.word.Load(); w.State() {
		case slot.Idle, slot.Resetting, slot.Checking:
			return true, off
		case slot.Leased:
			if until := p.staysAtLocked(s, w, now); now < until {
				return true, until
			}
		}
	}
	return false, 0
}

// staysAtLocked returns from when on a lease is nothing to wait for while dials
// fail: now if it is meant to be long, or its connection will be closed, or else
// when it has lasted for long. Of a server that is full, and not gone, one or the
// other lease has not.
func (p *Pool[T]) staysAtLocked(s *seat[T], w slot.Word, now time.Duration) time.Duration {
	if w.Has(slot.Kept | slot.Doomed&^slot.Surplus) {
		return now
	}
	since := min(now, s.leasedSince(w))
	if held := p.mu.outages.held; int(s.n) < len(held) && held[s.n].turn == w.Turn() {
		since = min(since, held[s.n].since)
	}
	return since + longHeld
}

// longHeld is how long a lease is waited for while the server is down, counted
// from when it was first seen. With nothing returned for so long the callers, which
// have 30 s by default, are better told why.
const longHeld = 5 * time.Second

// failedLocked tells the pace of a failure, and notes which leases last.
func (p *Pool[T]) failedLocked(started, now time.Duration, err error) {
	if _, permanent := err.(*permanentError); permanent { // see dial
		p.mu.pace.Refused(started, now, err)
	} else {
		p.mu.pace.Failed(started, now, err)
	}
	o := &p.mu.outages
	o.held = append(o.held, make([]hold, int(p.mu.high)-len(o.held))...)
	p.eachLocked(func(s *seat[T]) {
		if turn := s.word.Load().Turn(); turn != o.held[s.n].turn {
			o.held[s.n] = hold{turn, now}
		}
	})
}

// endOutageLocked ends an outage, if there is one, as a dial succeeds, before the
// pace knows.
func (p *Pool[T]) endOutageLocked(now time.Duration) report {
	o := &p.mu.outages
	o.hope = false
	if !o.on {
		return report{}
	}
	o.on = false
	return p.reportLocked(outageEnded, now)
}

func (p *Pool[T]) reportLocked(n news, now time.Duration) report {
	since := p.mu.pace.Since()
	return report{
		news: n, since: since, lasted: now - since, err: p.mu.pace.Failing(),
		failed: p.count.unreachable.Load() - p.mu.outages.failed,
		logged: p.mu.outages.logged,
	}
}

// noteOutage tells of an outage.
func (p *Pool[T]) noteOutage(r report) {
	if r.news == nothing {
		return
	}
	p.event(func() {
		if r.logged {
			p.logOutage(r)
		}
		if t := p.cfg.Trace; t != nil && t.Outage != nil && r.news != outageLasts {
			t.Outage(OutageInfo{
				Pool: p.cfg.Name, Began: r.news == outageBegan, Since: p.epoch.Add(r.since), Err: r.err,
			})
		}
	})
}

func (p *Pool[T]) logOutage(r report) {
	switch r.news {
	case outageBegan:
		p.warn("outage began: dials have been failing", "for", r.lasted, "error", printed(r.err))
	case outageLasts:
		p.warn("outage goes on", "for", r.lasted, "failed_acquires", r.failed, "error", printed(r.err))
	case outageEnded:
		p.log(slog.LevelInfo, "outage ended", "lasted", r.lasted, "failed_acquires", r.failed)
	}
}

// failure tells of a failed dial.
type failure struct {
	err           error
	level         slog.Level
	given, wanted int // connections: what the server has given, and what would be open else
}

// failureLocked returns what is to be told of a failed dial: as a warning if it is
// the first for some time, and no outage says it too.
func (p *Pool[T]) failureLocked(now time.Duration, err error, r report) failure {
	f := failure{err: err, level: slog.LevelDebug, given: p.liveLocked(), wanted: p.aimLocked()}
	if r.news == nothing && !p.mu.outages.on && p.mu.outages.fails.due(now) {
		f.level = slog.LevelWarn
	}
	return f
}

func (p *Pool[T]) noteFailure(f failure) {
	p.event(func() {
		attrs := []any{"error", printed(f.err)}
		if f.given > 0 && f.given < f.wanted {
			attrs = append(attrs, "given", f.given, "wanted", f.wanted)
		}
		p.log(f.level, "connect failed", attrs...)
	})
}

// aimLocked returns how many connections would be open if every dial succeeded.
func (p *Pool[T]) aimLocked() int {
	live := p.liveLocked()
	return max(live, min(live+p.wantedLocked(), p.mu.limit))
}

// Where outages come and go, as they do before a server that is full, each is
// traced, and of the lines about them outageBurst is written at once and one every
// outageEvery.
const (
	outageEvery = time.Minute
	outageBurst = 5 * outageEvery
)

// reminder says when to say again what has been said: after one minute, two, four,
// and so on up to an hour. After an hour without it, it is news again.
type reminder struct {
	at    time.Duration // not before this
	every time.Duration
}

const (
	firstReminder = time.Minute
	lastReminder  = time.Hour
)

func (r *reminder) due(now time.Duration) bool {
	if now < r.at {
		return false
	}
	if now-r.at >= lastReminder {
		r.every = 0
	}
	r.every = min(max(2*r.every, firstReminder), lastReminder)
	r.at = now + r.every
	return true
}
