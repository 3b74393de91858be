package connpool

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/connpool/connpool/internal/redact"
)

// Causes of a failed acquire, to be tested for with errors.Is.
var (
	// ErrClosed: the pool is closed.
	ErrClosed = errors.New("connpool: pool is closed")
	// ErrPaused: Ready was asked while the pool is paused. Acquires wait.
	ErrPaused = errors.New("connpool: pool is paused")
	// ErrExhausted: every connection that may be open, or that the server gives, is
	// in use (or being checked, reset or closed), and the caller's time was up before
	// one came back.
	ErrExhausted = errors.New("connpool: every connection is in use")
	// ErrQueueFull: MaxWaiting callers wait already.
	ErrQueueFull = errors.New("connpool: too many callers are waiting")
	// ErrUnreachable: the server cannot be reached, or refuses every connection.
	ErrUnreachable = errors.New("connpool: the server cannot be reached")
	// ErrBadConn is what callbacks and users' work return for a connection that is
	// broken, and what the default IsBad looks for first.
	ErrBadConn = errors.New("connpool: bad connection")
	// ErrUnsure is what Alive returns when only a round trip can tell.
	ErrUnsure = errors.New("connpool: cannot tell without a round trip")
	// ErrNoneIdle: TryAcquire found no connection that it could lend at once.
	ErrNoneIdle = errors.New("connpool: no idle connection")
)

var (
	errNilConn   = errors.New("connpool: Connect returned a nil connection and no error")
	errGoexit    = errors.New("connpool: the callback called runtime.Goexit")
	errAbandoned = errors.New("connpool: the callback did not return and was abandoned")
	errNoCheck   = fmt.Errorf("%w, and the pool has no Check to make one", ErrUnsure)
)

// PanicError is a panic in a callback, as an error.
type PanicError struct {
	Callback string // the field of Config
	Value    any    // what was passed to panic
	Stack    []byte // of the goroutine that panicked, up to 4 KB
}

// Error tells the callback and the panic's value, if that is an error or a
// string: another value might be a connection, and a pool prints none. The
// stack is in the Stack field.
func (e *PanicError) Error() string {
	switch v := e.Value.(type) {
	case error:
		return fmt.Sprintf("connpool: %s panicked: %s", e.Callback, printed(v))
	case string:
		return fmt.Sprintf("connpool: %s panicked: %s", e.Callback, printed(errors.New(v)))
	}
	return fmt.Sprintf("connpool: %s panicked with a %T", e.Callback, e.Value)
}

// MarshalText returns what Error does, so that encoders such as encoding/json do
// not print the fields: Value may be a connection.
func (e *PanicError) MarshalText() ([]byte, error) { return []byte(e.Error()), nil }

// GoString returns what Error does, for the same reason.
func (e *PanicError) GoString() string { return e.Error() }

// Unwrap returns the panic's value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Stage is where an acquire failed.
type Stage int

// The stages of an acquire.
const (
	StageWait    Stage = iota // waiting for a connection
	StageConnect              // the server cannot be reached
	StageCheck                // one connection after the other was found bad
	StagePrepare              // Prepare failed
)

// String returns the stage's name in lower case.
func (s Stage) String() string {
	switch s {
	case StageWait:
		return "wait"
	case StageConnect:
		return "connect"
	case StageCheck:
		return "check"
	case StagePrepare:
		return "prepare"
	}
	return fmt.Sprintf("stage %d", int(s))
}

// AcquireError is the error of a failed acquire. What it matches, through
// errors.Is, is the reason:
//
//   - ErrClosed: the pool is closed.
//   - ErrQueueFull: MaxWaiting callers wait already.
//   - ErrUnreachable: nothing is open and dials fail. Besides, it matches what the
//     last dial's error matches.
//   - ErrExhausted: the caller's time was up while every connection was in use.
//   - context.DeadlineExceeded: the caller's time was up, for whatever reason: the
//     deadline of its context or AcquireTimeout has passed.
//   - context.Canceled: the caller's context was cancelled.
//   - what Prepare returned, or the last Alive or Prepare that found a connection
//     bad.
//
// The last three come with one of the others or alone, so a switch asks for them
// last. They are about the caller's own wait and nothing else: a dial or a callback
// that ran into a timeout of its own matches neither, whatever is in its error. The
// context's cause is matched too. What a connect error is beyond that, errors.As
// finds, and LastConnect is.
//
// Stats and Holders are one snapshot, at most 100 ms old, that all failures of
// that time share; they must not be modified. Acquires that find the pool closed
// share one error, without either.
type AcquireError struct {
	Pool        string
	Stage       Stage
	Waited      time.Duration
	Stats       Stats
	Holders     []Holder
	LastConnect error // of the dials that have been failing, or nil
	Err         error
	ended       error // what the caller's context said when Prepare failed
}

