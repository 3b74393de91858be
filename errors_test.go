package connpool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"
)

var errCause = errors.New("the user went away")

// acquireFailures has every way in which an acquire fails, with what the error
// matches among all that it could be taken for.
var acquireFailures = []struct {
	name    string
	stage   Stage
	matches []error
	says    string
	edit    func(*Config[*fakeConn])
	fail    func(t *testing.T, p *Pool[*fakeConn], f *factory) error
}{
	{
		name: "closed", matches: []error{ErrClosed},
		says: `connpool "orders": pool is closed`,
		fail: func(t *testing.T, p *Pool[*fakeConn], f *factory) error {
			p.Close()
			return acquireFails(t.Context(), p)
		},
	},
	{
		name: "closed, and every connection in use", matches: []error{ErrClosed},
		says: `connpool "orders": pool is closed`,
		fail: func(t *testing.T, p *Pool[*fakeConn], f *factory) error {
			defer release(acquireN(t, p, 2)...)
			p.Close()
			return acquireFails(within(t, time.Second), p)
		},
	},
	{
		name: "closed while waiting", matches: []error{ErrClosed},
		says: `connpool "orders": pool is closed`,
		fail: func(t *testing.T, p *Pool[*fakeConn], f *factory) error {
			defer release(acquireN(t, p, 2)...)
			a := begin(within(t, time.Second), p)
			synctest.Wait()
			p.Close()
			return a.fails(t)
		},
	},
	{
		name: "exhausted, deadline", matches: []error{ErrExhausted, context.DeadlineExceeded},
		says: `connpool "orders": no connection in 2s (the caller's deadline): 2 of 2 in use; longest held 45s by connpool.acquire`,
		edit: func(c *Config[*fakeConn]) { c.LeakStacks = StacksAlways },
		fail: func(t *testing.T, p *Pool[*fakeConn], f *factory) error {
			defer release(acquireN(t, p, 2)...)
			time.Sleep(43 * time.Second)
			return acquireFails(within(t, 2*time.Second), p)
		},
	},
	{
		name: "exhausted, deadline with a cause", matches: []error{ErrExhausted, context.DeadlineExceeded, errCause},
		says: "no connection in 2s (the caller's deadline: the user went away): 2 of 2 in use",
		fail: func(t *testing.T, p *Pool[*fakeConn], f *factory) error {
			defer release(acquireN(t, p, 2)...)
			ctx, cancel := context.WithTimeoutCause(t.Context(), 2*time.Second, errCause)
			defer cancel()
			return acquireFails(ctx, p)
		},
	},
	{
		name: "exhausted, AcquireTimeout", matches: []error{ErrExhausted, context.DeadlineExceeded},
		says: "no connection in 3s (AcquireTimeout 3s): 2 of 2 in use",
		edit: func(c *Config[*fakeConn]) { c.AcquireTimeout = 3 * time.Second },
		fail: func(t *testing.T, p *Pool[*fakeConn], f *factory) error {
			defer release(acquireN(t, p, 2)...)
			return acquireFails(t.Context(), p)
		},
	},
	{
		name: "exhausted, cancelled with a cause", matches: []error{ErrExhausted, context.Canceled, errCause},
		says: "canceled after waiting 1s (by the caller: the user went away): 2 of 2 in use",
		fail: func(t *testing.T, p *Pool[*fakeConn], f *factory) error {
			defer release(acquireN(t, p, 2)...)
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(errCause) })
			return acquireFails(ctx, p)
		},
	},
	{
		name: "deadline passed before, all idle", matches: []error{context.DeadlineExceeded},
		says: "no connection in 0s (the caller's deadline): 0 of 2 in use, 2 idle",
		fail: func(t *testing.T, p *Pool[*fakeConn], f *factory) error {
			release(acquireN(t, p, 2)...)
			return acquireFails(within(t, -1), p)
		},
	},
	{
		name: "cancelled before, nothing open", matches: []error{context.Canceled, errCause},
		says: "canceled after waiting 0s (by the caller: the user went away): 0 of 2 in use",
		fail: func(t *testing.T, p *Pool[*fakeConn], f *factory) error {
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(errCause)
			return acquireFails(ctx, p)
		},
	},
	{
		name: "deadline, paused, all idle", matches: []error{context.DeadlineExceeded},
		says: "no connection in 1s (the caller's deadline): 0 of 2 in use, 2 idle, paused",
		fail: func(t *testing.T, p *Pool[*fakeConn], f *factory) error {
			release(acquireN(t, p, 2)...)
			p.Pause()
			return acquireFails(within(t, time.Second), p)
		},
	},
	{
		name: "deadline while dialling", matches: []error{context.DeadlineExceeded},
		says: "no connection in 500ms (the caller's deadline): 0 of 2 in use, 1 connecting",
		fail: func(t *testing.T, p *Pool[*fakeConn], f *factory) error {
			f.delayBy(2 * time.Second)
			return acquireFails(within(t, 500*time.Millisecond), p)
		},
	},
	{
		name: "deadline while dials fail", matches: []error{ErrUnreachable, context.DeadlineExceeded, errRefused},
		says: "no connection in 500ms (the caller's deadline): 0 of 2 in use; dials are failing: connection refused",
		edit: func(c *Config[*fakeConn]) { c.BackoffMin, c.BackoffMax = time.Hour, time.Hour },
		fail: func(t *testing.T, p *Pool[*fakeConn], f *factory) error {
			f.failWith(errRefused)
			return acquireFails(within(t, 500*time.Millisecond), p)
		},
	},
	{
		name: "server down while waiting", stage: StageConnect, matches: []error{ErrUnreachable, errRefused},
		says: `connpool "orders": cannot connect: connection refused`,
		fail: func(t *testing.T, p *Pool[*fakeConn], f *factory) error {
			f.failWith(errRefused)
			return acquireFails(within(t, 2*time.Second), p)
		},
	},
	{
		name: "server down before", stage: StageConnect, matches: []error{ErrUnreachable, errRefused},
		says: `connpool "orders": cannot connect: connection refused`,
		fail: func(t *testing.T, p *Pool[*fakeConn], f *factory) error {
			f.failWith(errRefused)
			acquireFails(within(t, 2*time.Second), p)
			began := time.Now()
			err := acquireFails(within(t, 2*time.Second), p)
			require.Zero(t, time.Since(began), "an arrival is failed at once")
			return err
		},
	},
	{
		name: "queue full", matches: []error{ErrQueueFull},
		says: "too many callers are waiting: 2 of 2 in use, 1 waiting; longest held",
		edit: func(c *Config[*fakeConn]) { c.MaxWaiting = 1 },
		fail: func(t *testing.T, p *Pool[*fakeConn], f *factory) error {
			leases := acquireN(t, p, 2)
			waiting := begin(t.Context(), p)
			synctest.Wait()
			err := acquireFails(within(t, time.Second), p)
			release(leases...)
			waiting.get(t).Release()
			return err
		},
	},
	{
		name: "Prepare", stage: StagePrepare, matches: []error{io.ErrNoProgress},
		says: `connpool "orders": Prepare failed: multiple Read calls return no data or error`,
		edit: func(c *Config[*fakeConn]) {
			c.Prepare = func(context.Context, *fakeConn) error { return io.ErrNoProgress }
		},
		fail: func(t *testing.T, p *Pool[*fakeConn], f *factory) error { return acquireFails(t.Context(), p) },
	},
	{
		name: "Prepare finds every connection bad", stage: StageCheck, matches: []error{ErrBadConn},
		says: `connpool "orders": no usable connection: connpool: bad connection`,
		edit: func(c *Config[*fakeConn]) {
			c.Prepare = func(context.Context, *fakeConn) error { return ErrBadConn }
		},
		fail: func(t *testing.T, p *Pool[*fakeConn], f *factory) error { return acquireFails(t.Context(), p) },
	},
	{
		name: "Alive finds every connection dead", stage: StageCheck, matches: []error{io.EOF},
		says: `connpool "orders": no usable connection: EOF`,
		edit: func(c *Config[*fakeConn]) { c.Alive = func(*fakeConn) error { return io.EOF } },
		fail: func(t *testing.T, p *Pool[*fakeConn], f *factory) error { return acquireFails(t.Context(), p) },
	},
}

