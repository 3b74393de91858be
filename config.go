package connpool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/connpool/connpool/internal/alarm"
	"github.com/connpool/connpool/internal/idle"
)

// Config describes a pool of connections of type T. Only Connect is required.
//
// Durations: zero means the default, negative means off (no limit), except that
// BackoffMin, BackoffMax and SizeInterval cannot be off; positive ones below a
// millisecond are refused, as numbers whose unit was forgotten. Counts: zero means
// the default, negative is an error except for MaxIdle.
//
// The callbacks may call the pool, and may panic or call runtime.Goexit: that
// costs the one connection they were about, never its slot. Connect, Check,
// Reset, Close, OnLeak and the Sizer run on goroutines of the pool, outside
// every lock, and one that overstays its time-out is abandoned: the pool goes on
// without it. Alive, Clean, Prepare and IsBad run inline in the caller's
// goroutine and must not block; so do those of Trace that tell of a lease.
type Config[T any] struct {
	// Name labels the pool in errors, logs, metrics and profiles. Default
	// "connpool-1", numbered within the process.
	Name string

	// Connect opens a connection. Required. Its context has ConnectTimeout as its
	// deadline, and is cancelled by Close but not by the caller: a dial outlives a
	// caller that gives up, and serves the next. It carries the values of the caller
	// that has waited longest, or none: a dial for MinSize, MinIdle, Warm, Ready or
	// TryAcquire is nobody's in particular. A nil connection without an error is
	// refused.
	//
	// The context ends when Connect returns. A connection must not depend on it
	// (exec.CommandContext, a stream that is opened with it): give it one that
	// Close ends. Values that every dial needs belong in the function itself.
	Connect func(ctx context.Context) (T, error)

	// Close closes a connection, within CloseTimeout. It is called once for each
	// that Connect returned, except those hijacked. CloseReasonFrom returns why from
	// its context, which has no other values. Default: T's Close() error,
	// Close(context.Context) error or Close(); a T with none of them is dropped.
	Close func(ctx context.Context, conn T) error

	// Alive reports without a round trip whether a connection can be lent. It runs
	// before every hand-out and should take less than a microsecond. ErrUnsure
	// asks for a Check first (without a Check the connection is destroyed); any
	// other error destroys the connection, and the borrower gets another. Default:
	// not T's IsClosed() bool, where T has that method.
	Alive func(conn T) error

	// Clean reports on every return, without a round trip, whether the connection
	// may be lent again: no open transaction, no reply unread. An error destroys
	// it. ErrBadConn says that it is dead: if the work has failed too, and not by a
	// context, the other connections are checked before they are lent, as with an
	// error that IsBad condemns. Default: none.
	Clean func(conn T) error

	// Check finds out by a round trip whether a connection works, within
	// CheckTimeout. It runs before a hand-out when one is due (CheckAfterIdle, or
	// after another connection was found dead) and on idle connections every
	// CheckInterval. An error destroys the connection. Its context has no caller's
	// values, as the check is nobody's in particular. Default: T's
	// Ping(context.Context) error, where T has that method.
	Check func(ctx context.Context, conn T) error

	// Prepare readies a connection for one borrower, inline and with the
	// borrower's context, on every hand-out. An error destroys the connection:
	// ErrBadConn makes the borrower try another (one more than may be open at most),
	// any other error is returned to the borrower. Default: none.
	Prepare func(ctx context.Context, conn T) error

	// Reset cleans a connection by a round trip after each lease, within
	// CheckTimeout, while the next borrower waits. Any error destroys the
	// connection. Its context has no caller's values: the lease is over. Default:
	// none.
	Reset func(ctx context.Context, conn T) error

	// IsBad reports whether an error of the user's work, given to Do, End
	// or ReleaseErr, means that the connection is broken. It is not asked for nil.
	// Default: the connection's own IsBad(error) bool, if it has that method; an
	// interface type of T is looked into. Otherwise DefaultIsBad, which goes by the
	// error's type: io.EOF, net.Error and the like, and a context's error, after
	// which the state of the connection is unknown.
	IsBad func(err error) bool

	// MaxSize is the most connections open at once, those being opened and closed
	// included. Default 10. Resize changes it. The largest is LargestMaxSize.
	MaxSize int

	// MinSize is the fewest kept open. Default 0.
	MinSize int

	// MinIdle is the fewest kept idle while fewer than MaxSize are open. Default 0.
	MinIdle int

	// MaxIdle is the most kept idle; connections above it are a burst and close on
	// return, in the background (see Settled). Default MaxSize; negative keeps none.
	MaxIdle int

	// MaxConnecting is the most dials at once. Default 8. A new pool starts with
	// two at once and doubles with every success, and dials one at a time after a
	// failure.
	MaxConnecting int

	// Paused makes a pool that is paused from the start, as by Pause: it dials and
	// lends nothing before Resume.
	Paused bool

	// MaxWaiting is the most callers that may wait; one more gets ErrQueueFull.
	// Default 0: no limit.
	MaxWaiting int

	// Budget is a cap shared with other pools. Default none.
	Budget *Budget

	// AcquireTimeout bounds an Acquire. The default is 30 s for contexts without a
	// deadline; a value that is set also caps later deadlines; negative leaves it
	// to the context alone.
	AcquireTimeout time.Duration

	// ConnectTimeout bounds one dial. Default 10 s.
	ConnectTimeout time.Duration

	// CheckTimeout bounds one Check and one Reset. Default 5 s.
	CheckTimeout time.Duration

	// CloseTimeout bounds one Close: after it the slot is free whatever Close is
	// doing. Default 5 s.
	CloseTimeout time.Duration

	// CheckAfterIdle is how long a connection may be idle and still be lent
	// without a Check. Default 1 s. The pool notices idleness in steps of a quarter
	// of its shortest limit, so a check may come that much late.
	CheckAfterIdle time.Duration

	// CheckInterval is the time between keep-alive Checks of an idle connection,
	// also of the last one if nobody waits. A caller that comes meanwhile takes
	// another, or dials if it may. Default 1 min.
	CheckInterval time.Duration

	// IdleTimeout closes connections idle for this long, down to MinSize and
	// MinIdle. Default 10 min.
	IdleTimeout time.Duration

	// MaxLifetime closes connections this old, when they are next idle. Default
	// 30 min.
	MaxLifetime time.Duration

	// LifetimeJitter shortens each connection's lifetime by up to this much, drawn
	// once when it is opened, so that connections opened together are not all
	// replaced together. Default a tenth of MaxLifetime; negative: none.
	LifetimeJitter time.Duration

	// FIFO lends the connection that has been idle longest, where by default it is
	// the one that was used last. Work then goes round all connections, and so
	// round the replicas behind one name. It costs a lock with each acquire and
	// each release (20 ns together), a server's caches are colder, and as no connection
	// of a busy pool is idle for IdleTimeout, it stays as large as its last peak.
	// Connections idle for CheckAfterIdle are lent after those that need no check.
	FIFO bool

	// MaxUses closes a connection when it has been borrowed this many times: for
	// servers or drivers whose sessions grow with use. What an acquire takes and
	// gives back unseen, as when its context ends at that moment, counts too.
	// Default 0: no limit. If set, each release costs some 30 ns more.
	MaxUses int

	// BackoffMin and BackoffMax bound the pause after a failed dial: exponential
	// with full jitter. With nobody waiting and no minimum to fill, pauses grow to
	// minutes, until a caller comes. Defaults 50 ms and 1 s.
	BackoffMin, BackoffMax time.Duration

	// DownAfter is how long dials must have failed, without one success and with no
	// connection open that may come back, before callers are failed for it. Until then
	// a failed dial fails nobody, so a server's restart costs no error. After it
	// waiters and arrivals get the last connect error at once and one prober goes on
	// dialling. A lease that is marked KeepLong, that is to be closed, or that has
	// lasted for 5 s, is not expected back. A server that refuses more connections
	// than it has given is not down: callers wait for those. Default 1 s; negative:
	// never, callers wait out their deadlines; a millisecond: from the first failed
	// dial.
	DownAfter time.Duration

	// LeakThreshold is how long a lease may be held before it is reported, once,
	// as a suspected leak. Default 1 min. Ages are lower bounds.
	LeakThreshold time.Duration

	// LeakStacks says when borrowers' stacks are captured. Default
	// StacksOnPressure.
	LeakStacks StackMode

	// OnLeak is called for each suspected leak, besides the warning that goes to
	// Logger. Default: the warning alone.
	OnLeak func(Leak)

	// ReclaimLost reports leases that became garbage without having been ended and
	// closes their connections. It costs three allocations a lease (some 200 ns).
	// A connection counts as lost when the Lease is unreachable, even while the T
	// taken from it is in use: keep the Lease.
	ReclaimLost bool

	// Sizer moves the working limit between max(1, MinSize) and MaxSize, from which
	// it starts. Default none: the limit is MaxSize.
	Sizer Sizer

	// SizeInterval is the Sizer's first window, and its window whenever it names
	// none. Default 5 s, at least 20 ms.
	SizeInterval time.Duration

	// Logger receives, as warnings, failed dials, the begin of outages and now and
	// then, after 1, 3, 7 min and so on, that one lasts, suspected leaks and panics of
	// callbacks; as information the end of outages and what the Sizer does; and for
	// debugging the failed dials that an outage or a warning of the last minutes tells
	// of. A dial that fails while others of its server's connections are in use is
	// logged with how many the server has given and how many are wanted. Default
	// slog.Default().
	Logger *slog.Logger

	// Trace is called at each step of a connection's and an acquire's life.
	// Default none.
	Trace *Trace
}