// Unwrap returns what the error matches.
func (e *AcquireError) Unwrap() []error {
	errs := make([]error, 0, 3)
	switch e.Stage {
	case StageConnect:
		errs = append(errs, ErrUnreachable, foreignError{err: e.Err})
	case StageCheck, StagePrepare:
		errs = append(errs, foreignError{err: e.Err, ended: e.ended})
	default:
		errs = append(errs, e.Err)
	}
	if e.LastConnect != nil {
		errs = append(errs, foreignError{err: e.LastConnect})
	}
	return errs
}

// Error says in one line what was waited for, what was the matter, and who
// holds the connections. Passwords in connect errors are blanked.
func (e *AcquireError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "connpool %q: ", e.Pool)
	switch e.Stage {
	case StageConnect:
		fmt.Fprintf(&b, "cannot connect: %s", printed(e.Err))
		if e.Stats.InUse > 0 {
			fmt.Fprintf(&b, "; %s", e.Stats.occupancy())
			e.describeHolders(&b)
		}
	case StageCheck:
		fmt.Fprintf(&b, "no usable connection: %s", printed(e.Err))
	case StagePrepare:
		fmt.Fprintf(&b, "Prepare failed: %s", printed(e.Err))
	default:
		e.describeWait(&b)
	}
	return b.String()
}

// MarshalText returns what Error does, so that encoders such as encoding/json do
// not print the fields: connect errors may hold passwords, which Error blanks.
func (e *AcquireError) MarshalText() ([]byte, error) { return []byte(e.Error()), nil }

// GoString returns what Error does, for the same reason.
func (e *AcquireError) GoString() string { return e.Error() }

func (e *AcquireError) describeWait(b *strings.Builder) {
	switch {
	case errors.Is(e.Err, ErrClosed):
		b.WriteString("pool is closed")
		return
	case errors.Is(e.Err, ErrPaused):
		b.WriteString("pool is paused")
		return
	case errors.Is(e.Err, ErrQueueFull):
		b.WriteString("too many callers are waiting")
	case errors.Is(e.Err, context.Canceled):
		fmt.Fprintf(b, "canceled after waiting %v%s", round(e.Waited), because(e.Err))
	default:
		fmt.Fprintf(b, "no connection in %v%s", round(e.Waited), because(e.Err))
	}
	fmt.Fprintf(b, ": %s", e.Stats.occupancy())
	e.describeHolders(b)
	if e.LastConnect != nil {
		fmt.Fprintf(b, "; %s: %s", e.Stats.refusal(), printed(e.LastConnect))
	}
}

// refusal says what becomes of dials, which fail.
func (s Stats) refusal() string {
	given := s.Size - s.Connecting - s.Closing
	if given == 0 || given >= s.Wanted {
		return "dials are failing"
	}
	return fmt.Sprintf("the server gives %d of the %d connections wanted", given, s.Wanted)
}

func (e *AcquireError) describeHolders(b *strings.Builder) {
	if len(e.Holders) > 0 {
		fmt.Fprintf(b, "; longest %s", e.Holders[0].heldBy())
	}
}

// because says in parentheses what ended a wait.
func because(err error) string {
	var ended *endedError
	var overdue *overdueError
	switch {
	case errors.As(err, &ended) && ended.cause() != nil:
		return fmt.Sprintf(" (%s: %s)", ended.what(), printed(ended.cause()))
	case errors.As(err, &ended):
		return fmt.Sprintf(" (%s)", ended.what())
	case errors.As(err, &overdue):
		return fmt.Sprintf(" (%s)", overdue.what())
	}
	return ""
}

// occupancy says what the slots are doing, leaving out what is nought.
func (s Stats) occupancy() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d in use", s.InUse, s.Limit)
	for _, part := range []struct {
		n    int
		what string
	}{
		{s.Idle, "idle"}, {s.Connecting, "connecting"}, {s.Checking, "being checked"},
		{s.Resetting, "being reset"}, {s.Closing, "being closed"}, {s.Abandoned, "hung"},
		{s.Waiting, "waiting"},
	} {
		if part.n > 0 {
			fmt.Fprintf(&b, ", %d %s", part.n, part.what)
		}
	}
	if s.Paused {
		b.WriteString(", paused")
	}
	if hang := s.hang(); hang != "" {
		fmt.Fprintf(&b, " (%s)", hang)
	}
	return b.String()
}