func acquireFails(ctx context.Context, p *Pool[*fakeConn]) error {
	lease, err := p.Acquire(ctx)
	lease.Release()
	return err
}

func TestFault52_ErrorsKeepApartWhyAnAcquireFailed(t *testing.T) {
	all := []error{ErrClosed, ErrExhausted, ErrQueueFull, ErrUnreachable, ErrBadConn, ErrNoneIdle, context.DeadlineExceeded,
		context.Canceled, errCause, errRefused, io.ErrNoProgress, io.EOF}
	for _, tc := range acquireFailures {
		t.Run(tc.name, func(t *testing.T) {
			// One caller at a time is at work, and time moves only while it sleeps.
			synctest.Test(t, func(t *testing.T) {
				p, f := newPool(t, func(c *Config[*fakeConn]) {
					c.Name, c.MaxSize = "orders", 2
					if tc.edit != nil {
						tc.edit(c)
					}
				})
				err := tc.fail(t, p, f)
				for _, target := range all {
					require.Equal(t, slices.Contains(tc.matches, target), errors.Is(err, target), "errors.Is(%q, %q)", err, target)
				}
				var failed *AcquireError
				require.ErrorAs(t, err, &failed)
				require.Equal(t, tc.stage, failed.Stage)
				require.Equal(t, "orders", failed.Pool)
				require.Contains(t, err.Error(), tc.says)
				requireOneLine(t, err.Error())
			})
		})
	}
}