// LargestMaxSize is the largest MaxSize: 2^24-1 connections.
const LargestMaxSize = 1<<24 - 1

// StackMode says when a borrower's stack is captured. A capture costs some 250 ns
// to 450 ns, and no allocation where somebody has borrowed by the same way before.
// The lease is then listed in the process's pprof profile "connpool" for another
// microsecond, unless this pool lists more than 1,000 a second: Holders and the
// leak reports know all of them.
type StackMode int

const (
	// StacksOnPressure captures while connections are scarce: from an acquire that
	// finds none idle while 80 % of the limit is open, or a sweep that finds 80 %
	// leased, until a sweep finds less than 60 % leased, or 256 acquires in a row
	// have found one within 10 ms. Callers that wait capture theirs at any time. Up
	// to 5,000 stacks a second are captured, after a burst of 256. Leases without
	// one, among them those taken before, are counted as unnamed. Once one of these
	// has been reported as a leak it goes on as StacksSampled, so that the next is
	// named, and so do pools of the same Budget.
	StacksOnPressure StackMode = iota
	// StacksAlways captures with every acquire.
	StacksAlways
	// StacksNever captures none.
	StacksNever
	// StacksSampled captures with every acquire, up to 5,000 a second after a burst
	// of 256: all wherever leases last, a sample in thicker traffic, for half a
	// percent of a processor. Each acquire then reads the clock, 60 ns.
	StacksSampled
)

