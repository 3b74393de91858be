package history

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// The order of the queue, as linearizability: the pool must behave as a counting
// semaphore with a queue, whose operations are
//
//	ask k    k joins the queue at its end
//	serve k  k, at the head, leaves the queue with a connection
//	end k    k's connection is returned
//	leave k  k leaves the queue with nothing
//
// Each takes place at one instant within an interval that the test knows. What
// is known of the order is what those intervals say:
//
//   - ask: from the call of Acquire until the number of those who wait was seen to
//     have grown by this one, or else until Acquire returned. So A comes before B
//     for certain if A was seen queued before B called. Those of one wave call at
//     once and may join in any order.
//   - serve: from the call of Acquire until it returned. A waiter may have been
//     served long before it gets to run.
//   - end: from the call of Release or Discard until it returned.
//   - leave, of one that is cancelled: from the call of Acquire until it returned.
//     Its grant may have come first and been given back, so it orders nobody.

// step is one operation on the queue.
type step int

const (
	ask step = iota
	serve
	end
	leave
)

// move is a step of one caller.
type move struct {
	step step
	who  rune
}

// line is the state: who waits, and how many connections are lent.
type line struct {
	queue string
	lent  int
}

// fifo is the model of a queue before so many connections.
func fifo(size int) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return line{} },
		Step: func(state, input, _ any) (bool, any) {
			s, who := state.(line), string(input.(move).who)
			switch input.(move).step {
			case ask:
				return true, line{s.queue + who, s.lent}
			case serve:
				return s.lent < size && strings.HasPrefix(s.queue, who), line{strings.TrimPrefix(s.queue, who), s.lent + 1}
			case end:
				return s.lent > 0, line{s.queue, s.lent - 1}
			default:
				return strings.Contains(s.queue, who), line{strings.ReplaceAll(s.queue, who, ""), s.lent}
			}
		},
		DescribeOperation: func(input, _ any) string {
			m := input.(move)
			return fmt.Sprintf("%s %d", [...]string{"ask", "serve", "end", "leave"}[m.step], m.who)
		},
	}
}

// queueing is one history of the queue being recorded.
type queueing struct {
	t    *testing.T
	pool pool
	recorder
	callers sync.WaitGroup
	next    rune
}

func (q *queueing) record(m move, called, returned int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ops = append(q.ops, porcupine.Operation{Input: m, Call: called, Return: returned})
}

// caller acquires, and ends what it gets. If seen is not nil it closes once the
// caller has been seen in the queue.
func (q *queueing) caller(ctx context.Context, who rune, seen <-chan int64) {
	called := q.tick()
	l, err := q.pool.acquire(ctx)
	returned := q.tick()
	asked := returned
	if seen != nil {
		asked = <-seen
	}
	q.record(move{ask, who}, called, asked)
	if err != nil {
		q.record(move{leave, who}, called, returned)
		return
	}
	q.record(move{serve, who}, called, returned)
	q.finish(who, l)
}

// finish uses a connection for a moment and ends its lease.
func (q *queueing) finish(who rune, l lease) {
	if rand.IntN(2) == 0 {
		runtime.Gosched()
	}
	called := q.tick()
	if rand.IntN(8) == 0 {
		l.Discard(nil)
	} else {
		l.Release()
	}
	q.record(move{end, who}, called, q.tick())
}

// start starts a caller.
func (q *queueing) start(ctx context.Context, seen <-chan int64) {
	who := q.next
	q.next++
	q.callers.Go(func() { q.caller(ctx, who, seen) })
}

// wave starts some callers at once, and waits until all of them have joined.
func (q *queueing) wave(ctx context.Context, n int) {
	before := q.pool.waiting()
	seen := make(chan int64, n)
	for range n {
		q.start(ctx, seen)
	}
	for q.pool.waiting() < before+n {
		runtime.Gosched()
	}
	joined := q.tick()
	for range n {
		seen <- joined
	}
}

// hold borrows everything that the pool has.
func (q *queueing) hold(size int) []func() {
	var release []func()
	for range size {
		who := q.next
		q.next++
		called := q.tick()
		l, err := q.pool.acquire(q.t.Context())
		if err != nil {
			q.t.Fatal(err)
		}
		returned := q.tick()
		q.record(move{ask, who}, called, returned)
		q.record(move{serve, who}, called, returned)
		release = append(release, func() { q.finish(who, l) })
	}
	return release
}

// crowd records one history: waves of callers queue while everything is lent;
// then it is returned, while some are cancelled and others come.
func crowd(t *testing.T, p pool, size int) []porcupine.Operation {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	hasty, hurry := context.WithCancel(ctx)
	defer hurry()
	q := &queueing{t: t, pool: p, next: 1}
	held := q.hold(size)
	for range 4 {
		q.wave(ctx, 1+rand.IntN(2))
		if rand.IntN(2) == 0 {
			q.wave(hasty, 1)
		}
	}
	go hurry()
	for range 3 {
		q.start(ctx, nil)
	}
	for _, release := range held {
		q.callers.Go(release)
	}
	q.callers.Wait()
	return q.ops
}

func TestWhoIsSeenInTheQueueFirstIsServedFirst(t *testing.T) {
	defer flipThreads()()
	for _, size := range []int{1, 2, 3} {
		p := newReal(t, size)
		for range histories(1000) {
			if result := porcupine.CheckOperationsTimeout(fifo(size), crowd(t, p, size), patience); result != porcupine.Ok {
				t.Fatalf("with %d connections, the order of the queue is %v", size, result)
			}
		}
	}
}

func TestASeededStackInPlaceOfTheQueueIsFound(t *testing.T) {
	for _, size := range []int{1, 2} {
		found := false
		for i := 0; i < 20 && !found; i++ {
			p := &broken{size: size, lastIn: true}
			if found = porcupine.CheckOperationsTimeout(fifo(size), crowd(t, p, size), patience) == porcupine.Illegal; found {
				t.Logf("with %d connections: found in history %d", size, i+1)
			}
		}
		if !found {
			t.Fatalf("a pool of %d that serves the last first has passed", size)
		}
	}
}

// The same pool with its queue the right way round passes: what is found above is
// the order and nothing else.
func TestAPlainQueuePasses(t *testing.T) {
	for range histories(500) {
		p := &broken{size: 2}
		if result := porcupine.CheckOperationsTimeout(fifo(2), crowd(t, p, 2), patience); result != porcupine.Ok {
			t.Fatalf("the order of a plain queue is %v", result)
		}
	}
}