// A switch over the reasons takes each failure by itself.
func TestFault68_ASwitchTellsEveryReasonApart(t *testing.T) {
	reason := func(err error) string {
		switch {
		case errors.Is(err, ErrClosed):
			return "closed"
		case errors.Is(err, ErrQueueFull):
			return "queue full"
		case errors.Is(err, ErrUnreachable):
			return "unreachable"
		case errors.Is(err, ErrExhausted):
			return "exhausted"
		case errors.Is(err, context.DeadlineExceeded):
			return "too late"
		case errors.Is(err, context.Canceled):
			return "canceled"
		}
		return "other"
	}
	for _, tc := range acquireFailures {
		want := "other"
		for _, target := range tc.matches { // they are listed in the order of the switch
			if want = reason(target); want != "other" {
				break
			}
		}
		synctest.Test(t, func(t *testing.T) {
			p, f := newPool(t, func(c *Config[*fakeConn]) {
				c.MaxSize = 2
				if tc.edit != nil {
					tc.edit(c)
				}
			})
			require.Equal(t, want, reason(tc.fail(t, p, f)), tc.name)
		})
	}
}

// dialTimeouts are errors of dials that a context's end is in.
var dialTimeouts = map[string]error{
	"a deadline":         fmt.Errorf("dial: %w", context.DeadlineExceeded),
	"a cancel":           fmt.Errorf("dial: %w", context.Canceled),
	"a timeout of net's": &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded},
	"another pool's":     &AcquireError{Pool: "tunnel", Err: &waitError{context.DeadlineExceeded, ErrExhausted}},
}

// TestFault68_ADialsTimeoutIsNotTheCallers: one caller at a time, whose own deadline
// is far away, ends, or is called off.
func TestFault68_ADialsTimeoutIsNotTheCallers(t *testing.T) {
	for name, dial := range dialTimeouts {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, f := newPool(t, nil)
				f.failWith(dial)
				down := acquireFails(within(t, time.Hour), p)
				require.ErrorIs(t, down, ErrUnreachable)
				require.NotErrorIs(t, down, context.DeadlineExceeded)
				require.NotErrorIs(t, down, context.Canceled)
				require.ErrorIs(t, down, dial, "the last connect error")
				var failed *AcquireError
				require.ErrorAs(t, down, &failed)
				require.ErrorIs(t, failed.LastConnect, dial)

				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				canceled := acquireFails(ctx, p)
				require.ErrorIs(t, canceled, context.Canceled)
				require.NotErrorIs(t, canceled, context.DeadlineExceeded)
				late := acquireFails(within(t, 0), p)
				require.ErrorIs(t, late, context.DeadlineExceeded)
				require.NotErrorIs(t, late, context.Canceled)
				require.ErrorIs(t, late, dial)
			})
		})
	}
}