// Defaults of Config.
const (
	defaultMaxSize        = 10
	defaultMaxConnecting  = 8
	defaultAcquireTimeout = 30 * time.Second
	defaultConnectTimeout = 10 * time.Second
	defaultCheckTimeout   = 5 * time.Second
	defaultCloseTimeout   = 5 * time.Second
	defaultCheckAfterIdle = time.Second
	defaultCheckInterval  = time.Minute
	defaultIdleTimeout    = 10 * time.Minute
	defaultMaxLifetime    = 30 * time.Minute
	defaultBackoffMin     = 50 * time.Millisecond
	defaultBackoffMax     = time.Second
	defaultDownAfter      = time.Second
	defaultLeakThreshold  = time.Minute
	defaultSizeInterval   = 5 * time.Second
)

// off is a duration that never comes. What is longer than the longest that is
// told from it is as good as off, and sums with it cannot overflow.
const (
	off     = alarm.Never
	longest = off / 4
)

var poolNumber atomic.Uint64

// normalize checks the configuration, all of it, and returns a copy with the
// defaults filled in and every duration that is off set to off.
func (c Config[T]) normalize() (Config[T], error) {
	if err := c.validate(); err != nil {
		return c, err
	}
	c.fillCounts()
	c.fillDurations()
	c.fillCallbacks()
	if c.Name == "" {
		c.Name = fmt.Sprintf("connpool-%d", poolNumber.Add(1))
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Trace != nil {
		trace := *c.Trace
		c.Trace = &trace
	}
	return c, nil
}

func (c *Config[T]) fillCounts() {
	c.MaxSize = cmp.Or(c.MaxSize, defaultMaxSize)
	c.MaxConnecting = cmp.Or(c.MaxConnecting, defaultMaxConnecting)
}

func (c *Config[T]) fillDurations() {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.ConnectTimeout, defaultConnectTimeout},
		{&c.CheckTimeout, defaultCheckTimeout},
		{&c.CloseTimeout, defaultCloseTimeout},
		{&c.CheckAfterIdle, defaultCheckAfterIdle},
		{&c.CheckInterval, defaultCheckInterval},
		{&c.IdleTimeout, defaultIdleTimeout},
		{&c.MaxLifetime, defaultMaxLifetime},
		{&c.BackoffMin, min(defaultBackoffMin, cmp.Or(c.BackoffMax, defaultBackoffMax))},
		{&c.BackoffMax, max(defaultBackoffMax, c.BackoffMin)},
		{&c.DownAfter, defaultDownAfter},
		{&c.LeakThreshold, defaultLeakThreshold},
		{&c.SizeInterval, defaultSizeInterval},
	} {
		switch {
		case *d.field == 0:
			*d.field = d.value
		case *d.field < 0 || *d.field > longest:
			*d.field = off
		}
	}
	if c.DownAfter == minDuration {
		c.DownAfter = 1 // the first failure is an outage
	}
	switch {
	case c.MaxLifetime == off || c.LifetimeJitter < 0:
		c.LifetimeJitter = 0
	case c.LifetimeJitter == 0:
		c.LifetimeJitter = c.MaxLifetime / 10
	}
}

