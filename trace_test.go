package connpool

import (
	"context"
	"errors"
	"io"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// event is one call of a Trace's callback.
type event struct {
	name string
	info any
	ctx  context.Context // where the callback gets one
}

// tape records a trace, in order.
type tape struct {
	mu     sync.Mutex
	events []event
}

func (t *tape) record(ctx context.Context, name string, info any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, event{name, info, ctx})
}

func (t *tape) all() []event {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.events)
}

func (t *tape) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = nil
}

// of returns the events with a name, and names all events' names.
func (t *tape) of(name string) []event {
	return slices.DeleteFunc(t.all(), func(e event) bool { return e.name != name })
}

func (t *tape) names() (names []string) {
	for _, e := range t.all() {
		names = append(names, e.name)
	}
	return names
}

// only returns the info of the one event with a name.
func (t *tape) only(tt *testing.T, name string) any {
	tt.Helper()
	events := t.of(name)
	require.Len(tt, events, 1, name)
	return events[0].info
}

// before checks that the first event of one name came before that of another.
func (t *tape) before(tt *testing.T, first, second string) {
	tt.Helper()
	names := t.names()
	require.Contains(tt, names, first)
	require.Contains(tt, names, second)
	require.Less(tt, slices.Index(names, first), slices.Index(names, second), "%s before %s in %v", first, second, names)
}

// traced returns a Trace with all callbacks set to one function.
func traced(f func(ctx context.Context, name string, info any)) *Trace {
	bare := context.Background()
	return &Trace{
		Acquiring:     func(ctx context.Context, i AcquiringInfo) { f(ctx, "Acquiring", i) },
		Connecting:    func(ctx context.Context, i ConnectingInfo) { f(ctx, "Connecting", i) },
		Connected:     func(ctx context.Context, i ConnectedInfo) { f(ctx, "Connected", i) },
		Waited:        func(ctx context.Context, i WaitedInfo) { f(ctx, "Waited", i) },
		Acquired:      func(ctx context.Context, i AcquiredInfo) { f(ctx, "Acquired", i) },
		AcquireFailed: func(ctx context.Context, i AcquireFailedInfo) { f(ctx, "AcquireFailed", i) },
		Released:      func(ctx context.Context, i ReleasedInfo) { f(ctx, "Released", i) },
		Closed:        func(i ClosedInfo) { f(bare, "Closed", i) },
		Leaked:        func(i Leak) { f(bare, "Leaked", i) },
		LeakReturned:  func(i Leak) { f(bare, "LeakReturned", i) },
		Outage:        func(i OutageInfo) { f(bare, "Outage", i) },
		Resized:       func(i SizeDecision) { f(bare, "Resized", i) },
	}
}

var (
	onCaller  = []string{"Acquiring", "Waited", "Acquired", "Released", "AcquireFailed"}
	onPool    = []string{"Connecting", "Connected", "Closed", "Leaked", "LeakReturned", "Outage", "Resized"}
	callbacks = slices.Concat(onCaller, onPool)
)

type traceKey struct{}

