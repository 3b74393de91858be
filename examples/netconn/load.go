package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/connpool/connpool"
)

// load is workers that send one request after the other. What failed is judged
// later, when it is known when the server was down.
type load struct {
	pool    *connpool.Pool[*conn]
	until   context.Context
	stop    context.CancelFunc
	workers sync.WaitGroup

	mu struct {
		sync.Mutex
		tally
	}
}

// tally is what came of the requests.
type tally struct {
	answered int
	refused  int // of those: the server said no
	canceled int // given up with Ctrl-C
	failed   []request
	longest  time.Duration // wait for a connection
}

// request is one request, as seen by who sent it.
type request struct {
	began, lent, ended time.Time
	// vouched is when the connection it was sent on had last been looked at; zero
	// if the request never got one.
	vouched time.Time
	err     error
}

func startLoad(ctx context.Context, pool *connpool.Pool[*conn], workers int) *load {
	l := &load{pool: pool}
	l.until, l.stop = context.WithCancel(ctx)
	for range workers {
		l.workers.Go(func() { l.work(ctx) })
	}
	return l
}

// finish ends the load once what is under way is done.
func (l *load) finish() {
	l.stop()
	l.workers.Wait()
}

// work asks for ten keys in turn, the last of which is not there.
func (l *load) work(ctx context.Context) {
	for n := 1; l.until.Err() == nil; n++ {
		key := fmt.Sprintf("key%d", n%10)
		if n%10 == 0 {
			key = missing
		}
		l.note(l.send(ctx, key))
		sleep(l.until, time.Millisecond) // so that now and then a connection is idle
	}
}

// send sends one request, once: Do runs its function at most once.
func (l *load) send(ctx context.Context, key string) (r request) {
	r.began = time.Now()
	r.err = l.pool.Do(ctx, func(ctx context.Context, c *conn) error {
		r.lent, r.vouched = time.Now(), c.vouched
		_, err := c.get(ctx, key)
		return err
	})
	r.ended = time.Now()
	return r
}

func (l *load) note(r request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case r.err == nil:
		l.mu.answered++
	case errors.Is(r.err, errRefused):
		l.mu.answered++
		l.mu.refused++
	case errors.Is(r.err, context.Canceled):
		l.mu.canceled++
	default:
		l.mu.failed = append(l.mu.failed, r)
	}
	l.mu.longest = max(l.mu.longest, r.lent.Sub(r.began))
}

// underWay reports whether a request that failed could not but fail: its
// connection had been found alive, or it was about to be, before the last client
// had been told that the server was down, and the request lasted until after the
// server had begun to go down.
func (r request) underWay(down outage) bool {
	return !r.vouched.IsZero() && r.vouched.Before(down.complete) && r.ended.After(down.began)
}
