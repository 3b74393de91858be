package connpool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"os"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestConfigDefaults(t *testing.T) {
	c, err := sound().normalize()
	require.NoError(t, err)
	for _, tc := range []struct {
		field     string
		got, want any
	}{
		{"MaxSize", c.MaxSize, 10},
		{"MinSize", c.MinSize, 0},
		{"MinIdle", c.MinIdle, 0},
		{"MaxIdle", c.MaxIdle, 0}, // as many as MaxSize is at the time
		{"MaxConnecting", c.MaxConnecting, 8},
		{"MaxWaiting", c.MaxWaiting, 0},
		{"AcquireTimeout", c.AcquireTimeout, time.Duration(0)}, // depends on the context
		{"ConnectTimeout", c.ConnectTimeout, 10 * time.Second},
		{"CheckTimeout", c.CheckTimeout, 5 * time.Second},
		{"CloseTimeout", c.CloseTimeout, 5 * time.Second},
		{"CheckAfterIdle", c.CheckAfterIdle, time.Second},
		{"CheckInterval", c.CheckInterval, time.Minute},
		{"IdleTimeout", c.IdleTimeout, 10 * time.Minute},
		{"MaxLifetime", c.MaxLifetime, 30 * time.Minute},
		{"LifetimeJitter", c.LifetimeJitter, 3 * time.Minute},
		{"BackoffMin", c.BackoffMin, 50 * time.Millisecond},
		{"BackoffMax", c.BackoffMax, time.Second},
		{"DownAfter", c.DownAfter, time.Second},
		{"LeakThreshold", c.LeakThreshold, time.Minute},
		{"LeakStacks", c.LeakStacks, StacksOnPressure},
		{"SizeInterval", c.SizeInterval, 5 * time.Second},
		{"ReclaimLost", c.ReclaimLost, false},
		{"Logger", c.Logger, slog.Default()},
	} {
		require.Equal(t, tc.want, tc.got, tc.field)
	}
	require.Nil(t, c.Alive)
	require.Nil(t, c.Clean)
	require.Nil(t, c.Prepare)
	require.Nil(t, c.Reset)
	require.Nil(t, c.OnLeak)
	require.Nil(t, c.Sizer)
	require.Nil(t, c.Trace)
	require.Nil(t, c.IsBad, "the connection is asked")
}

func TestConfigDefaultsThatDependOnOtherFields(t *testing.T) {
	c := sound()
	c.BackoffMax = 20 * time.Millisecond
	c, err := c.normalize()
	require.NoError(t, err)
	require.Equal(t, 20*time.Millisecond, c.BackoffMin, "no longer than BackoffMax")

	c = sound()
	c.BackoffMin = 5 * time.Second
	c, err = c.normalize()
	require.NoError(t, err)
	require.Equal(t, 5*time.Second, c.BackoffMax, "no shorter than BackoffMin")

	c = sound()
	c.MaxLifetime = time.Minute
	c, err = c.normalize()
	require.NoError(t, err)
	require.Equal(t, 6*time.Second, c.LifetimeJitter, "a tenth of MaxLifetime")

	c = sound()
	c.Check = nil
	c, err = c.normalize()
	require.NoError(t, err)
	require.Equal(t, off, c.CheckAfterIdle, "without Check no check is ever due")
	require.Equal(t, off, c.CheckInterval)
}

// TestFault80_AMillisecondOfDownAfterFailsCallersAtOnce: the dial fails at once, and
// the next would succeed.
func TestFault80_AMillisecondOfDownAfterFailsCallersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.DownAfter = time.Millisecond })
		f.failWith(errRefused)
		a := begin(t.Context(), p)
		time.Sleep(1)
		synctest.Wait()
		require.True(t, a.isDone())
		require.ErrorIs(t, a.err, errRefused)
	})
}