// TestTraceOfALease: one caller, who waits until all is still.
func TestTraceOfALease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tp tape
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.Name, c.MaxSize, c.Trace = "orders", 1, traced(tp.record) })
		f.delayBy(2 * time.Second)
		ctx := context.WithValue(t.Context(), traceKey{}, "mine")
		mine, duplicate := any("mine"), errors.New("duplicate key")

		lease, err := p.Acquire(ctx)
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, ConnectingInfo{Pool: "orders", Conn: 1}, tp.only(t, "Connecting"))
		require.Equal(t, ConnectedInfo{Pool: "orders", Conn: 1, Took: 2 * time.Second}, tp.only(t, "Connected"))
		require.Equal(t, WaitedInfo{Pool: "orders", Waited: 2 * time.Second}, tp.only(t, "Waited"))
		require.Equal(t, AcquiredInfo{Pool: "orders", Conn: 1, Waited: 2 * time.Second}, tp.only(t, "Acquired"))
		tp.before(t, "Connecting", "Connected")
		tp.before(t, "Connecting", "Waited")
		tp.before(t, "Waited", "Acquired")
		for _, e := range tp.all() {
			require.Equal(t, mine, e.ctx.Value(traceKey{}), "%s gets the caller's values", e.name)
		}

		time.Sleep(3 * time.Second)
		lease.ReleaseErr(duplicate)
		require.Equal(t, ReleasedInfo{Pool: "orders", Conn: 1, Held: 3 * time.Second, Err: duplicate}, tp.only(t, "Released"))
		require.Equal(t, mine, tp.of("Released")[0].ctx.Value(traceKey{}))

		lease, err = p.Acquire(ctx)
		require.NoError(t, err)
		require.Equal(t, AcquiredInfo{Pool: "orders", Conn: 1, Reused: true}, tp.of("Acquired")[1].info)
		require.Len(t, tp.of("Waited"), 1, "no wait, no Waited")
		lease.Discard(io.EOF)
		synctest.Wait()
		require.Equal(t, ReleasedInfo{Pool: "orders", Conn: 1, Err: io.EOF}, tp.of("Released")[1].info)
		require.Equal(t, ClosedInfo{Pool: "orders", Conn: 1, Reason: ClosedDiscarded, Age: 3 * time.Second, Err: io.EOF}, tp.only(t, "Closed"))
	})
}

// TestTraceOfAFailure: one caller; the dial fails once and then waits for an
// hour.
func TestTraceOfAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tp tape
		p, f := newPool(t, func(c *Config[*fakeConn]) {
			c.Name, c.BackoffMin, c.BackoffMax, c.DownAfter = "orders", time.Hour, time.Hour, -1
			c.Trace = traced(tp.record)
		})
		f.delayBy(time.Second)
		f.failWith(errRefused)
		require.Error(t, acquireFails(within(t, 2*time.Second), p))
		require.Equal(t, ConnectedInfo{Pool: "orders", Conn: 1, Took: time.Second, Err: errRefused}, tp.only(t, "Connected"))
		waited := tp.only(t, "Waited").(WaitedInfo)
		require.Equal(t, 2*time.Second, waited.Waited)
		require.ErrorIs(t, waited.Err, context.DeadlineExceeded)
		require.Empty(t, tp.of("Acquired"))
		require.Empty(t, tp.of("Released"))
	})
}

// TestEveryWaitIsTraced: the callers come one at a time.
func TestEveryWaitIsTraced(t *testing.T) {
	for name, tc := range map[string]struct {
		edit func(*Config[*fakeConn])
		err  error
	}{
		"served": {func(c *Config[*fakeConn]) {}, nil},
		"Prepare fails": {func(c *Config[*fakeConn]) {
			c.Prepare = func(context.Context, *fakeConn) error { return io.ErrNoProgress }
		}, io.ErrNoProgress},
		"Prepare finds bad": {func(c *Config[*fakeConn]) { c.Prepare = func(context.Context, *fakeConn) error { return ErrBadConn } }, ErrBadConn},
		"Alive fails":       {func(c *Config[*fakeConn]) { c.Alive = func(*fakeConn) error { return io.EOF } }, io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var tp tape
				p, f := newPool(t, func(c *Config[*fakeConn]) {
					c.MaxSize, c.Trace = 1, traced(tp.record)
					tc.edit(c)
				})
				f.delayBy(time.Second)
				require.ErrorIs(t, acquireFails(t.Context(), p), tc.err)
				waited := tp.only(t, "Waited").(WaitedInfo)
				require.ErrorIs(t, waited.Err, tc.err)
				require.GreaterOrEqual(t, waited.Waited, time.Second)
			})
		})
	}
}

