package keyed

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/connpool/connpool"
)

// entry is a key's pool. Its use decides between those who come for it and the
// sweep, which would remove it:
//
//	touched <----> untouched ----> resting ----> gone
//	   ^           the sweep       paused          |
//	   +-----------------------------+          closed
//	              somebody came
//
// Only who moves it out of resting, by compare-and-swap, may resume the pool or
// close it.
type entry[T any] struct {
	pool   *connpool.Pool[T]
	use    atomic.Uint32
	busyAt time.Duration // when the sweep last saw it in use; the sweep's
}

const (
	untouched uint32 = iota // nobody has come since the last sweep
	touched
	resting // the sweep has paused it, to remove it once it is empty
	gone    // it is removed from the table, and about to be closed
)

// touch says that somebody has come for the key. It writes only what is not so
// yet: the word is shared by all who use the key.
func (e *entry[T]) touch() {
	for {
		switch now := e.use.Load(); {
		case now == touched || now == gone:
			return
		case e.use.CompareAndSwap(now, touched):
			if now == resting {
				e.pool.Resume()
			}
			return
		}
	}
}

// left reports whether an acquire failed because its pool was removed at that
// moment. The table was rid of it before, so another try finds another pool, or
// none.
func (e *entry[T]) left(err error) bool {
	return err != nil && e.use.Load() == gone && errors.Is(err, connpool.ErrClosed)
}

// look asks what has become of the entry since the last sweep, and reports
// whether anybody needs it.
func (e *entry[T]) look() (inUse bool) {
	switch {
	case e.use.CompareAndSwap(touched, untouched):
		return true
	case occupied(e.pool.Stats()):
		e.wake()
		return true
	}
	return false
}

// occupied reports whether a pool has a connection or a caller. A dial for
// nobody is neither: to a server that is down there is one all the time.
func occupied(s connpool.Stats) bool { return s.Size > s.Connecting || s.Waiting > 0 }

// rest pauses the pool, unless somebody has just come. Dials end then, and none
// begin, so it empties.
func (e *entry[T]) rest() {
	if e.use.Load() != untouched {
		return
	}
	e.pool.Pause()
	if !e.use.CompareAndSwap(untouched, resting) {
		e.pool.Resume()
	}
}

// wake ends a rest: its last dial has brought a connection.
func (e *entry[T]) wake() {
	if e.use.CompareAndSwap(resting, untouched) {
		e.pool.Resume()
	}
}