func TestFault68_TheCauseOfACancelIsNoDeadlineOfTheCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // one caller
		p, _ := newPool(t, nil)
		cause := fmt.Errorf("the other query: %w", context.DeadlineExceeded)
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		err := acquireFails(ctx, p)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, cause)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestFault68_PreparesTimeoutIsTheCallersOnlyIfItsContextHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // one caller at a time
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.Prepare = func(ctx context.Context, _ *fakeConn) error {
				select {
				case <-ctx.Done():
					return fmt.Errorf("set role: %w", ctx.Err())
				case <-time.After(time.Minute):
					return fmt.Errorf("set role: %w", context.DeadlineExceeded)
				}
			}
		})
		require.NotErrorIs(t, acquireFails(within(t, time.Hour), p), context.DeadlineExceeded)
		require.ErrorIs(t, acquireFails(within(t, time.Second), p), context.DeadlineExceeded)
	})
}

// TestFault68_TheTextSaysWhoseTimeoutItWas: one caller at a time; dials watch their
// context, or hang.
func TestFault68_TheTextSaysWhoseTimeoutItWas(t *testing.T) {
	for name, connect := range map[string]func(context.Context) (*fakeConn, error){
		"dials are failing: ConnectTimeout 7s passed: dial tcp: i/o timeout": func(ctx context.Context) (*fakeConn, error) {
			<-ctx.Done()
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}
		},
		"dials are failing: ConnectTimeout 7s passed: connpool: the callback did not return and was abandoned": func(ctx context.Context) (*fakeConn, error) {
			<-ctx.Done()
			time.Sleep(time.Hour)
			return nil, errRefused
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			p, err := New(Config[*fakeConn]{
				Connect: connect, ConnectTimeout: 7 * time.Second, AcquireTimeout: 8 * time.Second, DownAfter: -1,
				MaxSize: 2, BackoffMin: time.Hour, BackoffMax: time.Hour, Logger: slog.New(slog.DiscardHandler),
			})
			require.NoError(t, err)
			err = acquireFails(t.Context(), p)
			require.ErrorContains(t, err, "(AcquireTimeout 8s)")
			require.ErrorContains(t, err, name)
			require.ErrorContains(t, acquireFails(within(t, time.Second), p), "(the caller's deadline)")
			require.NoError(t, p.Shutdown(t.Context()))
			time.Sleep(2 * time.Hour)
		})
	}
}

// heldContext says when it is asked for its cause.
type heldContext struct {
	context.Context
	asked *atomic.Int64
}

func (c heldContext) Value(key any) any {
	c.asked.Add(1)
	return c.Context.Value(key)
}

// TestFault68_ACauseIsLookedUpOnlyWhenItIsWanted: it takes a lock that a cancel of
// many waiters holds.
func TestFault68_ACauseIsLookedUpOnlyWhenItIsWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // one waiter
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize, c.Trace = 1, &Trace{Waited: func(context.Context, WaitedInfo) {}}
		})
		defer acquire(t, p).Release()
		inner, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errCause) })
		var asked atomic.Int64
		err := acquireFails(heldContext{inner, &asked}, p)
		require.Zero(t, asked.Load())
		require.ErrorIs(t, err, errCause)
		require.ErrorContains(t, err, "the user went away")
	})
}

// canceledBy returns a context that has been cancelled.
func canceledBy(cause error) context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	return ctx
}

// secretiveContext has ended, and panics when it is asked for more.
type secretiveContext struct{ context.Context }

func (secretiveContext) Value(any) any { panic("no values here") }

func TestFault68_AContextThatPanicsHasNoCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // one caller
		p, _ := newPool(t, nil)
		err := acquireFails(secretiveContext{within(t, 0)}, p)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "no connection in 0s (the caller's deadline)")
	})
}