func TestNegativeDurationsMeanOff(t *testing.T) {
	c := sound()
	fields := func(c *Config[*fakeConn]) map[string]*time.Duration {
		return map[string]*time.Duration{
			"ConnectTimeout": &c.ConnectTimeout, "CheckTimeout": &c.CheckTimeout, "CloseTimeout": &c.CloseTimeout,
			"CheckAfterIdle": &c.CheckAfterIdle, "CheckInterval": &c.CheckInterval, "IdleTimeout": &c.IdleTimeout,
			"MaxLifetime": &c.MaxLifetime, "DownAfter": &c.DownAfter, "LeakThreshold": &c.LeakThreshold,
		}
	}
	for _, d := range fields(&c) {
		*d = -1
	}
	c, err := c.normalize()
	require.NoError(t, err)
	for field, d := range fields(&c) {
		require.Equal(t, off, *d, field)
	}
	require.Zero(t, c.LifetimeJitter, "no lifetime, no jitter")

	c = sound()
	c.LifetimeJitter = -1
	c, err = c.normalize()
	require.NoError(t, err)
	require.Zero(t, c.LifetimeJitter)
	require.Equal(t, 30*time.Minute, c.MaxLifetime)
}

// configFaults has each fault alone, with what New says of it.
var configFaults = []struct {
	says string
	edit func(*Config[*fakeConn])
}{
	{"Connect is nil: set it to the function that opens a connection", func(c *Config[*fakeConn]) { c.Connect = nil }},
	{"MaxSize is -1: use 0 for the default, or a positive number", func(c *Config[*fakeConn]) { c.MaxSize = -1 }},
	{"MinSize is -1: use 0", func(c *Config[*fakeConn]) { c.MinSize = -1 }},
	{"MinIdle is -1: use 0", func(c *Config[*fakeConn]) { c.MinIdle = -1 }},
	{"MaxConnecting is -1: use 0", func(c *Config[*fakeConn]) { c.MaxConnecting = -1 }},
	{"MaxWaiting is -1: use 0", func(c *Config[*fakeConn]) { c.MaxWaiting = -1 }},
	{"MaxSize is 16777216: use at most 16777215", func(c *Config[*fakeConn]) { c.MaxSize = LargestMaxSize + 1 }},
	{"MinSize 11 exceeds MaxSize 10: lower it or raise MaxSize", func(c *Config[*fakeConn]) { c.MinSize = 11 }},
	{"MinIdle 11 exceeds MaxSize 10: lower it or raise MaxSize", func(c *Config[*fakeConn]) { c.MinIdle = 11 }},
	{"MinIdle 3 exceeds MaxIdle 2: lower it or raise MaxIdle", func(c *Config[*fakeConn]) { c.MinIdle, c.MaxIdle = 3, 2 }},
	{"MinIdle 1 exceeds MaxIdle 0: lower it or raise MaxIdle", func(c *Config[*fakeConn]) { c.MinIdle, c.MaxIdle = 1, -1 }},
	{"MinSize 3 exceeds MaxIdle 2, so connections would be opened only to be closed: ", func(c *Config[*fakeConn]) { c.MinSize, c.MaxIdle = 3, 2 }},
	{"BackoffMin is -1ns: it cannot be off", func(c *Config[*fakeConn]) { c.BackoffMin = -1 }},
	{"BackoffMax is -1ns: it cannot be off", func(c *Config[*fakeConn]) { c.BackoffMax = -1 }},
	{"SizeInterval is -1ns: it cannot be off", func(c *Config[*fakeConn]) { c.SizeInterval = -1 }},
	{"BackoffMin 2s exceeds BackoffMax 1s: lower it or raise BackoffMax", func(c *Config[*fakeConn]) { c.BackoffMin, c.BackoffMax = 2*time.Second, time.Second }},
	{"LifetimeJitter 30m0s is not shorter than MaxLifetime 30m0s: ", func(c *Config[*fakeConn]) { c.LifetimeJitter = 30 * time.Minute }},
	{"LifetimeJitter 5s is not shorter than MaxLifetime 4s: ", func(c *Config[*fakeConn]) { c.MaxLifetime, c.LifetimeJitter = 4*time.Second, 5*time.Second }},
	{"IdleTimeout is 5ns: a number without a unit counts nanoseconds; write 5 * time.Second if it was seconds, and at least 1ms",
		func(c *Config[*fakeConn]) { c.IdleTimeout = 5 }},
	{"BackoffMax is 999.999µs: a number without a unit", func(c *Config[*fakeConn]) { c.BackoffMax = time.Millisecond - 1 }},
	{"MaxUses is -1: use 0", func(c *Config[*fakeConn]) { c.MaxUses = -1 }},
	{"LeakStacks is 4: use StacksOnPressure, StacksAlways, StacksNever or StacksSampled", func(c *Config[*fakeConn]) { c.LeakStacks = 4 }},
	{"LeakStacks is -1: use ", func(c *Config[*fakeConn]) { c.LeakStacks = -1 }},
	{"Budget was not made by NewBudget: ", func(c *Config[*fakeConn]) { c.Budget = new(Budget) }},
}

