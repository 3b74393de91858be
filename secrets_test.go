package connpool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// passport is a connection that is no pointer: whoever printed it would print
// what is in it.
type passport struct{ DSN string }

// confession is all that a pool has said and been asked to say.
type confession struct {
	text, json logbook // what it has logged
	mu         sync.Mutex
	said       []string
}

// logger logs in both of slog's forms, at all levels.
func (c *confession) logger() *slog.Logger {
	all := &slog.HandlerOptions{Level: slog.LevelDebug}
	return slog.New(slog.NewMultiHandler(slog.NewTextHandler(&c.text, all), slog.NewJSONHandler(&c.json, all)))
}

// ask has values printed in every way that there is.
func (c *confession) ask(values ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d"} {
			c.said = append(c.said, fmt.Sprintf(verb, v))
		}
		if text, err := json.Marshal(v); err == nil { // else it says nothing
			c.said = append(c.said, string(text))
		}
	}
}

// show has a lease printed, in the ways that show no more than where it points.
func (c *confession) show(lease Lease[passport]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = append(c.said, fmt.Sprintf("%v %+v %#v", lease, lease, lease))
}

// askProfile has the borrowers' profile printed.
func (c *confession) askProfile(t *testing.T) {
	var text bytes.Buffer
	for debug := range 2 {
		require.NoError(t, pprof.Lookup("connpool").WriteTo(&text, debug))
	}
	c.ask(text.String())
}

func (c *confession) all() string {
	return strings.Join(c.said, "\n") + c.text.String() + c.json.String()
}

// trace follows everything. The errors in what it is told are the callbacks' own,
// as they returned them, and print as they please: they are left out.
func (c *confession) trace() *Trace {
	return &Trace{
		Connecting:   func(_ context.Context, i ConnectingInfo) { c.ask(i) },
		Connected:    func(_ context.Context, i ConnectedInfo) { i.Err = nil; c.ask(i) },
		Waited:       func(_ context.Context, i WaitedInfo) { i.Err = nil; c.ask(i) },
		Acquired:     func(_ context.Context, i AcquiredInfo) { c.ask(i) },
		Released:     func(_ context.Context, i ReleasedInfo) { i.Err = nil; c.ask(i) },
		Closed:       func(i ClosedInfo) { i.Err = nil; c.ask(i) },
		Leaked:       func(i Leak) { c.ask(i) },
		LeakReturned: func(i Leak) { c.ask(i) },
		Outage:       func(i OutageInfo) { i.Err = nil; c.ask(i) },
		Resized:      func(i SizeDecision) { c.ask(i) },
	}
}

// TestFault38_NeitherAConnectionNorAnErrorGivesASecretAway: whatever fails, and
// with whatever error. One caller at a time, and the pool's own goroutines.
func TestFault38_NeitherAConnectionNorAnErrorGivesASecretAway(t *testing.T) {
	for _, culprit := range []string{
		"nobody", "Connect", "Alive", "Clean", "Check", "Prepare", "Reset", "Close", "the work", "the work, for sure", "the context",
	} {
		t.Run(culprit, func(t *testing.T) {
			for _, dsn := range dsnErrors() {
				synctest.Test(t, func(t *testing.T) { testGivesNothingAway(t, culprit, dsn) })
			}
		})
	}
}

func testGivesNothingAway(t *testing.T, culprit string, dsn error) {
	var c confession
	of := func(who string) error {
		if who == culprit {
			return dsn
		}
		return nil
	}
	p := poolOfPassports(t, &c, of)
	c.ask(p.Warm(within(t, time.Minute)))
	for range 3 {
		borrowAndAsk(t, p, &c, of)
		time.Sleep(10 * time.Second) // idle for long enough to be checked
	}

	ctx, cancel := context.WithCancelCause(t.Context())
	lease, err := p.Acquire(within(t, 2*time.Second))
	c.show(lease)
	c.ask(err)
	cancel(errors.Join(of("the context"), context.Canceled))
	_, err = p.Acquire(ctx)
	c.ask(err)
	c.ask(p.Shutdown(ctx))
	lease.Release()
	require.NoError(t, p.Shutdown(t.Context()))
	synctest.Wait()

	said := c.all()
	require.NotContains(t, said, secret, culprit)
	require.Contains(t, said, `"Pool":"orders"`, "it has been asked")
	if culprit == "Connect" {
		require.Contains(t, said, "xxxxx", "it has said what the matter is")
	} else {
		require.Contains(t, said, "suspected leak")
		require.Contains(t, said, "became garbage")
	}
}