func requireOneLine(t *testing.T, text string) {
	t.Helper()
	require.NotContains(t, text, "\n")
	require.True(t, strings.HasPrefix(text, "connpool "), text)
	require.NotContains(t, text, "%!")
	require.Less(t, len(text), 400)
}

func TestFault52_TheErrorsOfDoAndWarmAreThoseOfAcquire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // one caller, who waits for failing dials
		p, f := newPool(t, only(2))
		f.failWith(errRefused)
		err := p.Do(t.Context(), func(context.Context, *fakeConn) error { panic("not reached") })
		require.ErrorIs(t, err, errRefused)
		require.ErrorAs(t, err, new(*AcquireError))

		err = p.Warm(t.Context())
		require.ErrorIs(t, err, errRefused)
		require.ErrorAs(t, err, new(*AcquireError))
	})
}

func TestAConnectErrorKeepsItsTypeInTheChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // one caller, who waits for failing dials
		p, f := newPool(t, only(1))
		f.failWith(&net.OpError{Op: "dial", Net: "tcp", Err: errRefused})
		err := acquireFails(t.Context(), p)
		var op *net.OpError
		require.ErrorAs(t, err, &op)
		require.Equal(t, "dial", op.Op)
	})
}

// handleUpload is a call site to look for.
func handleUpload(t *testing.T, p *Pool[*fakeConn]) Lease[*fakeConn] {
	lease, err := p.Acquire(t.Context())
	require.NoError(t, err)
	return lease
}

// TestFault52_OneLineSaysItAll: the waiters sleep in the queue while the last
// one's time passes.
func TestFault52_OneLineSaysItAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.Name, c.MaxSize, c.LeakStacks = "orders", 2, StacksAlways })
		leases := []Lease[*fakeConn]{handleUpload(t, p)}
		time.Sleep(43 * time.Second)
		leases = append(leases, acquire(t, p))
		waiting := beginN(t.Context(), p, 3)
		err := acquireFails(within(t, 2*time.Second), p)
		require.Regexp(t, `^connpool "orders": no connection in 2s \(the caller's deadline\): 2 of 2 in use, 3 waiting; longest held 45s by connpool\.handleUpload \(errors_test\.go:\d+\)$`, err.Error())

		var failed *AcquireError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, 2*time.Second, failed.Waited)
		require.Equal(t, 2, failed.Stats.InUse)
		require.Equal(t, 3, failed.Stats.Waiting)
		require.Len(t, failed.Holders, 2)
		require.Equal(t, 45*time.Second, failed.Holders[0].Held)

		for i, a := range waiting {
			leases[0].Release()
			leases = append(leases[1:], a.get(t))
			require.Len(t, leases, 2, "waiter %d", i)
		}
		release(leases...)
	})
}

func TestFault52_HoldersWithoutAStackAreNotNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // one caller at a time
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.Name, c.MaxSize, c.LeakStacks = "orders", 1, StacksNever })
		lease := acquire(t, p)
		time.Sleep(time.Minute)
		err := acquireFails(within(t, time.Second), p)
		require.ErrorContains(t, err, "by a caller whose stack was not captured")
		lease.Release()
	})
}

func TestFault44_AShutdownThatFailsSaysWhoHoldsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the lease ends only after Shutdown has given up
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.Name, c.MaxSize, c.LeakStacks = "orders", 2, StacksAlways })
		lease := handleUpload(t, p)
		ctx, cancel := context.WithTimeoutCause(t.Context(), 5*time.Second, errCause)
		defer cancel()
		err := p.Shutdown(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, errCause)
		require.Regexp(t, `^connpool "orders": not shut down: context deadline exceeded: the user went away: 1 of 2 in use; 1 lease held 5s by connpool\.handleUpload \(errors_test\.go:\d+\)$`, err.Error())
		lease.Release()
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

func TestStagesHaveNames(t *testing.T) {
	for stage, name := range map[Stage]string{StageWait: "wait", StageConnect: "connect", StageCheck: "check", StagePrepare: "prepare", 9: "stage 9"} {
		require.Equal(t, name, stage.String())
	}
}