func (c *Config[T]) fillCallbacks() {
	if c.Close == nil {
		c.Close = defaultClose[T]()
	}
	if c.Alive == nil {
		c.Alive = defaultAlive[T]()
	}
	if c.Check == nil {
		c.Check = defaultCheck[T]()
	}
	if c.Check == nil {
		c.CheckAfterIdle, c.CheckInterval = off, off
	}
}

func has[T, Method any]() bool {
	return reflect.TypeFor[T]().Implements(reflect.TypeFor[Method]())
}

type (
	closer     interface{ Close() error }
	ctxCloser  interface{ Close(context.Context) error }
	bareCloser interface{ Close() }
	closedness interface{ IsClosed() bool }
	pinger     interface{ Ping(context.Context) error }
)

func defaultClose[T any]() func(context.Context, T) error {
	switch {
	case has[T, closer]():
		return func(_ context.Context, conn T) error { return any(conn).(closer).Close() }
	case has[T, ctxCloser]():
		return func(ctx context.Context, conn T) error { return any(conn).(ctxCloser).Close(ctx) }
	case has[T, bareCloser]():
		return func(_ context.Context, conn T) error { any(conn).(bareCloser).Close(); return nil }
	}
	return nil
}

func defaultAlive[T any]() func(T) error {
	if !has[T, closedness]() {
		return nil
	}
	return func(conn T) error {
		if any(conn).(closedness).IsClosed() {
			return ErrBadConn
		}
		return nil
	}
}

func defaultCheck[T any]() func(context.Context, T) error {
	if !has[T, pinger]() {
		return nil
	}
	return func(ctx context.Context, conn T) error { return any(conn).(pinger).Ping(ctx) }
}

// netError is net.Error, which net.ErrClosed is too. Written out, it spares
// pools of other things the whole of package net, and what that brings with it.
type netError interface {
	error
	Timeout() bool
	Temporary() bool
}

// DefaultIsBad is the IsBad of a Config that sets none and whose connections have
// none, for an IsBad of one's own to build on. It reports whether err matches
// ErrBadConn, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, any net.Error,
// context.Canceled or context.DeadlineExceeded.
//
// It knows the error's type and nothing else, so it cannot tell whose error it
// is: when the work also talks to a second server, a refused connection to that
// one costs this connection. Only an *AcquireError, which is about another
// acquire, is never bad. Where work talks to several systems, give connections an
// IsBad(error) bool of their own, which knows what has happened to them.
func DefaultIsBad(err error) bool {
	var acquireErr *AcquireError
	if errors.As(err, &acquireErr) {
		return false
	}
	var netErr netError
	return errors.Is(err, ErrBadConn) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &netErr) || isContextErr(err)
}

func isContextErr(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// lists returns the idle list, and that of the slots that are due for a check.
func (c *Config[T]) lists() (proved, due *idle.List) {
	if c.FIFO {
		return idle.NewQueue(), idle.NewQueue()
	}
	return idle.New(cells(c.MaxSize)), idle.New(0)
}

// cells returns how many one-entry cells stand in front of the idle stack. Each
// may keep one connection warm for a single borrower, so most of the connections
// have none.
func cells(maxSize int) int { return min(runtime.GOMAXPROCS(0), max(1, maxSize/4)) }
