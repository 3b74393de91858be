package connpool

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// No bubble: what is tried is the scheduler itself. The collector moves stacks
// and runs clean-ups, a change of GOMAXPROCS stops every goroutine wherever it
// is, and deadlines of microseconds end anywhere between join and grant.
func TestFault10_CollectionsProcessorsThatComeAndGoAndBriefDeadlinesLoseNothing(t *testing.T) {
	for name, edit := range map[string]func(*Config[*fakeConn]){
		"plain":      plain(8),
		"everything": func(c *Config[*fakeConn]) { everything(c); c.Budget = nil },
	} {
		t.Run(name, func(t *testing.T) {
			p, f := newPool(t, edit)
			end := unsettle()
			served, late := borrowBriefly(t, p, 16, rounds(20_000))
			end()
			require.Positive(t, served, "some were served")
			require.Positive(t, late, "and some were not in time")

			requireQuiet(t, p)
			held := acquireN(t, p, 8)
			conns := map[*fakeConn]bool{}
			for _, lease := range held {
				conns[lease.Conn()] = true
			}
			require.Len(t, conns, 8)
			_, err := p.TryAcquire(t.Context())
			require.ErrorIs(t, err, ErrNoneIdle)
			release(held...)
			require.LessOrEqual(t, f.slots.peak(), int64(8))
		})
	}
}

// unsettle collects garbage and changes the number of processors, again and
// again, until the function that it returns is called.
func unsettle() (end func()) {
	before := runtime.GOMAXPROCS(0)
	var over atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for !over.Load() {
			runtime.GC()
		}
	})
	wg.Go(func() {
		for n := 0; !over.Load(); n++ {
			runtime.GOMAXPROCS(1 + n%4)
			time.Sleep(100 * time.Microsecond)
		}
	})
	return func() {
		over.Store(true)
		wg.Wait()
		runtime.GOMAXPROCS(before)
	}
}

// borrowBriefly has workers borrow with deadlines of up to 50 microseconds, and
// now and then with one that is long enough.
func borrowBriefly(t *testing.T, p *Pool[*fakeConn], workers, rounds int) (served, late int64) {
	var wg sync.WaitGroup
	var ok, missed atomic.Int64
	for range workers {
		wg.Go(func() {
			for i := range rounds / workers {
				patience := time.Duration(i%50) * time.Microsecond
				if i%10 == 0 {
					patience = time.Minute
				}
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				lease, err := p.Acquire(ctx)
				cancel()
				switch {
				case err == nil:
					ok.Add(1)
					useBriefly(lease)
				case errors.Is(err, context.DeadlineExceeded):
					missed.Add(1)
				default:
					t.Errorf("acquire: %v", err)
				}
			}
		})
	}
	wg.Wait()
	return ok.Load(), missed.Load()
}

// useBriefly keeps a connection for so long that others have to wait for it.
func useBriefly(lease Lease[*fakeConn]) {
	lease.Conn().claim()
	runtime.Gosched()
	lease.Conn().release()
	lease.Release()
}