func TestDurationsInMessagesKeepThreeFigures(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                          "0s",
		999 * time.Nanosecond:      "999ns",
		1234567 * time.Nanosecond:  "1.23ms",
		45*time.Second + 67890123:  "45.1s",
		2 * time.Second:            "2s",
		59*time.Second + 999999999: "1m0s",
	} {
		require.Equal(t, want, round(d).String())
	}
}

// Snapshots

// dearError counts how often it is formatted.
type dearError struct{ formatted *atomic.Int64 }

func (e dearError) Error() string { e.formatted.Add(1); return "connection refused" }

// TestFailuresOfOneMomentShareOneSnapshot: in a bubble all failures are of one
// instant. The identity of Holders' array shows how often the table was looked at.
func TestFailuresOfOneMomentShareOneSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.AcquireTimeout = 1, time.Second })
		lease := acquire(t, p)
		defer lease.Release()
		const waiters, arrivals = 2000, 48000
		failures := make(chan error, waiters+arrivals)
		for range waiters {
			go func() { failures <- acquireFails(t.Context(), p) }()
		}
		time.Sleep(time.Second)
		for range arrivals {
			failures <- acquireFails(within(t, 0), p)
		}
		synctest.Wait()
		snapshots := make(map[*Holder]int)
		for range waiters + arrivals {
			snapshots[holdersOf(t, <-failures)]++
		}
		require.Len(t, snapshots, 1)

		last := holdersOf(t, acquireFails(within(t, 0), p))
		time.Sleep(99 * time.Millisecond)
		require.Same(t, last, holdersOf(t, acquireFails(within(t, 0), p)), "shared for 100 ms")
		time.Sleep(time.Millisecond)
		require.NotSame(t, last, holdersOf(t, acquireFails(within(t, 0), p)), "and no longer")
	})
}

func holdersOf(t *testing.T, err error) *Holder {
	var failed *AcquireError
	require.ErrorAs(t, err, &failed)
	require.Len(t, failed.Holders, 1)
	return &failed.Holders[0]
}

// TestFailuresAreFormattedOnlyWhenPrinted: one dial fails, and is logged; then
// backoff keeps everything still.
func TestFailuresAreFormattedOnlyWhenPrinted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize, c.BackoffMin, c.BackoffMax, c.DownAfter = 1, time.Hour, time.Hour, -1
		})
		var formatted atomic.Int64
		f.failWith(dearError{&formatted})
		err := acquireFails(within(t, time.Microsecond), p)
		synctest.Wait()
		before := formatted.Load()
		for range 50000 {
			err = acquireFails(within(t, 0), p)
		}
		require.Equal(t, before, formatted.Load())
		require.ErrorContains(t, err, "connection refused")
		require.Greater(t, formatted.Load(), before)
	})
}

// Secrets

const secret = "hunter2"

// talkative prints a secret in whatever way it is asked to print itself, and
// remembers that it was asked.
type talkative struct {
	DSN   string // exported: encoders see it
	asked atomic.Int64
}

func (c *talkative) tell() string               { c.asked.Add(1); return c.DSN }
func (c *talkative) String() string             { return c.tell() }
func (c *talkative) GoString() string           { return c.tell() }
func (c *talkative) Format(s fmt.State, _ rune) { fmt.Fprint(s, c.tell()) }
func (c *talkative) LogValue() slog.Value       { return slog.StringValue(c.tell()) }
func (c *talkative) MarshalText() ([]byte, error) {
	return []byte(c.tell()), nil
}
func (c *talkative) MarshalJSON() ([]byte, error) { return json.Marshal(c.tell()) }

// dsnErrors are what factories return and panic with.
func dsnErrors() []error {
	_, parse := url.Parse("postgres://bob:" + secret + "%zz@db/orders")
	return []error{
		errors.New("cannot parse postgres://bob:" + secret + "@db:5432/orders"),
		fmt.Errorf("dial: %w", errors.New("host=db user=bob password="+secret+" dbname=orders")),
		errors.New("bob:" + secret + "@tcp(db:3306)/orders: refused"),
		&url.Error{Op: "parse", URL: "amqp://bob:" + secret + "@mq/", Err: errRefused},
		parse,
	}
}