// TestWhatIsAcquiredIsReleasedOnce: whoever keeps a gauge from Acquired and
// Released must not find it below nought, or stuck above it.
func TestWhatIsAcquiredIsReleasedOnce(t *testing.T) {
	fails := func(context.Context, *fakeConn) error { return io.EOF }
	for name, tc := range map[string]struct {
		acquired int
		edit     func(*Config[*fakeConn])
		end      func(p *Pool[*fakeConn], f *factory, l Lease[*fakeConn])
	}{
		"Release":        {1, nil, func(_ *Pool[*fakeConn], _ *factory, l Lease[*fakeConn]) { l.Release(); l.Release() }},
		"ReleaseErr":     {1, nil, func(_ *Pool[*fakeConn], _ *factory, l Lease[*fakeConn]) { l.ReleaseErr(io.EOF); l.Release() }},
		"Discard":        {1, nil, func(_ *Pool[*fakeConn], _ *factory, l Lease[*fakeConn]) { l.Discard(nil); l.Discard(nil) }},
		"Hijack":         {1, nil, func(_ *Pool[*fakeConn], f *factory, l Lease[*fakeConn]) { f.close(context.Background(), l.Hijack()) }},
		"after Close":    {1, nil, func(p *Pool[*fakeConn], _ *factory, l Lease[*fakeConn]) { p.Close(); l.Release() }},
		"after Retire":   {1, nil, func(p *Pool[*fakeConn], _ *factory, l Lease[*fakeConn]) { p.Retire(); l.Release() }},
		"Clean fails":    {1, func(c *Config[*fakeConn]) { c.Clean = func(*fakeConn) error { return io.EOF } }, nil},
		"Clean panics":   {1, func(c *Config[*fakeConn]) { c.Clean = func(*fakeConn) error { panic("clean") } }, nil},
		"Reset fails":    {1, func(c *Config[*fakeConn]) { c.Reset = fails }, nil},
		"Alive fails":    {0, func(c *Config[*fakeConn]) { c.Alive = func(*fakeConn) error { return io.EOF } }, nil},
		"Alive panics":   {0, func(c *Config[*fakeConn]) { c.Alive = func(*fakeConn) error { panic("alive") } }, nil},
		"Prepare fails":  {0, func(c *Config[*fakeConn]) { c.Prepare = fails }, nil},
		"Prepare panics": {0, func(c *Config[*fakeConn]) { c.Prepare = func(context.Context, *fakeConn) error { panic("prepare") } }, nil},
		"IsBad panics":   {1, func(c *Config[*fakeConn]) { c.IsBad = func(error) bool { panic("bad") } }, func(_ *Pool[*fakeConn], _ *factory, l Lease[*fakeConn]) { l.ReleaseErr(io.EOF) }},
		"a Do that panics": {2, nil, func(p *Pool[*fakeConn], _ *factory, l Lease[*fakeConn]) {
			l.Release()
			p.Do(context.Background(), func(context.Context, *fakeConn) error { panic("do") })
		}},
		"a Do that exits": {2, nil, func(p *Pool[*fakeConn], _ *factory, l Lease[*fakeConn]) {
			l.Release()
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				p.Do(context.Background(), func(context.Context, *fakeConn) error { runtime.Goexit(); return nil })
			}()
			<-ended
		}},
		"one Alive fails": {1, func(c *Config[*fakeConn]) { c.Alive = failsOnce() }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // one caller at a time, who waits until all is still
				var tp tape
				p, f := newPool(t, func(c *Config[*fakeConn]) {
					c.MaxSize, c.Trace = 1, traced(tp.record)
					if tc.edit != nil {
						tc.edit(c)
					}
				})
				func() {
					defer func() { recover() }()
					lease, err := p.Acquire(within(t, time.Second))
					switch {
					case err != nil:
					case tc.end == nil:
						lease.Release()
					default:
						tc.end(p, f, lease)
					}
				}()
				synctest.Wait()
				require.Len(t, tp.of("Acquired"), tc.acquired)
				require.Len(t, tp.of("Released"), tc.acquired)
			})
		})
	}
}

func failsOnce() func(*fakeConn) error {
	failed := false
	return func(*fakeConn) error {
		if failed {
			return nil
		}
		failed = true
		return io.EOF
	}
}

