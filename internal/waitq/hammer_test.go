package waitq

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// hammer is a queue under load from all sides. Each grant is a number of its
// own, so that it can be told who received it.
type hammer struct {
	t        *testing.T
	q        *Queue
	gate     *Gate
	granted  atomic.Uint32 // the last number granted
	received []atomic.Int32
	failed   atomic.Int64 // errors received
	left     atomic.Int64
	joins    atomic.Int64
}

// wait joins, and leaves or waits until it is granted something or failed. Now
// and then a grant is bad, and the waiter goes back.
func (h *hammer) wait(r *rand.Rand) {
	w := newWaiter(0)
	for {
		h.joins.Add(1)
		if h.q.Join(w) != Joined {
			h.t.Error("turned away")
			return
		}
		if r.IntN(3) == 0 {
			runtime.Gosched()
			if h.q.Leave(w) {
				h.left.Add(1)
				return
			}
		}
		<-w.Ready()
		switch g := w.Granted(); {
		case g.Err != nil:
			h.failed.Add(1)
		case uint64(g.Number) != g.Word:
			h.t.Errorf("torn grant: %+v", g)
		default:
			h.received[g.Number].Add(1)
		}
		if r.IntN(4) != 0 {
			return
		}
	}
}

// match grants the next number, as long as it is told to.
func (h *hammer) match(over *atomic.Bool) {
	for !over.Load() {
		w := h.q.Match(func(head *Waiter) bool {
			if h.gate.Load()&Waiting == 0 || h.q.Len() < 1 || !head.queued {
				h.t.Errorf("gate %b with %d waiting", h.gate.Load(), h.q.Len())
			}
			return true
		})
		if w == nil {
			runtime.Gosched()
			continue
		}
		n := h.granted.Add(1)
		w.Wake(Grant{Number: n, Word: uint64(n)})
	}
}

// disturb pauses, resumes, fails and looks.
func (h *hammer) disturb(over *atomic.Bool) {
	for i := 0; !over.Load(); i++ {
		h.q.Pause(i%2 == 0)
		h.gate.Set(Free, i%2 == 0)
		if i%16 == 0 {
			h.q.Fail(errTest)
		}
		h.q.Head()
		runtime.Gosched()
	}
	h.q.Pause(false)
	h.gate.Set(Free, false)
}

func TestEveryGrantReachesOneWaiterAndNobodyIsForgotten(t *testing.T) {
	const waits = 8000
	for _, waiters := range []int{1, 2, 8} { // with one, the queue is empty half of the time
		t.Run(fmt.Sprint(waiters), func(t *testing.T) {
			h := &hammer{t: t, received: make([]atomic.Int32, 10*waits)}
			h.q, h.gate = newQueue(0)
			h.run(waiters, waits)

			require.Zero(t, h.q.Len())
			require.Zero(t, h.gate.Load())
			granted := int(h.granted.Load())
			for n := range h.received {
				want := int32(0)
				if 1 <= n && n <= granted {
					want = 1
				}
				if got := h.received[n].Load(); got != want {
					require.Equal(t, want, got, "grant %d of %d", n, granted)
				}
			}
			require.EqualValues(t, h.joins.Load(), h.left.Load()+h.failed.Load()+int64(granted))
			require.Nil(t, h.q.Match(never(t)))
		})
	}
}

// run returns once all have waited as often as they should: had one been
// forgotten in the queue, it would not.
func (h *hammer) run(waiters, waits int) {
	var over atomic.Bool
	var others, group sync.WaitGroup
	for range 2 {
		others.Go(func() { h.match(&over) })
	}
	others.Go(func() { h.disturb(&over) })
	for i := range waiters {
		group.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 0))
			for range waits / waiters {
				h.wait(r)
			}
		})
	}
	group.Wait()
	over.Store(true)
	others.Wait()
}