// TestFault38_NoSecretOfAConnectErrorIsPrinted: callers come one at a time and
// wait for dials that fail, in every stage of an outage.
func TestFault38_NoSecretOfAConnectErrorIsPrinted(t *testing.T) {
	for _, dsn := range dsnErrors() {
		synctest.Test(t, func(t *testing.T) {
			var book logbook
			p, f := newPool(t, func(c *Config[*fakeConn]) { c.Logger = book.logger() })
			f.failWith(dsn)
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(500*time.Millisecond, func() { cancel(dsn) })
			requireNoSecret(t, acquireFails(ctx, p))                           // cancelled, and the cause carries it
			requireNoSecret(t, acquireFails(within(t, 5*time.Millisecond), p)) // failing
			requireNoSecret(t, acquireFails(within(t, 5*time.Second), p))      // goes down
			requireNoSecret(t, acquireFails(within(t, 5*time.Second), p))      // is down
			requireNoSecret(t, p.Warm(t.Context()))
			f.failWith(nil)
			time.Sleep(5 * time.Second)
			acquire(t, p).Release()
			synctest.Wait()
			require.NotEmpty(t, book.lines("connect failed"))
			require.Len(t, book.lines("outage began"), 1)
			require.Len(t, book.lines("outage ended"), 1)
			require.NotContains(t, book.String(), secret)
		})
	}
}

func requireNoSecret(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err)
	for _, verb := range []string{"%v", "%+v", "%s", "%q"} {
		require.NotContains(t, fmt.Sprintf(verb, err), secret)
	}
	requireOneLine(t, err.Error())
}

// TestFault38_AnErrorInJSONIsItsText: loggers that encode what they are given
// would otherwise find the connect error's fields, and the connection that a
// callback panicked with.
func TestFault38_AnErrorInJSONIsItsText(t *testing.T) {
	for _, err := range []error{
		&AcquireError{Pool: "orders", Stage: StageConnect, Err: errRefused, LastConnect: &url.Error{Op: "parse", URL: "amqp://bob:" + secret + "@mq/", Err: errRefused}},
		&PanicError{Callback: "Check", Value: &talkative{DSN: secret}},
		&PanicError{Callback: "Check", Value: "password=" + secret},
	} {
		text, jsonErr := json.Marshal(err)
		require.NoError(t, jsonErr)
		require.NotContains(t, string(text), secret)
		require.Contains(t, string(text), "connpool")
	}
}

// TestFault38_AConnectionIsNeverPrinted goes through everything that the pool
// prints. Callbacks that panic with a connection, or with a text that carries a
// password, are counted before the log is looked at.
func TestFault38_AConnectionIsNeverPrinted(t *testing.T) {
	for _, callback := range []string{"", "Connect", "Alive", "Clean", "Check", "Prepare", "Reset", "IsBad", "Close", "OnLeak"} {
		t.Run("panics in "+callback, func(t *testing.T) { testNeverPrinted(t, callback) })
	}
}