func TestFault43_NewRefusesABadConfigAndSaysWhatToDo(t *testing.T) {
	for _, tc := range configFaults {
		t.Run(tc.says, func(t *testing.T) {
			c := sound()
			tc.edit(&c)
			p, err := New(c)
			require.Nil(t, p)
			require.ErrorContains(t, err, "connpool: bad Config: "+tc.says)
			require.Len(t, strings.Split(err.Error(), "\n"), 1, "one fault only")
		})
	}
}

func TestFault43_NewReportsAllFaultsAtOnce(t *testing.T) {
	c := everythingWrong()
	_, err := New(c)
	for _, says := range []string{"Connect is nil", "MaxSize is -1", "MinSize is -2", "MinIdle is -3",
		"MaxConnecting is -4", "MaxWaiting is -5", "BackoffMin is", "BackoffMax is", "SizeInterval is",
		"LifetimeJitter 1h0m0s is not", "LeakStacks is 7", "Budget was not"} {
		require.ErrorContains(t, err, says)
	}
}

func TestConfigTakesWhatIsJustWithinBounds(t *testing.T) {
	for name, edit := range map[string]func(*Config[*fakeConn]){
		"MinSize and MinIdle of MaxSize": func(c *Config[*fakeConn]) { c.MaxSize, c.MinSize, c.MinIdle = 5, 5, 5 },
		"minimums of MaxIdle":            func(c *Config[*fakeConn]) { c.MaxIdle, c.MinSize, c.MinIdle = 2, 2, 2 },
		"MaxIdle above MaxSize":          func(c *Config[*fakeConn]) { c.MaxIdle, c.MaxSize = 7, 5 },
		"the largest MaxSize":            func(c *Config[*fakeConn]) { c.MaxSize = LargestMaxSize },
		"one backoff":                    func(c *Config[*fakeConn]) { c.BackoffMin, c.BackoffMax = time.Second, time.Second },
		"jitter of nearly a lifetime":    func(c *Config[*fakeConn]) { c.MaxLifetime, c.LifetimeJitter = 2*time.Millisecond, 2*time.Millisecond-1 },
		"jitter of an endless lifetime":  func(c *Config[*fakeConn]) { c.MaxLifetime, c.LifetimeJitter = -1, time.Hour },
		"every time endless": func(c *Config[*fakeConn]) {
			const endless = time.Duration(math.MaxInt64)
			c.AcquireTimeout, c.ConnectTimeout, c.CheckTimeout, c.CloseTimeout = endless, endless, endless, endless
			c.CheckAfterIdle, c.CheckInterval, c.IdleTimeout, c.MaxLifetime = endless, endless, endless, endless
			c.BackoffMax, c.DownAfter, c.LeakThreshold = endless, endless, endless
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := newPool(t, edit)
			acquire(t, p).Release()
		})
	}
}

func TestNewKeepsItsOwnCopyOfTheConfig(t *testing.T) {
	f := newFactory(t)
	cfg := Config[*fakeConn]{Name: "first", Connect: f.connect, Close: f.close, MaxSize: 3}
	p, err := New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { shutdown(t, p, f) })

	cfg.Name, cfg.MaxSize, cfg.Connect, cfg.Close = "second", 1, nil, nil
	require.Equal(t, "first", p.Name())
	release(acquireN(t, p, 3)...)
	require.Equal(t, 3, p.Stats().MaxSize)
}