func poolOfPassports(t *testing.T, c *confession, of func(string) error) *Pool[passport] {
	p, err := New(Config[passport]{
		Name: "orders", MaxSize: 1,
		Connect: func(context.Context) (passport, error) {
			return passport{"postgres://bob:" + secret + "@db/orders"}, of("Connect")
		},
		Close:         func(context.Context, passport) error { return of("Close") },
		Alive:         once(of, "Alive"),
		Clean:         func(passport) error { return of("Clean") },
		Check:         func(context.Context, passport) error { return of("Check") },
		Prepare:       onceWithContext(of, "Prepare"),
		Reset:         func(context.Context, passport) error { return of("Reset") },
		LeakStacks:    StacksAlways,
		LeakThreshold: 5 * time.Second,
		OnLeak:        func(l Leak) { c.ask(l) },
		Trace:         c.trace(),
		Logger:        c.logger(),
	})
	require.NoError(t, err)
	return p
}

// once returns a callback that fails every third time, so that borrowers get
// somewhere.
func once(of func(string) error, who string) func(passport) error {
	calls := 0
	return func(passport) error {
		if calls++; calls%3 == 1 {
			return of(who)
		}
		return nil
	}
}

func onceWithContext(of func(string) error, who string) func(context.Context, passport) error {
	f := once(of, who)
	return func(_ context.Context, conn passport) error { return f(conn) }
}

// borrowAndAsk holds a connection for so long that it is taken for leaked, and
// asks everybody about it meanwhile. Every second one is lost.
func borrowAndAsk(t *testing.T, p *Pool[passport], c *confession, of func(string) error) {
	lease, err := p.Acquire(within(t, 2*time.Second))
	c.show(lease)
	c.ask(err)
	if err != nil {
		return
	}
	time.Sleep(20 * time.Second)
	_, err = p.Acquire(within(t, time.Second))
	c.ask(err, p.Holders(), p.Stats(), p.Holders()[0].String())
	_, err = p.TryAcquire(t.Context())
	c.ask(err)
	c.askProfile(t)
	switch {
	case of("the work") != nil:
		lease.ReleaseErr(of("the work"))
	case of("the work, for sure") != nil:
		lease.Discard(of("the work, for sure"))
	default:
		lease.Release()
	}
	if lost, err := p.Acquire(within(t, 2*time.Second)); err == nil {
		lost.reclaim() // as the clean-up of a lost lease does
	}
}

// TestFault38_AStackIsOfFunctionsAlone: what a panic's stack has of arguments is
// addresses.
func TestFault38_AStackIsOfFunctionsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c confession
		p, err := New(Config[passport]{Connect: openWith("password=" + secret), Logger: c.logger()})
		require.NoError(t, err)
		_, err = p.Acquire(t.Context())
		var panicked *PanicError
		require.ErrorAs(t, err, &panicked)
		c.ask(err, string(panicked.Stack))
		require.NoError(t, p.Shutdown(t.Context()))
		synctest.Wait()
		require.Contains(t, c.all(), "openWith")
		require.True(t, slices.ContainsFunc(c.text.lines("panicked"), func(line string) bool { return strings.Contains(line, "stack=") }))
		require.NotContains(t, c.all(), secret)
	})
}

func openWith(dsn string) func(context.Context) (passport, error) {
	return func(context.Context) (passport, error) { panic(errors.New(dsn)) }
}

// textError is an error that is no pointer, as syscall.Errno and many of
// people's own are: %#v of what holds it shows what it says.
type textError string

func (e textError) Error() string { return string(e) }

// TestFault38_AnErrorInGoSyntaxIsItsText: %#v, as debuggers, test libraries and
// some loggers print, does not ask for Error.
func TestFault38_AnErrorInGoSyntaxIsItsText(t *testing.T) {
	dsn := textError("password=" + secret)
	for _, err := range []error{
		&PanicError{Callback: "Check", Value: "password=" + secret},
		&PanicError{Callback: "Check", Value: passport{DSN: secret}},
		&AcquireError{Pool: "orders", Stage: StageConnect, Err: dsn, LastConnect: dsn},
	} {
		require.NotContains(t, fmt.Sprintf("%#v", err), secret)
		require.NotContains(t, fmt.Sprintf("%#v", errors.Join(err)), secret)
	}
}