// TestAGrantThatComesTooLateIsNeitherAcquiredNorReleased: the waiter is
// cancelled and granted at one moment, as in TestSeam03.
func TestAGrantThatComesTooLateIsNeitherAcquiredNorReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tp tape
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.Trace = 1, traced(tp.record) })
		for range 100 {
			lease := acquire(t, p)
			ctx, cancel := context.WithCancel(t.Context())
			a := begin(ctx, p)
			synctest.Wait()
			cancel()
			lease.Release()
			synctest.Wait()
			if a.err == nil {
				a.get(t).Release()
			}
		}
		require.Equal(t, len(tp.of("Acquired")), len(tp.of("Released")))
	})
}

// TestTraceOfEveryCloseReason: the scripts wait until all is still.
func TestTraceOfEveryCloseReason(t *testing.T) {
	type script = func(t *testing.T, p *Pool[*fakeConn], f *factory)
	once := func(t *testing.T, p *Pool[*fakeConn], _ *factory) { acquire(t, p).Release() }
	fails := func(context.Context, *fakeConn) error { return io.EOF }
	for _, tc := range []struct {
		reason CloseReason
		err    error
		age    time.Duration
		edit   func(*Config[*fakeConn])
		script script
	}{
		{ClosedIdle, nil, -1, func(c *Config[*fakeConn]) { c.IdleTimeout = time.Minute },
			func(t *testing.T, p *Pool[*fakeConn], f *factory) { once(t, p, f); time.Sleep(2 * time.Minute) }},
		{ClosedLifetime, nil, -1, func(c *Config[*fakeConn]) { c.MaxLifetime, c.IdleTimeout = time.Minute, -1 },
			func(t *testing.T, p *Pool[*fakeConn], f *factory) { once(t, p, f); time.Sleep(2 * time.Minute) }},
		{ClosedCheck, io.EOF, 10 * time.Second, func(c *Config[*fakeConn]) { c.Check = fails },
			func(t *testing.T, p *Pool[*fakeConn], f *factory) {
				once(t, p, f)
				time.Sleep(10 * time.Second)
				acquire(t, p).Release()
			}},
		{ClosedClean, io.EOF, 0, func(c *Config[*fakeConn]) { c.Clean = func(*fakeConn) error { return io.EOF } }, once},
		{ClosedClean, io.EOF, 0, func(c *Config[*fakeConn]) { c.Reset = fails }, once},
		{ClosedPrepare, io.EOF, 0, func(c *Config[*fakeConn]) { c.Prepare = fails },
			func(t *testing.T, p *Pool[*fakeConn], f *factory) { acquireFails(t.Context(), p) }},
		{ClosedDiscarded, nil, time.Second, nil,
			func(t *testing.T, p *Pool[*fakeConn], f *factory) {
				l := acquire(t, p)
				time.Sleep(time.Second)
				l.Discard(nil)
			}},
		{ClosedRetired, nil, 0, nil,
			func(t *testing.T, p *Pool[*fakeConn], f *factory) { once(t, p, f); p.Retire() }},
		{ClosedResized, nil, 0, nil,
			func(t *testing.T, p *Pool[*fakeConn], f *factory) {
				release(acquireN(t, p, 2)...)
				require.NoError(t, p.Resize(1))
			}},
		{ClosedUses, nil, 0, func(c *Config[*fakeConn]) { c.MaxUses = 2 },
			func(t *testing.T, p *Pool[*fakeConn], f *factory) { once(t, p, f); once(t, p, f) }},
		{ClosedSurplus, nil, 0, func(c *Config[*fakeConn]) { c.MaxIdle = 1 },
			func(t *testing.T, p *Pool[*fakeConn], f *factory) { release(acquireN(t, p, 2)...) }},
		{ClosedPool, nil, 0, nil,
			func(t *testing.T, p *Pool[*fakeConn], f *factory) { once(t, p, f); p.Close() }},
	} {
		t.Run(tc.reason.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var tp tape
				var told any
				p, f := newPool(t, func(c *Config[*fakeConn]) {
					c.Name, c.MaxSize, c.Trace = "orders", 2, &Trace{Closed: traced(tp.record).Closed}
					shut := c.Close
					c.Close = func(ctx context.Context, conn *fakeConn) error {
						if reason, ok := CloseReasonFrom(ctx); ok && told == nil {
							told = reason
						}
						return shut(ctx, conn)
					}
					if tc.edit != nil {
						tc.edit(c)
					}
				})
				tc.script(t, p, f)
				synctest.Wait()
				info := tp.only(t, "Closed").(ClosedInfo)
				if tc.age < 0 { // when the sweep came round to it
					require.GreaterOrEqual(t, info.Age, 45*time.Second)
					info.Age = tc.age
				}
				require.Positive(t, info.Conn)
				info.Conn = 0
				require.Equal(t, ClosedInfo{Pool: "orders", Reason: tc.reason, Age: tc.age, Err: tc.err}, info)
				require.Equal(t, tc.reason, told, "Close is told too")
				require.EqualValues(t, 1, p.Stats().Closes[tc.reason])
			})
		})
	}
}

func TestTraceOfAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // one caller, and the prober, which is waited for
		var tp tape
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.Name, c.Trace = "orders", traced(tp.record) })
		f.failWith(errRefused)
		since := time.Now()
		require.ErrorIs(t, acquireFails(t.Context(), p), errRefused)
		synctest.Wait()
		require.Equal(t, OutageInfo{Pool: "orders", Began: true, Since: since, Err: errRefused}, inUTC(tp.only(t, "Outage"), since))
		f.failWith(nil)
		time.Sleep(10 * time.Minute) // longer than the prober ever rests
		outages := tp.of("Outage")
		require.Len(t, outages, 2)
		require.Equal(t, OutageInfo{Pool: "orders", Since: since, Err: errRefused}, inUTC(outages[1].info, since))
	})
}

// inUTC makes equal instants equal values.
func inUTC(info any, at time.Time) OutageInfo {
	outage := info.(OutageInfo)
	if outage.Since.Equal(at) {
		outage.Since = at
	}
	return outage
}

// alternating is a Sizer that wants one and two in turn.
type alternating struct{ calls atomic.Int64 }

func (s *alternating) Next(SizeSample) SizeDecision {
	return SizeDecision{Limit: int(s.calls.Add(1)%2) + 1, Reason: "its turn"}
}

func TestTraceOfAResize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // nobody but the sizer does anything
		var tp tape
		newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize, c.Trace, c.Sizer, c.SizeInterval = 2, traced(tp.record), new(alternating), time.Second
		})
		time.Sleep(2500 * time.Millisecond)
		require.Equal(t, SizeDecision{Limit: 1, Reason: "its turn"}, tp.only(t, "Resized"), "to what it is already is no change")
		time.Sleep(time.Second)
		require.Equal(t, SizeDecision{Limit: 2, Reason: "its turn"}, tp.of("Resized")[1].info)
	})
}

// eventful leads a pool through all that a Trace can tell of, having told of the
// pool before anything happens to it. Panics of inline callbacks end the step.
func eventful(t *testing.T, trace *Trace, tell func(*Pool[*fakeConn])) *Pool[*fakeConn] {
	p, f := newPool(t, func(c *Config[*fakeConn]) {
		c.MaxSize, c.LeakThreshold = 2, 10*time.Second
		c.Trace, c.Sizer, c.SizeInterval = trace, new(alternating), 7*time.Second
	})
	tell(p)
	step := func(do func()) {
		func() {
			defer func() { recover() }()
			do()
		}()
		synctest.Wait()
	}
	borrow := func(hold time.Duration) func() {
		return func() {
			lease, err := p.Acquire(within(t, 3*time.Second))
			if err == nil {
				defer lease.Release()
				time.Sleep(hold)
			}
		}
	}
	step(borrow(time.Minute))
	step(borrow(0))
	step(func() { f.failWith(errRefused); p.Retire() })
	step(borrow(0))
	step(borrow(0))
	step(func() { f.failWith(nil); time.Sleep(5 * time.Second) })
	step(borrow(0))
	time.Sleep(time.Minute)
	return p
}

func untold(*Pool[*fakeConn]) {}

func TestTheEventfulLifeHasAllEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // eventful waits after each step
		var tp tape
		eventful(t, traced(tp.record), untold)
		for _, name := range callbacks {
			require.NotEmpty(t, tp.of(name), name)
		}
	})
}