func TestNamesOfUnnamedPoolsAreNumbered(t *testing.T) {
	first, _ := newPool(t, nil)
	second, _ := newPool(t, nil)
	named, _ := newPool(t, func(c *Config[*fakeConn]) { c.Name = "orders" })
	number := func(p *Pool[*fakeConn]) int {
		digits, ok := strings.CutPrefix(p.Name(), "connpool-")
		require.True(t, ok, p.Name())
		n, err := strconv.Atoi(digits)
		require.NoError(t, err)
		return n
	}
	require.Equal(t, number(first)+1, number(second))
	require.Equal(t, "orders", named.Name())
	require.Equal(t, "orders", named.Stats().Pool)
}

// Connections with one of the methods that Config's defaults look for.
type (
	closesWithError   struct{ closed *int }
	closesWithContext struct{ closed *int }
	closesSilently    struct{ closed *int }
	closesNot         struct{ closed *int }
)

func (c closesWithError) Close() error                      { *c.closed++; return nil }
func (c closesWithContext) Close(ctx context.Context) error { *c.closed++; return ctx.Err() }
func (c closesSilently) Close()                             { *c.closed++ }

func TestConnectionsAreClosedByWhateverCloseMethodTheyHave(t *testing.T) {
	closed := 0
	testDefaultClose(t, closesWithError{&closed})
	require.Equal(t, 1, closed, "Close() error")
	testDefaultClose(t, closesWithContext{&closed})
	require.Equal(t, 2, closed, "Close(ctx) error")
	testDefaultClose(t, closesSilently{&closed})
	require.Equal(t, 3, closed, "Close()")
	testDefaultClose(t, &closesSilently{&closed})
	require.Equal(t, 4, closed, "of a pointer to what has it")
	testDefaultClose(t, io.Closer(closesWithError{&closed}))
	require.Equal(t, 5, closed, "of an interface")
	testDefaultClose(t, closesNot{&closed})
	require.Equal(t, 5, closed, "none: dropped")
}

func testDefaultClose[T any](t *testing.T, conn T) {
	t.Helper()
	p, err := New(Config[T]{Connect: func(context.Context) (T, error) { return conn, nil }})
	require.NoError(t, err)
	acquire(t, p).Release()
	require.NoError(t, p.Shutdown(within(t, 10*time.Second)))
	require.EqualValues(t, map[CloseReason]uint64{ClosedPool: 1}, p.Stats().Closes)
}

func TestACloseThatIsSetWinsOverTheMethod(t *testing.T) {
	var byMethod, byConfig int
	p, err := New(Config[closesSilently]{
		Connect: func(context.Context) (closesSilently, error) { return closesSilently{&byMethod}, nil },
		Close:   func(context.Context, closesSilently) error { byConfig++; return nil },
	})
	require.NoError(t, err)
	acquire(t, p).Release()
	require.NoError(t, p.Shutdown(within(t, 10*time.Second)))
	require.Equal(t, 1, byConfig)
	require.Zero(t, byMethod)
}

// link is a connection with IsClosed and Ping, like a *pgx.Conn.
type link struct {
	closed bool
	pings  int
	ping   error
}

func (l *link) IsClosed() bool             { return l.closed }
func (l *link) Ping(context.Context) error { l.pings++; return l.ping }

func TestAliveAndCheckAreTakenFromTheConnectionsMethods(t *testing.T) {
	c, err := Config[*link]{Connect: func(context.Context) (*link, error) { return new(link), nil }}.normalize()
	require.NoError(t, err)
	l := new(link)
	require.NoError(t, c.Alive(l))
	l.closed = true
	require.ErrorIs(t, c.Alive(l), ErrBadConn)
	l.ping = io.EOF
	require.ErrorIs(t, c.Check(t.Context(), l), io.EOF)
	require.Equal(t, 1, l.pings)
	require.Equal(t, time.Second, c.CheckAfterIdle, "there is a Check, so checks come due")
}

