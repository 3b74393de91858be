package main

import (
	"context"
	"slices"
	"sync"
	"time"
)

// connections is the level below the pool: few connections, each shared by several
// channels. It opens one when all others are full, and closes one when its last
// channel is closed. So as many are open as the channels fill, apart from one that
// dies or is closed while another takes its place. It is safe for concurrent use.
//
// It is a table with a count for each connection, and no second pool. A pool lends
// to one borrower at a time, and these are to be shared; what else a pool does, the
// pool of channels does already. Its MaxSize limits the connections too, its backoff
// spaces their dials, its Check finds the broker dead, and its callers are those who
// wait.
//
// Who joins a connection races with whoever is its last to leave, and with its
// death. The table's lock decides: a connection that is found dead, or that the last
// one leaves, is taken out of the table under the lock, and who comes later gets
// another.
//
//	      join              dialled
//	none ------> dialling ----------> open
//	                |                   |
//	                | failed, the       | died, hangs, the last one left
//	                | last one left     |
//	                +-------> out <-----+
//
// Out of the table it lives on until everybody has left, and then it is closed.
type connections struct {
	url  string
	each int // most shares of one
	// dialTimeout bounds a dial. It should be shorter than the pool's
	// ConnectTimeout: who waits longer for another's dial than for a new one gains
	// nothing.
	dialTimeout time.Duration

	mu struct {
		sync.Mutex
		table []*connection
		dials int
	}
}

// share returns an open connection with a share in it. Who gives it back must call
// leave, once.
func (t *connections) share(ctx context.Context) (*connection, error) {
	conn := t.join()
	select {
	case <-conn.dialled:
	case <-ctx.Done():
		conn.leave() // the dial goes on for those who stay
		return nil, context.Cause(ctx)
	}
	if conn.err != nil {
		conn.leave()
		return nil, conn.err
	}
	return conn, nil
}

// join returns the fullest connection that has room, so that the others may become
// empty, with one share more. If there is none it starts to dial.
func (t *connections) join() *connection {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.table = slices.DeleteFunc(t.mu.table, (*connection).dead)
	var fullest *connection
	for _, conn := range t.mu.table {
		if conn.shares < t.each && (fullest == nil || conn.shares > fullest.shares) {
			fullest = conn
		}
	}
	if fullest == nil {
		fullest = t.dialLocked()
	}
	fullest.shares++
	return fullest
}

// dialLocked starts a dial that is nobody's, so that it outlives who asked for it:
// it ends when everybody who waits for it has left.
func (t *connections) dialLocked() *connection {
	ctx, cancel := context.WithTimeout(context.Background(), t.dialTimeout)
	conn := &connection{in: t, cancel: cancel, dialled: make(chan struct{})}
	t.mu.table = append(t.mu.table, conn)
	t.mu.dials++
	go func() {
		defer cancel()
		defer close(conn.dialled)
		conn.amqp, conn.err = dial(ctx, t.url, t.each)
	}()
	return conn
}

func (t *connections) removeLocked(conn *connection) {
	t.mu.table = slices.DeleteFunc(t.mu.table, func(c *connection) bool { return c == conn })
}

// shares returns how many channels each connection has, and how many connections
// have been dialled so far.
func (t *connections) shares() (now []int, dials int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, conn := range t.mu.table {
		now = append(now, conn.shares)
	}
	return now, t.mu.dials
}