func TestAPanicInATraceCostsNoSlot(t *testing.T) {
	for _, name := range callbacks {
		for how, end := range map[string]func(){"panic": func() { panic("trace") }, "Goexit": runtime.Goexit} {
			if how == "Goexit" && slices.Contains(onCaller, name) {
				continue // see below: it would end the script
			}
			t.Run(name+" "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { // eventful waits after each step
					var on atomic.Bool
					on.Store(true)
					var calls atomic.Int64
					p := eventful(t, traced(func(_ context.Context, called string, _ any) {
						if called == name && on.Load() {
							calls.Add(1)
							end()
						}
					}), untold)
					synctest.Wait() // the sleep's end may be the time of an event
					require.NotZero(t, calls.Load())
					if slices.Contains(onPool, name) {
						require.GreaterOrEqual(t, p.Stats().Panics, uint64(calls.Load()))
					}
					on.Store(false)
					time.Sleep(10 * time.Second) // a Goexit in Connecting is a failed dial: time to get over it
					require.Zero(t, p.Stats().InUse)
					release(acquireN(t, p, p.Stats().Limit)...)
				})
			})
		}
	}
}

// TestACallersPanicInATraceIsItsOwn: the panic reaches the caller, and the next
// caller gets a connection.
func TestACallersPanicInATraceIsItsOwn(t *testing.T) {
	for _, name := range []string{"Acquiring", "Waited", "Acquired", "Released"} {
		for how, end := range map[string]func(){"panic": func() { panic("trace") }, "Goexit": runtime.Goexit} {
			t.Run(name+" "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { // the callers come one after another
					on := true
					p, _ := newPool(t, func(c *Config[*fakeConn]) {
						c.MaxSize = 1
						c.Trace = traced(func(_ context.Context, called string, _ any) {
							if called == name && on {
								on = false
								end()
							}
						})
					})
					reached, panicked := false, any(nil)
					ended := make(chan struct{})
					go func() {
						defer close(ended)
						defer func() { panicked = recover() }()
						acquire(t, p).Release()
						reached = true
					}()
					<-ended
					require.False(t, reached)
					if how == "panic" {
						require.Equal(t, "trace", panicked)
					}
					synctest.Wait()
					require.Zero(t, p.Stats().InUse)
					acquire(t, p).Release()
				})
			})
		}
	}
}

// TestFault42_TraceCallbacksMayCallThePool: each callback does each thing once.
// A deadlock would be found by the bubble, or by Shutdown when the test ends.
func TestFault42_TraceCallbacksMayCallThePool(t *testing.T) {
	for what, do := range map[string]func(t *testing.T, p *Pool[*fakeConn]){
		"Stats":   func(_ *testing.T, p *Pool[*fakeConn]) { p.Stats() },
		"Holders": func(_ *testing.T, p *Pool[*fakeConn]) { p.Holders() },
		"Acquire": func(t *testing.T, p *Pool[*fakeConn]) { acquireFails(within(t, 100*time.Millisecond), p) },
		"TryAcquire": func(t *testing.T, p *Pool[*fakeConn]) {
			if lease, err := p.TryAcquire(context.Background()); err == nil {
				lease.Release()
			}
		},
		"Retire": func(_ *testing.T, p *Pool[*fakeConn]) { p.Retire() },
		"Resize": func(t *testing.T, p *Pool[*fakeConn]) { p.Resize(3) },
		"Pause":  func(_ *testing.T, p *Pool[*fakeConn]) { p.Pause(); p.Resume() },
		"Close":  func(_ *testing.T, p *Pool[*fakeConn]) { p.Close() },
	} {
		for _, name := range callbacks {
			t.Run(what+" in "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var began, ended atomic.Bool
					var pool atomic.Pointer[Pool[*fakeConn]]
					eventful(t, traced(func(_ context.Context, called string, _ any) {
						if called == name && began.CompareAndSwap(false, true) {
							do(t, pool.Load())
							ended.Store(true)
						}
					}), pool.Store)
					require.True(t, ended.Load())
				})
			})
		}
	}
}

