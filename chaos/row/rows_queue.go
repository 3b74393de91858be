package row

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/connpool/connpool/chaos/row/pool"
)

// Rows about waiting.
func queueRows() []Row {
	return []Row{
		{
			Number: 4, Name: "release against enqueue", On: everywhere, Scenario: releaseAgainstEnqueue, Timed: true,
			Injected: "4 callers, 1 connection, 200,000 borrows with nothing in between",
			Required: "nobody sleeps beside a free connection: no wait over 1 s (those over 20 ms are counted)",
		}, {
			Number: 5, Name: "cancel against release", On: everywhere, Scenario: cancelAgainstRelease,
			Injected: "a waiter's cancel and the release meant for it at once, 500 times",
			Required: "the connection is there afterwards, 500 of 500 times",
		}, {
			Number: 6, Name: "order", On: everywhere, Scenario: order,
			Injected: "50 waiters, 2 ms apart, then one connection goes round",
			Required: "first come, first served (of 1,225 pairs at most 2 out of order)",
		}, {
			Number: 7, Name: "cancelled waiter", On: everywhere, Scenario: cancelledWaiter, Timed: true,
			Injected: "20 queued waiters are cancelled, one after the other",
			Required: "each returns at once: half of them within 5 ms, all within 50 ms",
		}, {
			Number: 8, Name: "50,000 waiters", On: everywhere, Scenario: manyWaiters, Timed: true,
			Injected: "50,000 waiters are cancelled at once",
			Required: "all back within 1 s, at most 5 KB each",
		}, {
			Number: 9, Name: "barging", On: everywhere, Scenario: barging,
			Injected: "who releases borrows again at once while another waits, 200 times",
			Required: "the waiter comes first",
		}, {
			Number: 10, Name: "hostile scheduler", On: everywhere, Scenario: hostileScheduler,
			Injected: "garbage collections without end, GOMAXPROCS 1 to 4 in turns, deadlines of microseconds, for 2 s",
			Required: "never two users of one connection; capacity 8/8 afterwards",
		},
	}
}

func releaseAgainstEnqueue(t *Trial) {
	p := t.open(pool.Setup{Max: 1})
	p.fill(1)
	const callers, each = 4, 50_000
	var stalls atomic.Int64
	var longest peak
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range each {
				waited, err := borrowOnce(t.ctx, p.Pool, patience)
				if longest.note(waited); waited > 20*time.Millisecond {
					stalls.Add(1)
				}
				if err != nil {
					t.Faultf("%v", short(err))
					return
				}
			}
		})
	}
	all.Wait()
	t.Sawf("longest wait %v, %d over 20 ms", ms(longest.get()), stalls.Load())
	t.Require(longest.get() < time.Second, "somebody was overlooked")
}

// borrowOnce borrows and returns at once.
func borrowOnce(ctx context.Context, p pool.Pool, deadline time.Duration) (waited time.Duration, err error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	lease, err := p.Acquire(ctx)
	waited = time.Since(began)
	if err == nil {
		lease.Release()
	}
	return waited, err
}

// queueing is long enough for a caller to be in the queue.
const queueing = 500 * time.Microsecond

func cancelAgainstRelease(t *Trial) {
	p := t.open(pool.Setup{Max: 1})
	const rounds = 500
	for round := range rounds {
		held, err := p.take(patience)
		if err != nil {
			t.Abortf("the connection was lost in round %d of %d: %v", round, rounds, short(err))
		}
		ctx, cancel := context.WithCancel(t.ctx)
		waiter := make(chan struct{})
		go func() {
			defer close(waiter)
			if lease, err := p.Acquire(ctx); err == nil {
				lease.Release()
			}
		}()
		time.Sleep(queueing)
		go cancel()
		held.Release()
		if t.Bounded(func() { <-waiter }) != nil {
			t.Abortf("the waiter is stuck in round %d", round)
		}
	}
	p.requireCapacity(1)
	t.Sawf("%d rounds", rounds)
}

func order(t *Trial) {
	p := t.open(pool.Setup{Max: 1})
	held := p.must("borrowing")
	const waiters = 50
	var mu sync.Mutex
	var served []int
	var all sync.WaitGroup
	for i := range waiters {
		all.Go(func() {
			lease, err := p.take(patience)
			if err != nil {
				t.Faultf("%v", short(err))
				return
			}
			mu.Lock()
			served = append(served, i)
			mu.Unlock()
			lease.Release()
		})
		time.Sleep(2 * time.Millisecond)
	}
	held.Release()
	all.Wait()
	n := inversions(served)
	t.Sawf("%d of 1,225 pairs out of order", n)
	t.Require(n <= 2, "not first come, first served")
}

func inversions(served []int) (n int) {
	for i, a := range served {
		for _, b := range served[i+1:] {
			if a > b {
				n++
			}
		}
	}
	return n
}

