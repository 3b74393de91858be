package connpool

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// What the pool tells in the background: log lines, Trace, OnLeak.

// hungHandler is a slog.Handler that does not come back before it is let go.
type hungHandler struct {
	slog.Handler
	calls *atomic.Int64
	let   chan struct{}
}

func newHungHandler(h slog.Handler) hungHandler {
	return hungHandler{Handler: h, calls: new(atomic.Int64), let: make(chan struct{})}
}

func (h hungHandler) Handle(ctx context.Context, r slog.Record) error {
	h.calls.Add(1)
	<-h.let
	return h.Handler.Handle(ctx, r)
}

// TestFault92_ALoggerThatHangsCostsOneGoroutine: dials fail for hours, and each is a
// line. The pool and its logger are all that runs.
func TestFault92_ALoggerThatHangsCostsOneGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		handler := newHungHandler(book.logger().Handler())
		p, f := newPool(t, func(c *Config[*fakeConn]) {
			c.Logger, c.MinSize, c.MaxSize = slog.New(handler), 1, 3
		})
		before := runtime.NumGoroutine()
		f.failWith(errRefused)
		acquireFails(within(t, time.Hour), p)
		p.Resize(2)
		time.Sleep(time.Hour)
		synctest.Wait()
		require.LessOrEqual(t, runtime.NumGoroutine(), before+2)
		require.EqualValues(t, 1, handler.calls.Load())
		dropped := p.Stats().EventsDropped
		require.Greater(t, dropped, uint64(1000))
		require.EqualValues(t, 1, p.Stats().Abandoned)

		close(handler.let)
		synctest.Wait()
		require.Zero(t, p.Stats().Abandoned)
		require.Equal(t, spareEvents+4, len(book.lines("connect failed"))+len(book.lines("outage")))
		require.Len(t, book.lines("events were dropped"), 1)
		require.Contains(t, book.lines("events were dropped")[0], fmt.Sprint("dropped=", dropped))
	})
}

// TestFault92_AShutdownEndsThoughTheLoggerHangs: with and without an end of its
// context.
func TestFault92_AShutdownEndsThoughTheLoggerHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		handler := newHungHandler(book.logger().Handler())
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.Logger = slog.New(handler) })
		f.failWith(errRefused)
		acquireFails(within(t, time.Second), p)
		require.ErrorIs(t, p.Shutdown(within(t, time.Second)), context.DeadlineExceeded)
		began := time.Now()
		require.NoError(t, p.Shutdown(context.Background()))
		require.LessOrEqual(t, time.Since(began), 5*time.Second, "CheckTimeout")
		close(handler.let)
		synctest.Wait()
	})
}

// TestFault92_AnOnLeakThatHangsCostsOneGoroutine: each lease is reported, one after
// the other.
func TestFault92_AnOnLeakThatHangsCostsOneGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told atomic.Int64
		let := make(chan struct{})
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize, c.LeakThreshold = 20, time.Second
			c.OnLeak = func(Leak) { told.Add(1); <-let }
		})
		leases := acquireN(t, p, 20)
		synctest.Wait()
		before := runtime.NumGoroutine()
		time.Sleep(time.Hour)
		synctest.Wait()
		requireGoroutines(t, before+1)
		require.EqualValues(t, 1, told.Load())
		close(let)
		synctest.Wait()
		require.EqualValues(t, 20, told.Load())
		release(leases...)
	})
}

// TestFault92_EventsComeOneAtATimeAndInOrder: whatever those before did.
func TestFault92_EventsComeOneAtATimeAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []uint64
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize = 50
			c.Trace = &Trace{Closed: func(i ClosedInfo) {
				told = append(told, i.Conn) // not guarded: one at a time
				switch i.Conn % 3 {
				case 0:
					panic("at the disco")
				case 1:
					runtime.Goexit()
				}
			}}
		})
		leases := acquireN(t, p, 50)
		want := make([]uint64, 50)
		for i, lease := range leases {
			want[i] = lease.seat.number()
			lease.Discard(nil)
		}
		synctest.Wait()
		require.Equal(t, want, told)
		require.EqualValues(t, 16+17, p.Stats().Panics)
	})
}

// deep panics from the depth of a recursion.
func deep(n int) {
	if n == 0 {
		panic(strings.Repeat("wide ", 10000))
	}
	deep(n - 1)
}

