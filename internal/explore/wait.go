//go:build explore

package explore

import "sync"

// Mutex is a lock that the explorer knows: a thread that asks for it while
// another holds it is not let go on. Outside of a schedule it is a sync.Mutex.
type Mutex struct {
	mu   sync.Mutex
	held bool // by a thread
}

func (m *Mutex) Lock() {
	r := exploring()
	if r == nil {
		m.mu.Lock()
		return
	}
	r.pause(func() bool { return !m.held })
	m.held = true
}

func (m *Mutex) Unlock() {
	if exploring() == nil {
		m.mu.Unlock()
		return
	}
	m.held = false
}

func (m *Mutex) TryLock() bool {
	r := exploring()
	if r == nil {
		return m.mu.TryLock()
	}
	r.pause(nil)
	free := !m.held
	m.held = true
	return free
}

// Point lets another thread go on, if the schedule says so.
func Point() {
	if r := exploring(); r != nil {
		r.pause(nil)
	}
}

// Wait puts the thread to sleep until ready holds something or done is closed,
// and returns them. Of two that both end the wait it returns one, as the schedule
// says, and nil for the other: a select would toss a coin.
func Wait(ready, done <-chan struct{}) (_, _ <-chan struct{}) {
	r := exploring()
	if r == nil {
		return ready, done
	}
	r.pause(func() bool { return len(ready) > 0 || over(done) })
	if len(ready) == 0 || !over(done) {
		return ready, done
	}
	if r.pick(2) == 0 {
		return ready, nil
	}
	return nil, done
}

// over reports whether a channel that nothing is ever sent on is closed.
func over(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}