func TestAConnectionThatSaysItIsClosedIsNotLent(t *testing.T) {
	p, err := New(Config[*link]{Connect: func(context.Context) (*link, error) { return new(link), nil }})
	require.NoError(t, err)
	lease := acquire(t, p)
	old := lease.Conn()
	lease.Release()
	old.closed = true
	lease = acquire(t, p)
	require.NotSame(t, old, lease.Conn())
	lease.Release()
	require.NoError(t, p.Shutdown(within(t, 10*time.Second)))
	require.EqualValues(t, 1, p.Stats().Closes[ClosedCheck])
}

func TestFault21_ANilConnectionIsAConnectError(t *testing.T) {
	testNilConn[*fakeConn](t, nil)
	testNilConn[net.Conn](t, nil)
	testNilConn[net.Conn](t, (*net.TCPConn)(nil))
	testNilConn[map[string]int](t, nil)
	testNilConn[chan int](t, nil)
	testNilConn[func()](t, nil)
	testNilConn[[]int](t, nil)
	testNilConn[error](t, nil)
}

func testNilConn[T any](t *testing.T, conn T) {
	t.Helper()
	// Nothing runs beside the caller and the dial that it waits for.
	synctest.Test(t, func(t *testing.T) {
		p, err := New(Config[T]{
			Connect:        func(context.Context) (T, error) { return conn, nil },
			AcquireTimeout: 10 * time.Millisecond,
			Logger:         slog.New(slog.DiscardHandler),
		})
		require.NoError(t, err)
		_, err = p.Acquire(t.Context())
		require.ErrorContains(t, err, "Connect returned a nil connection and no error")
		require.ErrorIs(t, err, errNilConn)
		require.NoError(t, p.Shutdown(t.Context()))
		require.Zero(t, p.Stats().Connects)
	})
}

func TestAZeroValueThatIsNoNilIsAConnection(t *testing.T) {
	require.False(t, isNil(0))
	require.False(t, isNil(struct{}{}))
	require.False(t, isNil(closesSilently{}))
	require.False(t, isNil(""))
	require.False(t, isNil([]int{}))
}

func TestMaxIdleClosesTheBurstOnReturn(t *testing.T) {
	for _, tc := range []struct{ maxIdle, says, kept int }{
		{maxIdle: 0, says: 4, kept: 4},
		{maxIdle: 1, says: 1, kept: 1},
		{maxIdle: 3, says: 3, kept: 3},
		{maxIdle: 9, says: 9, kept: 4},
		{maxIdle: -1, says: 0, kept: 0},
	} {
		t.Run(fmt.Sprint(tc.maxIdle), func(t *testing.T) {
			// Once all is still, nothing but the test moves a connection.
			synctest.Test(t, func(t *testing.T) {
				p, f := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.MaxIdle = 4, tc.maxIdle })
				release(acquireN(t, p, 4)...)
				synctest.Wait()
				s := p.Stats()
				require.Equal(t, tc.says, s.MaxIdle)
				require.Equal(t, tc.kept, s.Idle)
				require.EqualValues(t, 4-tc.kept, s.Closes[ClosedSurplus])
				require.EqualValues(t, tc.kept, f.slots.now())
			})
		})
	}
}

func TestAPoolThatKeepsNoneIdleStillServesWhoWaits(t *testing.T) {
	// The waiter has joined before the holder returns: synctest.Wait sees to it.
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.MaxIdle = 1, -1 })
		held := acquire(t, p)
		served := make(chan *fakeConn)
		go func() {
			lease, err := p.Acquire(t.Context())
			if err == nil {
				defer lease.Release()
				served <- lease.Conn()
			}
			close(served)
		}()
		synctest.Wait()
		conn := held.Conn()
		held.Release()
		require.Same(t, conn, <-served, "the connection is passed on, not closed")
		synctest.Wait()
		require.Zero(t, f.slots.now(), "and closed once nobody waits")
	})
}

