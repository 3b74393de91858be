package main

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/connpool/connpool"
)

// part ends a lease. The lease is taken off the books first: once it has ended
// the connection is another's.
func (w *worker) part(r *rig, l lease, c *conn) {
	if w.chance(r.source.rates.Load().die) {
		c.die() // and nobody knows
	}
	if r.cfg.ReclaimLost && w.chance(0.01) {
		c.lost.Store(true)
		r.end()
		return // nobody ends it
	}
	r.end()
	switch w.pick(780, 40, 50, 20, 30, 20, 20, 10) {
	case 0:
		l.Release()
	case 1:
		l.Discard(w.cause())
	case 2:
		l.ReleaseErr(w.cause())
	case 3:
		w.hijack(r, l)
	case 4:
		l.Release()
		w.again(r, l)
	case 5:
		w.twice(r, l)
	case 6:
		l.Release()
		w.lateAgain(r, l)
	case 7:
		l.KeepLong()
		time.Sleep(time.Millisecond)
		l.Release()
	}
}

func (w *worker) cause() error {
	return [...]error{nil, connpool.ErrBadConn, io.EOF, context.Canceled, errHarmless}[w.IntN(5)]
}

// hijack takes the connection out of the pool. It leaves the books before it
// leaves the pool, which may dial at once.
func (w *worker) hijack(r *rig, l lease) {
	s := r.source
	s.slots.Add(-1)
	s.hijacked.Add(1)
	r.hijacks.Add(1)
	l.Hijack().finish("who hijacked it")
}

// again ends a lease that has ended.
func (w *worker) again(r *rig, l lease) {
	r.stale.Add(1)
	switch w.IntN(4) {
	case 0:
		l.Release()
	case 1:
		l.ReleaseErr(nil)
	case 2:
		l.Discard(nil)
	case 3:
		if refused := panics(func() { l.Hijack() }); !refused {
			w.verdict.broken("%s: an ended lease can be hijacked", r.name)
		}
	}
}

// twice ends a lease from two goroutines at once.
func (w *worker) twice(r *rig, l lease) {
	r.stale.Add(1)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() { apart(l.Release) })
	}
	both.Wait()
}

// lateAgain uses and ends a lease once more, when its connection is probably
// somebody else's.
func (w *worker) lateAgain(r *rig, l lease) {
	after := w.upTo(3 * time.Millisecond)
	w.late.Go(func() {
		time.Sleep(after)
		if refused := panics(func() { l.Conn() }); !refused {
			w.verdict.broken("%s: an ended lease still gives its connection", r.name)
		}
		r.stale.Add(1)
		l.Release()
	})
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}