func testNeverPrinted(t *testing.T, panics string) {
	// One caller, and the pool's own goroutines, which are waited for.
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		conn := &talkative{DSN: "postgres://bob:" + secret + "@db/orders"}
		on := func(callback string) {
			if callback == panics {
				panic(conn)
			}
		}
		p, err := New(Config[*talkative]{
			Connect:       func(context.Context) (*talkative, error) { on("Connect"); return conn, nil },
			Alive:         func(*talkative) error { on("Alive"); return nil },
			Clean:         func(*talkative) error { on("Clean"); return nil },
			Check:         func(context.Context, *talkative) error { on("Check"); return nil },
			Prepare:       func(context.Context, *talkative) error { on("Prepare"); return nil },
			Reset:         func(context.Context, *talkative) error { on("Reset"); return nil },
			IsBad:         func(error) bool { on("IsBad"); return true },
			Close:         func(context.Context, *talkative) error { on("Close"); return nil },
			OnLeak:        func(Leak) { on("OnLeak") },
			Logger:        book.logger(),
			LeakStacks:    StacksAlways,
			LeakThreshold: 2 * time.Second,
			MaxSize:       1,
		})
		require.NoError(t, err)
		var printed []string
		keep := func(values ...any) {
			for _, v := range values {
				printed = append(printed, fmt.Sprint(v), fmt.Sprintf("%+v", v))
			}
		}
		for round := range 3 {
			func() {
				defer func() { recover() }() // inline callbacks end the caller: the panic is its own
				lease, err := p.Acquire(within(t, 2*time.Second))
				keep(err)
				if err != nil {
					return
				}
				keep(lease)
				time.Sleep(time.Minute)
				_, err = p.Acquire(within(t, 2*time.Second))
				keep(err, p.Holders(), p.Stats())
				defer time.Sleep(5 * time.Second) // idle for long enough to be checked
				if round == 2 {
					lease.ReleaseErr(io.EOF)
				}
				lease.Release()
			}()
		}
		stats, err := json.Marshal(p.Stats())
		require.NoError(t, err)
		require.NoError(t, p.Shutdown(within(t, time.Minute)))
		synctest.Wait()
		require.Zero(t, conn.asked.Load(), "nobody may ask a connection to print itself")
		require.NotContains(t, strings.Join(printed, "\n")+string(stats)+book.String(), secret)
		if panics != "" {
			require.NotZero(t, p.Stats().Panics)
		}
	})
}

func TestFault38_APanicWithAConnectionTellsOnlyItsType(t *testing.T) {
	err := &PanicError{Callback: "Check", Value: &talkative{DSN: secret}}
	require.Equal(t, "connpool: Check panicked with a *connpool.talkative", err.Error())
	require.NoError(t, err.Unwrap())
}

func TestFault38_APanicWithATextOrAnErrorIsRedacted(t *testing.T) {
	for _, dsn := range dsnErrors() {
		for _, value := range []any{dsn, dsn.Error()} {
			err := &PanicError{Callback: "Connect", Value: value}
			require.Contains(t, err.Error(), "connpool: Connect panicked: ")
			require.NotContains(t, err.Error(), secret)
		}
		require.ErrorIs(t, &PanicError{Value: dsn}, dsn)
	}
}

func TestAPanicWithANilErrorPointerDoesNotPanicAgain(t *testing.T) {
	var nothing *url.Error
	err := &PanicError{Callback: "Close", Value: nothing}
	require.Equal(t, "connpool: Close panicked: *url.Error", err.Error())
}

// TestAPanicOfTheRuntimeIsAnError: one dial and who waits for it.
func TestAPanicOfTheRuntimeIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := New(Config[int]{
			Connect: func(context.Context) (int, error) { var none []int; return none[0], nil },
			Logger:  slog.New(slog.DiscardHandler),
		})
		require.NoError(t, err)
		_, err = p.Acquire(t.Context())
		var panicked *PanicError
		require.ErrorAs(t, err, &panicked)
		require.Equal(t, "Connect", panicked.Callback)
		require.Contains(t, string(panicked.Stack), "errors_test.go")
		var bounds runtime.Error
		require.ErrorAs(t, err, &bounds)
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

// Whatever an error's text has in it, the line that quotes it is one line, for a
// terminal too.
func TestFault96_NobodysErrorForgesALine(t *testing.T) {
	for _, mark := range []string{"\r", "\n", "\v", "\f", "\x1b[2K", "\x00", "\u0085", "\u2028", "\u2029", "\u202e"} {
		forged := errors.New("refused" + mark + `level=ERROR msg="all is lost"`)
		for _, text := range []string{
			(&AcquireError{Pool: "orders", Stage: StageConnect, Err: forged}).Error(),
			(&AcquireError{Pool: "orders", Stage: StageWait, Err: ErrExhausted, LastConnect: forged}).Error(),
			(&PanicError{Callback: "Connect", Value: forged}).Error(),
			(&PanicError{Callback: "Connect", Value: forged.Error()}).Error(),
			endOf(canceledBy(forged)).Error(),
		} {
			require.NotContains(t, text, mark)
			unseen := func(r rune) bool { return !unicode.IsGraphic(r) }
			require.Negative(t, strings.IndexFunc(text, unseen), "%q", text)
			require.Contains(t, text, "all is lost")
		}
	}
}