func TestMaxIdleAllowsLessWhenSomeAreIdleAlready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // one goroutine borrows, and waits for the closing
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.MaxIdle = 4, 2 })
		for range 100 {
			release(acquireN(t, p, 4)...)
			synctest.Wait()
			require.Equal(t, 2, p.Stats().Idle)
		}
	})
}

// TestAcquireTimeout: one caller, who waits for a dial that hangs.
func TestAcquireTimeout(t *testing.T) {
	const long, short = time.Hour, time.Second
	for _, tc := range []struct {
		name          string
		set, deadline time.Duration // 0: none
		waits         time.Duration
	}{
		{"default, no deadline", 0, 0, 30 * time.Second},
		{"default leaves a deadline alone", 0, long, long},
		{"default, near deadline", 0, short, short},
		{"set, no deadline", 2 * time.Second, 0, 2 * time.Second},
		{"set caps a later deadline", 2 * time.Second, long, 2 * time.Second},
		{"set, near deadline", 2 * time.Second, short, short},
		{"off leaves a deadline alone", -1, long, long},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, f := newPool(t, func(c *Config[*fakeConn]) { c.AcquireTimeout, c.ConnectTimeout = tc.set, -1 })
				f.hang()
				ctx := t.Context()
				if tc.deadline > 0 {
					ctx = within(t, tc.deadline)
				}
				began := time.Now()
				_, err := p.Acquire(ctx)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Equal(t, tc.waits, time.Since(began))
			})
		})
	}
}

func TestAcquireTimeoutOffWithoutADeadlineWaitsForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the waiter only ends by its context
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.AcquireTimeout, c.ConnectTimeout = -1, -1 })
		f.hang()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := p.Acquire(ctx)
			ended <- err
		}()
		time.Sleep(1000 * time.Hour)
		require.Empty(t, ended)
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
	})
}

func TestIsBadByDefault(t *testing.T) {
	for _, tc := range []struct {
		err error
		bad bool
	}{
		{ErrBadConn, true},
		{fmt.Errorf("write: %w", ErrBadConn), true},
		{io.EOF, true},
		{io.ErrUnexpectedEOF, true},
		{net.ErrClosed, true},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, true},
		{fmt.Errorf("query: %w", &net.DNSError{}), true},
		{os.ErrDeadlineExceeded, true}, // a net.Error
		{context.Canceled, true},
		{context.DeadlineExceeded, true},
		{errors.New("duplicate key"), false},
		{io.ErrShortWrite, false},
		{os.ErrNotExist, false},
		{ErrExhausted, false}, // of another pool: says nothing of this connection
		{&AcquireError{Err: context.DeadlineExceeded, LastConnect: io.EOF}, false},
		{fmt.Errorf("cache: %w", &AcquireError{Err: context.Canceled}), false},
	} {
		require.Equal(t, tc.bad, DefaultIsBad(tc.err), "%v", tc.err)
	}
}

func TestASmallPoolHasOneCell(t *testing.T) {
	require.Equal(t, 1, cells(1))
	require.Equal(t, 1, cells(7))
	require.LessOrEqual(t, cells(8), 2)
}

func TestNewBudgetOfNothingPanics(t *testing.T) {
	for _, units := range []int{0, -1} {
		require.PanicsWithValue(t, fmt.Sprintf("connpool: NewBudget(%d): a budget needs at least one unit", units), func() { NewBudget(units) })
	}
}

func TestFault80_NewRefusesDurationsWhoseUnitWasForgotten(t *testing.T) {
	fields := reflect.ValueOf(Config[*fakeConn]{})
	for i := range fields.NumField() {
		field := fields.Type().Field(i)
		if field.Type != reflect.TypeFor[time.Duration]() {
			continue
		}
		t.Run(field.Name, func(t *testing.T) {
			for _, d := range []time.Duration{1, 5, 3600, 30_000, 86_400, time.Millisecond - 1} {
				c := sound()
				reflect.ValueOf(&c).Elem().Field(i).SetInt(int64(d))
				_, err := New(c)
				require.ErrorContains(t, err, fmt.Sprintf("%s is %v: a number without a unit", field.Name, d))
				require.ErrorContains(t, err, fmt.Sprintf("%d * time.Second", d))
			}
			c := sound()
			reflect.ValueOf(&c).Elem().Field(i).SetInt(int64(time.Millisecond))
			require.NoError(t, c.validate())
		})
	}
}