func cancelledWaiter(t *Trial) {
	p := t.open(pool.Setup{Max: 1})
	held := p.must("borrowing")
	defer held.Release()
	var took []time.Duration
	for range 20 {
		ctx, cancel := context.WithCancel(t.ctx)
		returned := make(chan time.Time, 1)
		go func() {
			_, err := p.Acquire(ctx)
			returned <- time.Now()
			t.Require(errors.Is(err, context.Canceled), "it says %v", err)
		}()
		time.Sleep(5 * time.Millisecond)
		cancelled := time.Now()
		cancel()
		took = append(took, (<-returned).Sub(cancelled))
	}
	slices.Sort(took)
	median, worst := took[len(took)/2], took[len(took)-1]
	t.Sawf("median %v, worst %v", ms(median), ms(worst))
	t.Require(median <= 5*time.Millisecond && worst <= 50*time.Millisecond, "too late")
}

func manyWaiters(t *Trial) {
	p := t.open(pool.Setup{Max: 1})
	held := p.must("borrowing")
	defer held.Release()
	const n = 50_000
	before := inUse()
	ctx, cancel := context.WithCancel(t.ctx)
	defer cancel()
	var inside atomic.Int64
	var all sync.WaitGroup
	for range n {
		all.Add(1)
		go func() { // a bare goroutine: it is weighed too
			inside.Add(1)
			_, _ = p.Acquire(ctx) // it is cancelled
			all.Done()
		}()
	}
	await(patience, func() bool { return inside.Load() == n })
	time.Sleep(200 * time.Millisecond) // the last of them get into the queue
	each := (inUse() - before) / n
	began := time.Now()
	cancel()
	if t.Bounded(all.Wait) != nil {
		t.Abortf("not back after 5 s")
	}
	took := time.Since(began)
	t.Sawf("all back in %v, %d bytes each", ms(took), each)
	if !weighedDown {
		t.Require(took < time.Second, "too late")
		t.Require(each <= 5<<10, "too large")
	}
}

// inUse returns the memory in use, goroutines' stacks included.
func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

func barging(t *Trial) {
	p := t.open(pool.Setup{Max: 1})
	const rounds = 200
	barged := 0
	for range rounds {
		mine := p.must("borrowing")
		var turn atomic.Int64
		waiters := make(chan int64, 1)
		go func() {
			lease, err := p.take(patience)
			if err != nil {
				waiters <- 0
				return
			}
			n := turn.Add(1)
			lease.Release()
			waiters <- n
		}()
		time.Sleep(2 * queueing)
		mine.Release()
		mine = p.must("borrowing again")
		if turn.Add(1) == 1 {
			barged++
		}
		mine.Release()
		<-waiters
	}
	t.Sawf("barged %d of %d times", barged, rounds)
	// One caller in a hundred may not have got as far as the queue.
	t.Require(barged <= rounds/100, "an arrival overtakes who waits")
}

func hostileScheduler(t *Trial) {
	const size, callers = 8, 32
	p := t.open(pool.Setup{Max: size})
	until := time.Now().Add(2 * time.Second)
	defer harass(until)()
	var served, gaveUp atomic.Int64
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			for n := 0; time.Now().Before(until); n++ {
				patience := time.Duration((i*7+n*13)%200+1) * time.Microsecond
				err := useOnce(t, p, patience)
				if err == nil {
					served.Add(1)
				} else {
					gaveUp.Add(1)
				}
			}
		})
	}
	all.Wait()
	p.requireCapacity(size)
	t.Sawf("%s served, %s gave up", thousands(served.Load()), thousands(gaveUp.Load()))
	t.Require(served.Load() > 0, "nobody was served")
}

// useOnce borrows, checks that nobody else has the connection, and returns it.
func useOnce(t *Trial, p *tried, deadline time.Duration) error {
	ctx, cancel := context.WithTimeout(t.ctx, deadline)
	defer cancel()
	lease, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	defer lease.Release()
	c, err := conn(lease)
	if err != nil {
		return err
	}
	defer c.Leave()
	t.Require(c.Enter(), "one connection to two users, or a closed one")
	runtime.Gosched()
	return nil
}

// harass collects garbage and changes GOMAXPROCS until then. The function it
// returns waits for the end and puts things right.
func harass(until time.Time) (end func()) {
	before := runtime.GOMAXPROCS(0)
	var both sync.WaitGroup
	both.Go(func() {
		for time.Now().Before(until) {
			runtime.GC()
		}
	})
	both.Go(func() {
		for n := 0; time.Now().Before(until); n++ {
			runtime.GOMAXPROCS(n%4 + 1)
			time.Sleep(5 * time.Millisecond)
		}
	})
	return func() {
		both.Wait()
		runtime.GOMAXPROCS(before)
	}
}
