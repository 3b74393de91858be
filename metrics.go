package connpool

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"time"
)

// Stats is a snapshot of a pool. The gauges come from one pass over the slots,
// during which none opens or empties:
//
//	Size = Idle + InUse + Connecting + Checking + Resetting + Closing
//
// and Size never exceeds MaxSize, except after a shrink until leases end. The
// counters only grow; each is read on its own. Stats marshals to JSON, so a pool
// can be published with expvar.Func.
type Stats struct {
	Pool string

	MaxSize, MinSize, MinIdle, MaxIdle int
	Limit                              int // what the Sizer allows of MaxSize
	Wanted                             int // if dials fail and more is wanted: how many would be open

	Size, Idle, InUse, Connecting, Checking, Resetting, Closing int

	Abandoned   int           // hung callbacks past their time-out, not in Size
	Waiting     int           // callers in the queue
	Paused      bool          // between Pause and Resume
	OldestWait  time.Duration // of the callers that wait now
	OldestLease time.Duration // a lower bound
	OldestClose time.Duration // how long the longest of the closes under way has taken

	Acquires    uint64 // leases granted
	Waits       uint64 // acquires that had to wait, served or not
	Timeouts    uint64 // acquires ended by a deadline or AcquireTimeout
	Cancels     uint64 // acquires cancelled by their context
	QueueFull   uint64 // acquires refused by MaxWaiting
	Unreachable uint64 // acquires that failed with ErrUnreachable, in time or too late

	Connects, ConnectErrors uint64 // dials that succeeded and failed
	Hijacks                 uint64
	Leaks                   uint64 // leases reported as leaked or lost
	StaleReleases           uint64 // ends of leases that had ended already
	Panics                  uint64 // panics and Goexits in callbacks, and panics that End saw
	EventsDropped           uint64 // what the Logger, the Trace or OnLeak was not told, because it hung
	Closes                  map[CloseReason]uint64

	WaitTime    Histogram // of acquires that had to wait, served or not, once they have ended
	ConnectTime Histogram // of dials that succeeded
}

// CloseReason is why a connection was closed.
type CloseReason int

// The reasons.
const (
	ClosedIdle      CloseReason = iota // idle for IdleTimeout
	ClosedLifetime                     // MaxLifetime
	ClosedUses                         // MaxUses
	ClosedCheck                        // Alive or Check failed
	ClosedClean                        // Clean or Reset failed
	ClosedPrepare                      // Prepare failed
	ClosedDiscarded                    // Discard, or ReleaseErr with a bad error
	ClosedRetired                      // Retire
	ClosedResized                      // a shrink, or the Budget
	ClosedSurplus                      // more than MaxIdle would have been idle
	ClosedLost                         // its lease became garbage
	ClosedPool                         // Close
	closeReasons
)

var closeReasonNames = [closeReasons]string{
	"idle", "lifetime", "uses", "check", "clean", "prepare", "discarded", "retired", "resized",
	"surplus", "lost", "pool",
}

// String returns the reason in one lower-case word.
func (r CloseReason) String() string {
	if r < 0 || r >= closeReasons {
		return fmt.Sprintf("reason %d", int(r))
	}
	return closeReasonNames[r]
}

