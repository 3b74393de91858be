package row

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/chaos/row/pool"
)

// Rows about what goes in and what is said.
func contractRows() []Row {
	return []Row{
		{
			Number: 38, Name: "secrets", On: onlyOurs, Scenario: secrets,
			Injected: "a connect error and a connection that contain a password",
			Required: "it is in no error, log line, leak report or number that the pool prints",
		}, {
			Number: 40, Name: "nil context", On: everywhere, Scenario: nilContext,
			Injected: "Acquire(nil), with a connection idle and with none",
			Required: "a panic or an error before any lock: the pool goes on",
		}, {
			Number: 43, Name: "bad configuration", On: []pool.Kind{pool.Ours, pool.Puddle, pool.Pgxpool}, Scenario: badConfig,
			Injected: "a negative size; for ours and pgxpool a smallest size above the largest too",
			Required: "an error from New",
		}, {
			Number: 52, Name: "clear errors", On: everywhere, Scenario: clearErrors,
			Injected: "a pool that is exhausted, closed, closed and exhausted, dialling for ever; a cancelled caller",
			Required: "told apart; errors.Is knows the context's error and the closed pool",
		},
	}
}

const secret = "hunter2-do-not-print"

// leaky is a connection whose every field is a secret.
type leaky struct{ Password string }

func secrets(t *Trial) {
	var log logbook
	dsn := "postgres://app:" + secret + "@db.internal/orders"
	var fail bool
	leaks := make(chan connpool.Leak, 1)
	own, err := connpool.New(connpool.Config[*leaky]{
		MaxSize: 1, DownAfter: -1, LeakThreshold: 20 * time.Millisecond, LeakStacks: connpool.StacksAlways,
		OnLeak: func(l connpool.Leak) { leaks <- l },
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Connect: func(context.Context) (*leaky, error) {
			if fail {
				return nil, fmt.Errorf("connecting to %s: %w", dsn, errRefused)
			}
			return &leaky{secret}, nil
		},
	})
	t.Must(err, "opening the pool")
	defer func() { t.Must(own.Shutdown(t.For(patience)), "shutting down") }()
	lease, err := own.Acquire(t.For(patience))
	t.Must(err, "borrowing")
	leak := <-leaks
	_, exhausted := own.Acquire(t.For(20 * time.Millisecond))
	holders := own.Holders()
	fail = true
	lease.Discard(fmt.Errorf("broken: %s", dsn))
	_, refused := own.Acquire(t.For(300 * time.Millisecond))
	t.Require(errors.Is(refused, errRefused), "the refusal is not in the chain")
	for what, printed := range map[string]string{
		"the error of a full pool": fmt.Sprintf("%v %+v", exhausted, exhausted),
		"the connect error":        fmt.Sprintf("%v %+v", refused, refused),
		"a holder":                 fmt.Sprintf("%v %+v", holders, holders),
		"a leak report":            fmt.Sprintf("%v %+v", leak, leak),
		"the numbers":              fmt.Sprintf("%+v", own.Stats()),
		"the log":                  log.String(),
	} {
		t.Require(!strings.Contains(printed, secret), "%s: %s", what, short(errors.New(printed)))
	}
	t.Sawf("%v", short(refused))
}

// logbook is what a logger writes to.
type logbook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logbook) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(line)
}

func (b *logbook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func nilContext(t *Trial) {
	p := t.open(pool.Setup{Max: 1})
	p.fill(1)
	t.tryNil(p, "one idle")
	held, err := p.take(time.Second)
	if err != nil {
		t.Abortf("afterwards: %v", short(err))
	}
	t.tryNil(p, "none idle")
	if t.Bounded(held.Release) != nil {
		t.Abortf("releasing is stuck for 5 s: the pool is deadlocked")
	}
	p.requireCapacity(1)
}

// tryNil borrows with a nil context. A pool that does not mind returns what it
// has lent.
func (t *Trial) tryNil(p *tried, when string) {
	lease, err := p.takeWith(nil) //nolint:staticcheck // the point
	if err != nil {
		t.Sawf("%s: %v", when, short(err))
		t.Require(!errors.Is(err, errStuck), "%s: stuck for 5 s", when)
		return
	}
	t.Sawf("%s: lent", when)
	lease.Release()
}

func badConfig(t *Trial) {
	_, err := pool.Open(t.Kind, pool.Setup{Max: -1, DSN: "host=nowhere"})
	t.Require(err != nil, "a size of -1 is accepted")
	t.Sawf("%v", errText(err))
	if t.Ours() {
		_, err := pool.Open(t.Kind, pool.Setup{Max: 2, Edit: func(c *connpool.Config[*pool.Conn]) { c.MinSize, c.MaxWaiting = 5, -1 }})
		t.Require(err != nil && strings.Contains(err.Error(), "MinSize") && strings.Contains(err.Error(), "MaxWaiting"),
			"not all faults at once: %v", err)
	}
	if t.Kind == pool.Pgxpool {
		err := minAboveMax()
		t.Require(err != nil, "a least of 5 above a most of 2 is accepted")
	}
}

func clearErrors(t *Trial) {
	p := t.open(pool.Setup{Max: 1})
	held := p.must("borrowing")
	_, exhausted := p.take(50 * time.Millisecond)
	t.Require(errors.Is(exhausted, context.DeadlineExceeded), "exhausted is not DeadlineExceeded: %v", exhausted)
	t.Require(!t.Ours() || errors.Is(exhausted, connpool.ErrExhausted), "exhausted is not ErrExhausted: %v", exhausted)
	t.requireCanceled(p)
	dialling := t.diallingError()
	t.Require(errText(exhausted) != errText(dialling) && pattern(exhausted) != pattern(dialling),
		"a full pool and a server that does not answer read the same")
	go p.Close()
	time.Sleep(20 * time.Millisecond)
	_, closed := p.take(50 * time.Millisecond)
	t.Require(saysClosed(closed), "closed and exhausted says %v", errText(closed))
	t.Sawf("exhausted: %v", short(exhausted))
	held.Release()
}

// pattern is an error's text without its figures.
func pattern(err error) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, err.Error())
}

func (t *Trial) requireCanceled(p *tried) {
	ctx, cancel := context.WithCancel(t.ctx)
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err := p.takeWith(ctx)
	t.Require(errors.Is(err, context.Canceled), "cancelled is not Canceled: %v", err)
}

// diallingError is what a caller gets whose only chance is a dial that does not
// end in time.
func (t *Trial) diallingError() error {
	p := t.open(pool.Setup{Max: 1, Dial: takes(time.Second)})
	_, err := p.take(50 * time.Millisecond)
	if err == nil {
		t.Abortf("borrowed what was never dialled")
	}
	return err
}
