package history

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/connpool/connpool"
)

// kind is what an operation of a history did.
type kind int

const (
	got   kind = iota // an acquire or try that returned a connection
	ended             // a lease that ended and left its connection open
	lost              // a discard: the connection is gone
)

// event is one operation: what it did, to which connection.
type event struct {
	kind kind
	conn int64
}

// recorder records a history. Times are ticks of one counter, read before the
// call and after the return: an order that all processors agree on.
type recorder struct {
	clock atomic.Int64
	mu    sync.Mutex
	ops   []porcupine.Operation
}

func (r *recorder) tick() int64 { return r.clock.Add(1) }

func (r *recorder) add(client int, called int64, e event) {
	returned := r.tick()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ops = append(r.ops, porcupine.Operation{ClientId: client, Input: e, Call: called, Output: nil, Return: returned})
}

// users borrow and end leases in every way, all at once, and return the history.
// When they are done, everything has been returned.
func users(t *testing.T, p pool, n, rounds int) []porcupine.Operation {
	t.Helper()
	var r recorder
	var wg sync.WaitGroup
	for client := range n {
		wg.Go(func() {
			for range rounds {
				r.useOnce(t, p, client)
			}
		})
	}
	wg.Wait()
	return r.ops
}

func (r *recorder) useOnce(t *testing.T, p pool, client int) {
	called := r.tick()
	l, err := borrow(p)
	if err != nil {
		if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, connpool.ErrNoneIdle) {
			t.Errorf("client %d: %v", client, err)
		}
		return // it has done nothing to any connection
	}
	id := l.Conn().id
	r.add(client, called, event{got, id})
	if rand.IntN(4) == 0 {
		runtime.Gosched()
	}
	called = r.tick()
	if rand.IntN(20) == 0 {
		l.Discard(nil)
		r.add(client, called, event{lost, id})
		return
	}
	l.Release()
	r.add(client, called, event{ended, id})
}

// borrow tries or waits: not at all, hardly, or for as long as it takes.
func borrow(p pool) (lease, error) {
	var limit time.Duration
	switch rand.IntN(8) {
	case 0:
		return p.try(context.Background())
	case 1, 2:
		limit = time.Duration(rand.IntN(50)) * time.Microsecond
	default:
		limit = time.Minute
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return p.acquire(ctx)
}

// flipThreads changes how many threads run Go code, again and again, until the
// function that it returns is called.
func flipThreads() (end func()) {
	before := runtime.GOMAXPROCS(0)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for n := 1; ; n = n%(2*runtime.NumCPU()) + 1 {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
				runtime.GOMAXPROCS(n)
			}
		}
	}()
	return func() {
		close(stop)
		<-done
		runtime.GOMAXPROCS(before)
	}
}