// MarshalText is String, for JSON keys.
func (r CloseReason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText is the reverse of MarshalText.
func (r *CloseReason) UnmarshalText(text []byte) error {
	for i, name := range closeReasonNames {
		if name == string(text) {
			*r = CloseReason(i)
			return nil
		}
	}
	return fmt.Errorf("connpool: unknown close reason %q", text)
}

// counters are those that no slot's turn counts.
type counters struct {
	withdrawn                             atomic.Uint64 // leases that their borrowers do not have yet, or never got
	waits, timeouts, cancels, queueFull   atomic.Uint64
	unreachable                           atomic.Uint64
	connects, connectErrors               atomic.Uint64
	hijacks, leaks, staleReleases, panics atomic.Uint64
	eventsDropped                         atomic.Uint64
	closes                                [closeReasons]atomic.Uint64
	waitTime, connectTime                 histogram
}

func (c *counters) closesByReason() map[CloseReason]uint64 {
	closes := make(map[CloseReason]uint64)
	for reason := range closeReasons {
		if n := c.closes[reason].Load(); n > 0 {
			closes[reason] = n
		}
	}
	return closes
}

// Histogram counts durations in fixed exponential buckets. Bounds are the
// buckets' upper ends, included; Counts has one more entry than Bounds, for what
// is longer than the last. A Sum of 292 years, which 50,000 waiting callers reach in
// two days, stays there.
//
// Bounds are quarter powers of two of a second, from 2^-26 s (15 ns) to 2^12 s (68
// min): those of a native histogram of Prometheus with schema 2, or of an
// exponential one of OpenTelemetry with scale 2.
type Histogram struct {
	Count  uint64
	Sum    time.Duration
	Bounds []time.Duration
	Counts []uint64
}

// Each bound is 19 % above the one before.
const (
	lowestPower, highestPower = -26, 12 // of two, in seconds
	perOctave                 = 4
	bounds                    = (highestPower-lowestPower)*perOctave + 1
)

var histogramBounds = func() []time.Duration {
	b := make([]time.Duration, bounds)
	for i := range b {
		seconds := math.Exp2(lowestPower + float64(i)/perOctave)
		b[i] = time.Duration(math.Round(seconds * float64(time.Second)))
	}
	return b
}()

// Quantile returns the duration that the fraction q of all is at most, between
// 0 and 1, interpolated within its bucket. Between 15 ns and the last bound the
// error is at most 20 %; what is shorter counts as up to 15 ns, what is longer as
// the last bound. Of an empty histogram it is 0.
func (h Histogram) Quantile(q float64) time.Duration {
	if !(q > 0) { // or not a number
		q = 0
	}
	rank := min(q, 1) * float64(h.Count)
	seen := 0.0
	for i, n := range h.Counts {
		if n == 0 || seen+float64(n) < rank {
			seen += float64(n)
			continue
		}
		if i >= len(h.Bounds) {
			break
		}
		var low time.Duration
		if i > 0 {
			low = h.Bounds[i-1]
		}
		return low + time.Duration(math.Ceil(float64(h.Bounds[i]-low)*(rank-seen)/float64(n)))
	}
	if h.Count == 0 || len(h.Bounds) == 0 {
		return 0
	}
	return h.Bounds[len(h.Bounds)-1]
}

// histogram is a Histogram that is being written to, by anybody at once. It takes
// 1.2 KB.
type histogram struct {
	sum    atomic.Int64 // below 0: it has been more than fits
	counts [bounds + 1]atomic.Uint64
}

func (h *histogram) record(d time.Duration) {
	if h.sum.Add(int64(max(d, 0))) < 0 {
		h.sum.Store(math.MaxInt64)
	}
	h.counts[bucket(d)].Add(1)
}

// bucket returns the first bucket whose bound is not below d.
func bucket(d time.Duration) int {
	i, _ := slices.BinarySearch(histogramBounds, d)
	return i
}

func (h *histogram) snapshot() Histogram {
	s := Histogram{Bounds: slices.Clone(histogramBounds), Counts: make([]uint64, len(h.counts))}
	if s.Sum = time.Duration(h.sum.Load()); s.Sum < 0 {
		s.Sum = math.MaxInt64
	}
	for i := range h.counts {
		s.Counts[i] = h.counts[i].Load()
		s.Count += s.Counts[i]
	}
	return s
}

// Trace is a set of optional callbacks, in the manner of httptrace.ClientTrace.
// Each costs only when set: Acquiring, Acquired and Released some 100 ns a lease.
// They must not block, and must be safe for concurrent use. JoinTraces combines
// several traces.
//
// Acquiring, Waited, Acquired, AcquireFailed and Released run inline in the
// caller's goroutine, with the context given to the acquire, and a panic there
// ends the caller. The others run on goroutines of the pool, where a panic is
// recovered and counted. Connecting and Connected get the context of Connect.
type Trace struct {
	Acquiring     func(context.Context, AcquiringInfo)     // an Acquire or TryAcquire begins
	Connecting    func(context.Context, ConnectingInfo)    // a dial begins
	Connected     func(context.Context, ConnectedInfo)     // and ends, well or not
	Waited        func(context.Context, WaitedInfo)        // an acquire that waited, served or not
	Acquired      func(context.Context, AcquiredInfo)      // a lease was granted
	AcquireFailed func(context.Context, AcquireFailedInfo) // or an error returned
	Released      func(context.Context, ReleasedInfo)      // a lease ended, in whatever way
	Closed        func(ClosedInfo)                         // a connection is closed
	Leaked        func(Leak)                               // a lease is suspected to be leaked
	LeakReturned  func(Leak)                               // and was ended after all
	Outage        func(OutageInfo)                         // an outage began or ended
	Resized       func(SizeDecision)                       // the working limit changed
}

// The infos that Trace's callbacks get. Conn is a connection's number: that of its
// dial in its pool, from 1.
type (
	// AcquiringInfo tells of an acquire that begins.
	AcquiringInfo struct{ Pool string }

	// ConnectingInfo tells of a dial that begins.
	ConnectingInfo struct {
		Pool string
		Conn uint64
	}

	// ConnectedInfo tells of a dial that has ended.
	ConnectedInfo struct {
		Pool string
		Conn uint64
		Took time.Duration
		Err  error
	}

	// WaitedInfo tells of a wait that has ended, with nil or the cause of the
	// caller's error.
	WaitedInfo struct {
		Pool   string
		Waited time.Duration
		Err    error
	}

	// AcquiredInfo tells of a lease. Reused is unset for the first lease of a
	// connection.
	AcquiredInfo struct {
		Pool   string
		Conn   uint64
		Waited time.Duration
		Reused bool
	}

	// AcquireFailedInfo tells of an acquire that returned Err.
	AcquireFailedInfo struct {
		Pool string
		Err  error
	}

	// ReleasedInfo tells of a lease that has ended. Err is the error given to
	// ReleaseErr, End or Discard.
	ReleasedInfo struct {
		Pool string
		Conn uint64
		Held time.Duration
		Err  error
	}

	// ClosedInfo tells of a connection that is about to be closed. Err is why,
	// where an error is why.
	ClosedInfo struct {
		Pool   string
		Conn   uint64
		Reason CloseReason
		Age    time.Duration
		Err    error
	}

	// OutageInfo tells of an outage. Since is when dials began to fail with nothing
	// open that might have come back.
	OutageInfo struct {
		Pool  string
		Began bool
		Since time.Time
		Err   error
	}
)

// JoinTraces returns a Trace that calls the callbacks of all traces, in order. Nil
// traces are left out; without any other the result is nil. If a callback
// panics, those after it are not called.
func JoinTraces(traces ...*Trace) *Trace {
	var joined *Trace
	for _, t := range traces {
		switch {
		case t == nil:
		case joined == nil:
			first := *t
			joined = &first
		default:
			joined.join(t)
		}
	}
	return joined
}

func (t *Trace) join(u *Trace) {
	t.Acquiring = bothWithContext(t.Acquiring, u.Acquiring)
	t.Connecting = bothWithContext(t.Connecting, u.Connecting)
	t.Connected = bothWithContext(t.Connected, u.Connected)
	t.Waited = bothWithContext(t.Waited, u.Waited)
	t.Acquired = bothWithContext(t.Acquired, u.Acquired)
	t.AcquireFailed = bothWithContext(t.AcquireFailed, u.AcquireFailed)
	t.Released = bothWithContext(t.Released, u.Released)
	t.Closed = both(t.Closed, u.Closed)
	t.Leaked = both(t.Leaked, u.Leaked)
	t.LeakReturned = both(t.LeakReturned, u.LeakReturned)
	t.Outage = both(t.Outage, u.Outage)
	t.Resized = both(t.Resized, u.Resized)
}

func both[Info any](f, g func(Info)) func(Info) {
	switch {
	case f == nil:
		return g
	case g == nil:
		return f
	}
	return func(info Info) { f(info); g(info) }
}

func bothWithContext[Info any](f, g func(context.Context, Info)) func(context.Context, Info) {
	switch {
	case f == nil:
		return g
	case g == nil:
		return f
	}
	return func(ctx context.Context, info Info) { f(ctx, info); g(ctx, info) }
}