// TestFault93_PanicsWriteBoundedStacks: a Connect that panics each time.
func TestFault93_PanicsWriteBoundedStacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.Logger, c.MinSize = book.logger(), 1
			c.BackoffMin, c.BackoffMax, c.DownAfter = 10*time.Millisecond, 10*time.Millisecond, -1
			c.Connect = func(context.Context) (*fakeConn, error) { deep(1000); return nil, nil }
		})
		err := acquireFails(within(t, time.Second), p)
		var panicked *PanicError
		require.ErrorAs(t, err, &panicked)
		require.LessOrEqual(t, len(panicked.Stack), mostStack)
		require.Contains(t, string(panicked.Stack), "connpool.deep", "where it came from")
		require.True(t, bytes.HasSuffix(panicked.Stack, []byte("\n")))
		require.Less(t, len(err.Error()), 3*mostStack)

		time.Sleep(2 * time.Second)
		synctest.Wait()
		lines := book.lines("a callback panicked")
		require.Greater(t, p.Stats().Panics, uint64(100))
		require.Less(t, len(lines), 15)
		require.Contains(t, lines[len(lines)-1], "not_logged=", "how many were not")
		for _, line := range lines {
			require.Less(t, len(line), 3*mostStack)
		}
	})
}

// TestFault72_ClosesThatHangAreTold: a server that has stopped. The one lease that is
// left waits for it, and is no leak of its holder's.
func TestFault72_ClosesThatHangAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		let := make(chan struct{})
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			shut := c.Close
			c.Close = func(ctx context.Context, conn *fakeConn) error { <-let; return shut(ctx, conn) }
			c.Name, c.MaxSize, c.Logger, c.LeakThreshold = "orders", 9, book.logger(), 4*time.Second
		})
		leases := acquireN(t, p, 9)
		for _, lease := range leases[1:] {
			lease.Discard(nil)
		}
		require.NotContains(t, acquireFails(within(t, 500*time.Millisecond), p).Error(), "hang", "not yet")
		require.ErrorContains(t, acquireFails(within(t, 2*time.Second), p),
			"1 of 9 in use, 8 being closed (closes hang, the longest for 2.5s: the server may have stopped answering)")
		require.Equal(t, 2500*time.Millisecond, p.Stats().OldestClose)
		time.Sleep(4 * time.Second)
		synctest.Wait()
		require.Contains(t, book.lines("suspected leak")[0], "the holder may be waiting for it")
		require.Len(t, book.lines("Close did not return within CloseTimeout"), 1)
		require.Contains(t, book.lines("Close did not return")[0], "timeout=5s")
		require.Zero(t, p.Stats().OldestClose, "they are given up")
		require.EqualValues(t, 8, p.Stats().Abandoned)
		close(let)
		synctest.Wait()
		leases[0].Release()
	})
}

// TestFault71_EveryErrorSaysWhoHoldsWhat: not the first alone. The callers come one
// after the other, some at once.
func TestFault71_EveryErrorSaysWhoHoldsWhat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize = 2 })
		first := handleUpload(t, p)
		second := acquire(t, p)
		for i := range 20 {
			err := acquireFails(within(t, time.Duration(i*i)*time.Millisecond), p)
			require.ErrorContains(t, err, "2 of 2 in use")
			require.ErrorContains(t, err, "; longest held ")
			if i > 0 {
				require.ErrorIs(t, err, ErrExhausted, "%d", i)
			}
		}
		down := &AcquireError{Stage: StageConnect, Err: errRefused, Stats: Stats{InUse: 1, Limit: 2}, Holders: p.Holders()}
		require.ErrorContains(t, down, "cannot connect: connection refused; 1 of 2 in use; longest held ")
		release(first, second)
	})
}

// TestFault73_DurationsInJSONHaveAUnit: an outage, and a leak.
func TestFault73_DurationsInJSONHaveAUnit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		p, f := newPool(t, func(c *Config[*fakeConn]) {
			c.Logger = slog.New(slog.NewJSONHandler(&book, nil))
			c.LeakThreshold = 2 * time.Second
		})
		f.failWith(errRefused)
		acquireFails(within(t, 3*time.Second), p)
		f.failWith(nil)
		time.Sleep(3 * time.Second)
		lease := acquire(t, p)
		time.Sleep(4 * time.Second)
		lease.Release()
		synctest.Wait()
		for key, message := range map[string]string{
			"for": "outage began", "lasted": "outage ended", "held": "suspected leak",
		} {
			lines := book.lines(message)
			require.NotEmpty(t, lines, message)
			for _, line := range lines {
				var attrs map[string]any
				require.NoError(t, json.Unmarshal([]byte(line), &attrs))
				d, err := time.ParseDuration(fmt.Sprint(attrs[key]))
				require.NoError(t, err, line)
				require.Positive(t, d)
			}
		}
	})
}
