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
	// ErrExhausted: every connection that may be open is in use (or being checked,
	// reset or closed).
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
	errAbandoned = fmt.Errorf("connpool: the callback did not return in time and was abandoned: %w", context.DeadlineExceeded)
	errNoCheck   = fmt.Errorf("%w, and the pool has no Check to make one", ErrUnsure)
)

// PanicError is a panic in a callback, as an error.
type PanicError struct {
	Callback string // the field of Config
	Value    any    // what was passed to panic
	Stack    []byte // of the goroutine that panicked
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

// AcquireError is the error of a failed acquire. Through errors.Is and
// errors.As it matches what caused it: the context's error and its
// context.Cause, context.DeadlineExceeded also where the pool's own
// AcquireTimeout ended the wait, ErrExhausted where every connection was in use,
// ErrClosed, ErrQueueFull, the last connect error while the server cannot be
// reached, or what Prepare returned.
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
}

// Unwrap returns what the error matches.
func (e *AcquireError) Unwrap() []error {
	if e.LastConnect == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.LastConnect}
}

// Error says in one line what was waited for, what was the matter, and who
// holds the connections. Passwords in connect errors are blanked.
func (e *AcquireError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "connpool %q: ", e.Pool)
	switch e.Stage {
	case StageConnect:
		fmt.Fprintf(&b, "cannot connect: %s", printed(e.Err))
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
		fmt.Fprintf(b, "canceled after waiting %v", round(e.Waited))
	default:
		fmt.Fprintf(b, "no connection in %v", round(e.Waited))
	}
	fmt.Fprintf(b, ": %s", e.Stats.occupancy())
	if len(e.Holders) > 0 {
		fmt.Fprintf(b, "; longest %s", e.Holders[0].heldBy())
	}
	if e.LastConnect != nil {
		fmt.Fprintf(b, "; dials are failing: %s", printed(e.LastConnect))
	}
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
	return b.String()
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
	// errTimedOut ends a wait that AcquireTimeout bounds.
	errTimedOut = fmt.Errorf("connpool: AcquireTimeout passed: %w", context.DeadlineExceeded)
)

// downError ends a wait during an outage.
type downError struct{ error }

func (e *downError) Unwrap() error { return e.error }

// causedError is a context's error that matches its cause too.
type causedError struct{ err, cause error }

func (e *causedError) Error() string   { return e.err.Error() + ": " + printed(e.cause) }
func (e *causedError) Unwrap() []error { return []error{e.err, e.cause} }

// printed returns an error's text as the pool prints it: in one line, without
// passwords.
func printed(err error) string { return redact.Line(err) }