// slowClose is how long a close takes that hangs. It is a message and an answer to
// it, mostly, or nothing.
const slowClose = time.Second

// hang says what does not return, and what that may mean.
func (s Stats) hang() string {
	switch {
	case s.OldestClose >= slowClose:
		return fmt.Sprintf("closes hang, the longest for %v: the server may have stopped answering",
			round(s.OldestClose))
	case s.Abandoned > 0:
		return "callbacks hang past their timeouts: the server may have stopped answering"
	}
	return ""
}

// round keeps three or so figures: no more are of use in a message.
func round(d time.Duration) time.Duration {
	unit := time.Second
	for unit > time.Nanosecond && d < 100*unit {
		unit /= 10
	}
	return d.Round(unit)
}

var (
	// errUnfinished is the cause of a discard when a callback that ran with the
	// connection panicked or called Goexit: nobody knows what state it is in.
	errUnfinished = errors.New("connpool: the callback did not return")
)

// downError ends a wait during an outage.
type downError struct{ error }

func (e *downError) Unwrap() error { return e.error }

// waitError is the end of a wait, and the reason why nothing came before:
// ErrExhausted or ErrUnreachable.
type waitError struct {
	error
	reason error
}

func (e *waitError) Unwrap() []error { return []error{e.error, e.reason} }

// endedError is the end of a caller's context. The cause is looked up only when
// the error is printed or compared: thousands of waiters that one cancel ends would
// otherwise all wait for the lock that the cancel holds meanwhile.
type endedError struct {
	ctx context.Context
	err error // what ctx.Err said
}

// endOf returns the error of a context that has ended. One that cannot say why
// counts as cancelled.
func endOf(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		err = context.Canceled
	}
	return &endedError{ctx, err}
}

func (e *endedError) Error() string {
	if cause := e.cause(); cause != nil {
		return printed(e.err) + ": " + printed(cause)
	}
	return printed(e.err)
}

// Unwrap returns what the error matches. That the caller was cancelled does not
// become a deadline because something else's deadline is the cause.
func (e *endedError) Unwrap() []error {
	if cause := e.cause(); cause != nil {
		return []error{e.err, foreignError{err: cause, ended: e.err}}
	}
	return []error{e.err}
}

// cause returns the context's cause where that says more than its error. The
// context is the caller's, and may panic.
func (e *endedError) cause() (cause error) {
	defer func() {
		if recover() != nil {
			cause = nil
		}
	}()
	if cause = context.Cause(e.ctx); cause == nil || errors.Is(e.err, cause) {
		return nil
	}
	return cause
}

// late reports whether the context's deadline has passed. Unlike errors.Is it does
// not look for the cause.
func (e *endedError) late() bool {
	if e.err == context.DeadlineExceeded || e.err == context.Canceled {
		return e.err == context.DeadlineExceeded
	}
	return matches(e.err, context.DeadlineExceeded)
}

// matches is errors.Is for errors whose methods may panic.
func matches(err, target error) (is bool) {
	defer func() {
		if recover() != nil {
			is = false
		}
	}()
	return errors.Is(err, target)
}

// what says whose end it was.
func (e *endedError) what() string {
	switch e.err {
	case context.DeadlineExceeded:
		return "the caller's deadline"
	case context.Canceled:
		return "by the caller"
	}
	return "the caller's context: " + printed(e.err)
}

// overdueError is an error, or no answer at all, when the time that a setting
// gives was up.
type overdueError struct {
	setting string
	timeout time.Duration
	err     error
}

func (e *overdueError) what() string  { return fmt.Sprintf("%s %v", e.setting, e.timeout) }
func (e *overdueError) Error() string { return e.what() + " passed: " + printed(e.err) }
func (e *overdueError) Unwrap() error { return e.err }

// foreignError is an error that the pool passes on: it matches what that matches,
// except that a context's error in it is not of the caller's context, or only if
// ended says that.
type foreignError struct{ err, ended error }

func (e foreignError) Error() string { return printed(e.err) }

func (e foreignError) Is(target error) bool {
	if target == context.DeadlineExceeded || target == context.Canceled {
		return e.ended != nil && errors.Is(e.ended, target) && errors.Is(e.err, target)
	}
	return errors.Is(e.err, target)
}

func (e foreignError) As(target any) bool { return errors.As(e.err, target) }

// printed returns an error's text as the pool prints it: in one line, without
// passwords.
func printed(err error) string { return redact.Line(err) }