// TestFault107_APoolBornPausedDoesNothingBeforeResume: the pool is given an hour.
func TestFault107_APoolBornPausedDoesNothingBeforeResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.Paused, c.MinSize = true, 2 })
		a := begin(t.Context(), p)
		_, err := p.TryAcquire(t.Context())
		require.ErrorIs(t, err, ErrNoneIdle)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		require.Zero(t, f.dials.Load())
		require.True(t, p.Stats().Paused)
		p.Resume()
		a.get(t).Release()
		synctest.Wait()
		require.EqualValues(t, 2, f.opens.Load(), "MinSize")
	})
}

// TestFault116_AConnectionIsClosedAfterMaxUses: one borrower at a time.
func TestFault116_AConnectionIsClosedAfterMaxUses(t *testing.T) {
	for _, edit := range []func(*Config[*fakeConn]){
		func(c *Config[*fakeConn]) {},
		func(c *Config[*fakeConn]) { c.Reset = func(context.Context, *fakeConn) error { return nil } },
		func(c *Config[*fakeConn]) { c.MaxIdle = 1 },
	} {
		synctest.Test(t, func(t *testing.T) {
			p, f := newPool(t, func(c *Config[*fakeConn]) { c.MaxUses = 3; edit(c) })
			uses := map[int64]int{}
			for range 30 {
				lease := acquire(t, p)
				uses[lease.Conn().id]++
				lease.Release()
				synctest.Wait()
			}
			require.Len(t, uses, 10)
			for _, n := range uses {
				require.Equal(t, 3, n)
			}
			require.EqualValues(t, 10, f.closes.Load())
			require.EqualValues(t, 10, p.Stats().Closes[ClosedUses])
		})
	}
}

// TestFault116_UsesAreCountedOverATurnThatWraps: the counter is half a turn.
func TestFault116_UsesAreCountedOverATurnThatWraps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, func(c *Config[*fakeConn]) { c.MaxUses = 100 })
		acquire(t, p).Release()
		turnTo(p, 1<<32-4)
		for range 99 {
			acquire(t, p).Release()
		}
		synctest.Wait()
		require.Zero(t, f.closes.Load())
		acquire(t, p).Release()
		synctest.Wait()
		require.EqualValues(t, 1, f.closes.Load())
	})
}

// TestFault116_WorkGoesRoundAllConnectionsInTurn: one borrower, with pauses too
// short, or long enough, for the connections to be due for a check.
func TestFault116_WorkGoesRoundAllConnectionsInTurn(t *testing.T) {
	for _, pause := range []time.Duration{0, 50 * time.Millisecond, 10 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			p, _ := newPool(t, func(c *Config[*fakeConn]) {
				c.MaxSize, c.FIFO = 40, true
				c.Check = func(context.Context, *fakeConn) error { return nil }
			})
			release(acquireN(t, p, 8)...)
			time.Sleep(10 * pause)
			var order []int64
			for range 24 {
				lease := acquire(t, p)
				order = append(order, lease.Conn().id)
				lease.Release()
				time.Sleep(pause)
			}
			uses := map[int64]int{}
			for i, id := range order {
				uses[id]++
				if pause == 0 {
					require.Equal(t, order[i%8], id, "in turn")
				}
			}
			if pause < time.Second { // the only one that needs no check is used first
				require.Len(t, uses, 8)
			}
		})
	}
}

// TestFault116_TheConnectionUsedLastIsLentFirstByDefault: one borrower.
func TestFault116_TheConnectionUsedLastIsLentFirstByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, only(8))
		leases := acquireN(t, p, 8)
		release(leases...)
		first := acquire(t, p)
		used := first.Conn().id
		first.Release()
		for range 8 {
			lease := acquire(t, p)
			require.Equal(t, used, lease.Conn().id)
			lease.Release()
		}
	})
}