// TestATraceThatIsNotSetCostsNothing on the common path. (What is counted is
// this goroutine's allocations and those of the pool's, which is at rest.)
func TestATraceThatIsNotSetCostsNothing(t *testing.T) {
	for name, trace := range map[string]*Trace{
		"nil":         nil,
		"empty":       {},
		"of the rare": {Connected: func(context.Context, ConnectedInfo) {}, Waited: func(context.Context, WaitedInfo) {}, Closed: func(ClosedInfo) {}},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := newPool(t, func(c *Config[*fakeConn]) { c.Trace = trace })
			ctx := t.Context()
			release(acquireN(t, p, 2)...)
			require.Zero(t, testing.AllocsPerRun(1000, func() {
				lease, err := p.Acquire(ctx)
				if err != nil {
					panic(err)
				}
				lease.Release()
			}))
			require.Zero(t, p.gate.Load(), "the common path is open")
		})
	}
}

func TestATraceOfEveryLeaseAllocatesNothing(t *testing.T) {
	var acquired, released atomic.Int64
	p, _ := newPool(t, func(c *Config[*fakeConn]) {
		c.Trace = &Trace{
			Acquired: func(context.Context, AcquiredInfo) { acquired.Add(1) },
			Released: func(context.Context, ReleasedInfo) { released.Add(1) },
		}
	})
	acquire(t, p).Release()
	ctx := t.Context()
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		lease, err := p.Acquire(ctx)
		if err != nil {
			panic(err)
		}
		lease.Release()
	}))
	require.EqualValues(t, 1002, acquired.Load()) // AllocsPerRun warms up with one more
	require.EqualValues(t, 1002, released.Load())
}

// TestFault82_AnAcquireThatBeginsEndsInALeaseOrAnError: the callers come one at a
// time.
func TestFault82_AnAcquireThatBeginsEndsInALeaseOrAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tp tape
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.Name, c.MaxSize = "orders", 1
			all := traced(tp.record)
			c.Trace = &Trace{Acquiring: all.Acquiring, Acquired: all.Acquired, AcquireFailed: all.AcquireFailed}
		})
		ctx := context.WithValue(t.Context(), traceKey{}, "mine")
		lease, err := p.Acquire(ctx) // dialled
		require.NoError(t, err)
		_, none := p.TryAcquire(ctx)
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, late := p.Acquire(short)
		lease.Release()
		lease, err = p.TryAcquire(ctx) // idle
		require.NoError(t, err)
		lease.Release()
		cancelled, cancel := context.WithCancel(ctx)
		cancel()
		_, over := p.Acquire(cancelled)
		p.Close()
		_, closed := p.Acquire(ctx)

		require.Equal(t, []string{
			"Acquiring", "Acquired", "Acquiring", "AcquireFailed", "Acquiring", "AcquireFailed",
			"Acquiring", "Acquired", "Acquiring", "AcquireFailed", "Acquiring", "AcquireFailed",
		}, tp.names())
		for i, err := range []error{none, late, over, closed} {
			require.Error(t, err)
			require.Equal(t, AcquireFailedInfo{Pool: "orders", Err: err}, tp.of("AcquireFailed")[i].info)
		}
		for _, e := range tp.all() {
			require.Equal(t, any("mine"), e.ctx.Value(traceKey{}), e.name)
		}
	})
}

// TestFault82_TheStartOfAnAcquireIsToldWhereNothingElseIs: with Acquiring alone the
// common path must not be taken.
func TestFault82_TheStartOfAnAcquireIsToldWhereNothingElseIs(t *testing.T) {
	var began atomic.Int64
	p, _ := newPool(t, func(c *Config[*fakeConn]) {
		c.Trace = &Trace{Acquiring: func(context.Context, AcquiringInfo) { began.Add(1) }}
	})
	for range 3 {
		acquire(t, p).Release()
	}
	require.EqualValues(t, 3, began.Load())
}

