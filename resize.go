package connpool

import (
	"fmt"

	"github.com/connpool/connpool/internal/slot"
)

// Resize sets MaxSize while the pool is at work; a Sizer goes on from the new
// size, and what it is about to decide for the old one is dropped. Growing serves
// callers that wait at once. Shrinking closes idle connections at once, and as many of the leased ones as are too many when they return; Settled
// waits for the closing. The error says what is wrong with maxSize.
func (p *Pool[T]) Resize(maxSize int) error {
	switch {
	case maxSize < 1 || maxSize > LargestMaxSize:
		return fmt.Errorf("connpool %q: Resize(%d): use a size from 1 to %d", p.cfg.Name, maxSize, LargestMaxSize)
	case maxSize < p.cfg.MinSize || maxSize < p.cfg.MinIdle:
		return fmt.Errorf("connpool %q: Resize(%d): use at least MinSize %d and MinIdle %d", p.cfg.Name, maxSize, p.cfg.MinSize, p.cfg.MinIdle)
	}
	p.setMaxSize(maxSize)
	return nil
}

// limit returns how many connections may be open.
func (p *Pool[T]) limit() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.limit
}

// setMaxSize moves MaxSize and the limit with it.
func (p *Pool[T]) setMaxSize(maxSize int) {
	p.mu.Lock()
	p.mu.maxSize = maxSize
	claimed := p.limitLocked(maxSize)
	p.mu.Unlock()
	p.limited(claimed)
}

// limitLocked moves the limit and claims what has to be closed for it, for
// limited.
//
// Seam 15: of a shrink, idle connections pay first; then every word that is not
// empty is marked surplus, and whoever would make such a slot idle pays with it
// as long as there is debt, or else clears the mark.
func (p *Pool[T]) limitLocked(limit int) (claimed []*seat[T]) {
	p.mu.limit = limit
	p.mu.debt = max(0, p.mu.open-p.mu.closing-limit)
	if p.mu.debt > 0 {
		claimed = p.payLocked()
	}
	p.noteLocked()
	return claimed
}

// limited closes what a new limit leaves no room for, or dials what it has room
// for.
func (p *Pool[T]) limited(claimed []*seat[T]) {
	for _, s := range claimed {
		p.shut(s, ClosedResized, nil)
	}
	p.grow()
}

// payLocked claims idle slots against the debt, and marks the others for what
// remains of it. One that has become idle since it was looked at pays too, lest it
// stay idle with a mark.
func (p *Pool[T]) payLocked() (claimed []*seat[T]) {
	p.eachLocked(func(s *seat[T]) {
		if p.mu.debt > 0 && s.claimIdle(s.word.Load(), slot.Closing) {
			p.mu.debt--
			claimed = append(claimed, s)
		}
	})
	p.eachLocked(func(s *seat[T]) {
		if p.mu.debt > 0 && s.claimIdle(s.word.Mark(slot.Surplus), slot.Closing) {
			p.mu.debt--
			claimed = append(claimed, s)
		}
	})
	return claimed
}

// condemned reports whether a doomed connection is to be closed. The only mark
// that may prove void is surplus, which is cleared then.
func (p *Pool[T]) condemned(s *seat[T], w slot.Word) bool {
	if w.Has(slot.Doomed &^ slot.Surplus) {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.debt > 0 {
		p.mu.debt--
		return true
	}
	s.word.Unmark(slot.Surplus)
	return false
}

// Retire replaces every connection that is open or being opened now: idle ones
// close at once, leased ones as they return, and a dial that is under way is
// thrown away. No acquire that begins after Retire has returned gets one of
// them. Callers that wait get new ones at once, and after failed dials the next is
// tried at once.
//
// The closing goes on in the background: Settled waits for it.
func (p *Pool[T]) Retire() {
	// Seam 16: the dial rule runs here, and again as each slot becomes empty; nobody
	// waits for a lease to return.
	p.mu.Lock()
	p.mu.pace.Resumed(p.now()) // what the dials failed for may have been mended
	claimed := p.doomLocked(slot.Retired)
	p.mu.Unlock()
	p.shutAll(claimed)
	p.grow()
}

// Pause makes acquires wait, as if nothing were idle, and stops the dialling.
// Leases that are out are not affected; deadlines go on.
func (p *Pool[T]) Pause() { p.queue.Pause(true) }

// Resume ends a Pause, and serves those who wait.
func (p *Pool[T]) Resume() {
	p.mu.Lock()
	p.mu.pace.Resumed(p.now())
	p.mu.Unlock()
	p.queue.Pause(false)
	p.serve()
}