func TestFault82_JoinedTracesAreAllCalledInOrder(t *testing.T) {
	require.Nil(t, JoinTraces())
	require.Nil(t, JoinTraces(nil, nil))
	var first, second tape
	one := traced(first.record)
	other := traced(func(ctx context.Context, name string, info any) {
		require.Len(t, first.all(), len(second.all())+1, "in order")
		second.record(ctx, name, info)
	})
	joined := JoinTraces(nil, one, nil, &Trace{}, other, &Trace{})
	fields := reflect.ValueOf(joined).Elem()
	for i := range fields.NumField() {
		f := fields.Field(i)
		require.False(t, f.IsNil(), fields.Type().Field(i).Name)
		args := []reflect.Value{reflect.ValueOf(t.Context()), reflect.Zero(f.Type().In(f.Type().NumIn() - 1))}
		f.Call(args[2-f.Type().NumIn():])
	}
	require.Len(t, first.all(), fields.NumField())
	require.Equal(t, first.names(), second.names())

	alone := JoinTraces(nil, one)
	require.NotSame(t, one, alone, "the caller's own is left as it is")
	require.Nil(t, JoinTraces(&Trace{}, &Trace{}).Closed, "what none has set stays unset")
}

// TestFault106_ATraceTellsOneConnectionFromAnother: the second dial fails.
func TestFault106_ATraceTellsOneConnectionFromAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tp tape
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.Trace = 2, traced(tp.record) })
		first := acquire(t, p)
		f.failWith(errRefused)
		acquireFails(within(t, time.Millisecond), p)
		f.failWith(nil)
		second := acquire(t, p)
		second.Discard(nil)
		first.Release()
		synctest.Wait()
		numbers := func(name string) (all []uint64) {
			for _, e := range tp.of(name) {
				all = append(all, reflect.ValueOf(e.info).FieldByName("Conn").Uint())
			}
			return all
		}
		require.Equal(t, numbers("Connecting"), numbers("Connected"))
		require.EqualValues(t, 1, numbers("Connected")[0])
		last := numbers("Connected")[len(numbers("Connected"))-1]
		require.Greater(t, last, uint64(2), "a dial that failed has a number of its own")
		require.Equal(t, []uint64{1, last}, numbers("Acquired"))
		require.Equal(t, []uint64{last, 1}, numbers("Released"))
		require.Equal(t, []uint64{last}, numbers("Closed"))
	})
}

func TestFault106_OnlyACloseHasAReason(t *testing.T) {
	_, ok := CloseReasonFrom(t.Context())
	require.False(t, ok)
}

// TestFault82_ChecksAndResetsAreNobodysInParticular: the one caller's values reach
// its dial, and what is done with its connection afterwards has none. Nor has a
// dial that TryAcquire starts.
func TestFault82_ChecksAndResetsAreNobodysInParticular(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		seen := map[string][]any{}
		note := func(name string, ctx context.Context) {
			mu.Lock()
			defer mu.Unlock()
			seen[name] = append(seen[name], ctx.Value(traceKey{}))
		}
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			connect := c.Connect
			c.Connect = func(ctx context.Context) (*fakeConn, error) { note("Connect", ctx); return connect(ctx) }
			c.Check = func(ctx context.Context, _ *fakeConn) error { note("Check", ctx); return nil }
			c.Reset = func(ctx context.Context, _ *fakeConn) error { note("Reset", ctx); return nil }
			c.Prepare = func(ctx context.Context, _ *fakeConn) error { note("Prepare", ctx); return nil }
		})
		ctx := context.WithValue(t.Context(), traceKey{}, "mine")
		_, err := p.TryAcquire(ctx)
		require.ErrorIs(t, err, ErrNoneIdle)
		synctest.Wait()
		p.Retire()
		lease, err := p.Acquire(ctx)
		require.NoError(t, err)
		lease.Release()
		time.Sleep(10 * time.Second)
		lease, err = p.Acquire(ctx) // after a Check
		require.NoError(t, err)
		lease.Release()
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, map[string][]any{
			"Connect": {nil, "mine"}, "Check": {nil}, "Reset": {nil, nil}, "Prepare": {"mine", "mine"},
		}, seen)
	})
}
