package connpool

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// What a Config may have set, beside numbers.
const (
	withoutConnect = 1 << iota
	withAlive
	withUnsureAlive
	withClean
	withCheck
	withPrepare
	withReset
	withReclaimLost
	withTrace
	withSizer
	withBudget
	withUnmadeBudget
	withFIFO
	withMaxUses
)

// FuzzConfig holds New to two promises for whatever Config it is given: it is
// refused and each of its faults is named, or there is a pool that lends, takes
// back and closes.
func FuzzConfig(f *testing.F) {
	const s, ms = int64(time.Second), int64(time.Millisecond)
	f.Add(0, 0, 0, 0, 0, 0, 0, uint16(0), int64(0), int64(0), int64(0), int64(0), int64(0), int64(0), int64(0), int64(0), int64(0), int64(0), int64(0), int64(0), int64(0), int64(0))
	f.Add(1, 1, 1, 1, 1, 1, 1, uint16(0xfff&^withoutConnect&^withUnmadeBudget), ms, ms, ms, ms, ms, ms, ms, 2*ms, ms, ms, ms, ms, ms, ms)
	f.Add(-1, -2, -3, -4, -5, -6, -7, uint16(withoutConnect|withUnmadeBudget), -s, -s, -s, -s, -s, -s, -s, -s, -s, -s, -s, -s, -s, -s)
	f.Add(5, 2, 1, 3, 2, 9, 2, uint16(withCheck|withUnsureAlive|withReset), 30*s, s, s, s, s, 5*s, 7*s, 9*s, 2*s, s/20, s, s, 60*s, 5*s)
	f.Add(LargestMaxSize, 3, 0, -1, 0, 0, 1, uint16(withTrace|withSizer|withFIFO|withMaxUses), int64(1<<62), int64(1<<62), int64(1<<62), int64(1<<62), int64(1<<62), int64(1<<62), int64(1<<62), int64(1<<62), int64(1<<61), ms, int64(1<<62), int64(1<<62), int64(1<<62), int64(1<<62))
	f.Add(LargestMaxSize+1, 11, 12, 3, 0, 0, 3, uint16(withBudget), int64(0), int64(0), int64(0), int64(0), int64(0), int64(0), int64(0), 4*s, 5*s, 2*s, s, int64(0), int64(0), int64(0))
	f.Add(3, 3, 0, 0, 0, 0, 1, uint16(withBudget|withReclaimLost), int64(0), int64(0), int64(0), int64(0), ms, ms, 3*ms, int64(-1), int64(0), int64(0), int64(0), int64(0), int64(0), int64(0))
	f.Add(51, 1, 1, 98, 1, 1, 1, uint16(0xfff&^withoutConnect&^withAlive&^withUnmadeBudget), ms, int64(-143), int64(-55), ms, ms, ms, ms, int64(-22), ms, ms, ms, ms, int64(-17), ms)
	f.Fuzz(func(t *testing.T, maxSize, minSize, minIdle, maxIdle, maxConnecting, maxWaiting, stacks int, with uint16,
		acquire, connect, check, shut, afterIdle, interval, idle, lifetime, jitter, backoffMin, backoffMax, down, leak, window int64) {
		synctest.Test(t, func(t *testing.T) {
			f := newFactory(t)
			c := Config[*fakeConn]{
				Connect: f.connect, Close: f.close,
				MaxSize: maxSize, MinSize: minSize, MinIdle: minIdle, MaxIdle: maxIdle,
				MaxConnecting: maxConnecting, MaxWaiting: maxWaiting, LeakStacks: StackMode(stacks),
				AcquireTimeout: time.Duration(acquire), ConnectTimeout: time.Duration(connect), CheckTimeout: time.Duration(check),
				CloseTimeout: time.Duration(shut), CheckAfterIdle: time.Duration(afterIdle), CheckInterval: time.Duration(interval),
				IdleTimeout: time.Duration(idle), MaxLifetime: time.Duration(lifetime), LifetimeJitter: time.Duration(jitter),
				BackoffMin: time.Duration(backoffMin), BackoffMax: time.Duration(backoffMax), DownAfter: time.Duration(down),
				LeakThreshold: time.Duration(leak), SizeInterval: time.Duration(window),
				Logger: (&logbook{}).logger(),
			}
			equip(&c, with)
			tryConfig(t, c, f)
		})
	})
}

// equip sets what is not a number.
func equip(c *Config[*fakeConn], with uint16) {
	fine := func(context.Context, *fakeConn) error { return nil }
	for bit, set := range map[uint16]func(){
		withoutConnect:   func() { c.Connect = nil },
		withAlive:        func() { c.Alive = func(*fakeConn) error { return nil } },
		withUnsureAlive:  func() { c.Alive, c.Check = func(*fakeConn) error { return ErrUnsure }, fine },
		withClean:        func() { c.Clean = func(*fakeConn) error { return nil } },
		withCheck:        func() { c.Check = fine },
		withPrepare:      func() { c.Prepare = fine },
		withReset:        func() { c.Reset = fine },
		withReclaimLost:  func() { c.ReclaimLost = true },
		withTrace:        func() { c.Trace = &Trace{Acquired: func(context.Context, AcquiredInfo) {}} },
		withSizer:        func() { c.Sizer = UtilizationSizer{} },
		withBudget:       func() { c.Budget = NewBudget(2) },
		withUnmadeBudget: func() { c.Budget = new(Budget) },
		withFIFO:         func() { c.FIFO = true },
		withMaxUses:      func() { c.MaxUses = 2 },
	} {
		if with&bit != 0 && !(bit == withBudget && with&withUnmadeBudget != 0) && !(bit == withAlive && with&withUnsureAlive != 0) {
			set()
		}
	}
}

// tryConfig sees to it that the Config is refused or serves.
func tryConfig(t *testing.T, c Config[*fakeConn], f *factory) {
	faults := faultsByTheBook(c)
	if len(faults) == 0 && max(c.MinSize, c.MinIdle) > 100 {
		_, err := c.normalize() // a pool that keeps so many would be all that is tried
		require.NoError(t, err)
		return
	}
	p, err := New(c)
	if len(faults) > 0 {
		require.Nil(t, p)
		requireNames(t, err, faults)
		return
	}
	require.NoError(t, err)
	requireServes(t, p)
	require.NoError(t, p.Shutdown(t.Context()))
	f.requireBalanced(t)
	require.LessOrEqual(t, f.slots.peak(), int64(cmp.Or(c.MaxSize, defaultMaxSize)))
}

func requireNames(t *testing.T, err error, faults []string) {
	t.Helper()
	require.ErrorContains(t, err, "connpool: bad Config: ")
	lines := strings.Split(strings.TrimPrefix(err.Error(), "connpool: bad Config: "), "\n")
	var fields []string
	for _, line := range lines {
		field, _, _ := strings.Cut(line, " ")
		fields = append(fields, field)
		require.Contains(t, line, ": ", "it says what to do")
	}
	slices.Sort(fields)
	slices.Sort(faults)
	require.Equal(t, faults, fields, "%v", err)
}

// faultsByTheBook returns the fields that the documentation says New refuses,
// once for each reason.
func faultsByTheBook[T any](c Config[T]) (fields []string) {
	maxSize, lifetime := cmp.Or(c.MaxSize, 10), cmp.Or(c.MaxLifetime, 30*time.Minute)
	keeps := max(c.MaxIdle, 0)
	for _, rule := range []struct {
		field  string
		broken bool
	}{
		{"Connect", c.Connect == nil},
		{"MaxSize", c.MaxSize < 0},
		{"MaxSize", c.MaxSize > LargestMaxSize},
		{"MinSize", c.MinSize < 0},
		{"MinIdle", c.MinIdle < 0},
		{"MaxConnecting", c.MaxConnecting < 0},
		{"MaxWaiting", c.MaxWaiting < 0},
		{"MinSize", maxSize > 0 && c.MinSize > maxSize},
		{"MinIdle", maxSize > 0 && c.MinIdle > maxSize},
		{"MinIdle", maxSize > 0 && c.MaxIdle != 0 && c.MinIdle > keeps},
		{"MinSize", maxSize > 0 && c.MaxIdle != 0 && c.MinSize > keeps},
		{"BackoffMin", c.BackoffMin < 0},
		{"BackoffMax", c.BackoffMax < 0},
		{"SizeInterval", c.SizeInterval < 0},
		{"BackoffMin", c.BackoffMax > 0 && c.BackoffMin > c.BackoffMax},
		{"LifetimeJitter", lifetime > 0 && c.LifetimeJitter >= lifetime},
		{"AcquireTimeout", tooShort(c.AcquireTimeout)},
		{"ConnectTimeout", tooShort(c.ConnectTimeout)},
		{"CheckTimeout", tooShort(c.CheckTimeout)},
		{"CloseTimeout", tooShort(c.CloseTimeout)},
		{"CheckAfterIdle", tooShort(c.CheckAfterIdle)},
		{"CheckInterval", tooShort(c.CheckInterval)},
		{"IdleTimeout", tooShort(c.IdleTimeout)},
		{"MaxLifetime", tooShort(c.MaxLifetime)},
		{"LifetimeJitter", tooShort(c.LifetimeJitter)},
		{"BackoffMin", tooShort(c.BackoffMin)},
		{"BackoffMax", tooShort(c.BackoffMax)},
		{"DownAfter", tooShort(c.DownAfter)},
		{"LeakThreshold", tooShort(c.LeakThreshold)},
		{"SizeInterval", tooShort(c.SizeInterval)},
		{"LeakStacks", c.LeakStacks < StacksOnPressure || c.LeakStacks > StacksSampled},
		{"Budget", c.Budget != nil && c.Budget.units == 0},
	} {
		if rule.broken {
			fields = append(fields, rule.field)
		}
	}
	return fields
}

// requireServes borrows and returns, some connections at once and with pauses in
// which the pool may do what it has to, and a Sizer what it finds right. Nothing
// else happens in the bubble, so no time passes while somebody has to wait for a
// dial, and no limit is too short.
func requireServes(t *testing.T, p *Pool[*fakeConn]) {
	t.Helper()
	for _, pause := range []time.Duration{0, time.Millisecond, 2 * time.Second} {
		time.Sleep(pause)
		synctest.Wait()
		atOnce := min(2, p.Stats().Limit) // a Budget's units, too
		leases := acquireN(t, p, atOnce)
		for _, lease := range leases {
			lease.Conn().claim()
			lease.Conn().release()
		}
		s := p.Stats()
		require.LessOrEqual(t, s.Size, s.MaxSize)
		require.Equal(t, s.Size, s.Idle+s.InUse+s.Connecting+s.Checking+s.Resetting+s.Closing)
		require.Equal(t, atOnce, s.InUse)
		leases[0].ReleaseErr(errors.New("no matter"))
		release(leases[1:]...)
	}
	if lease, err := p.TryAcquire(t.Context()); !errors.Is(err, ErrNoneIdle) {
		require.NoError(t, err)
		lease.Discard(ErrBadConn)
	}
	synctest.Wait()
	require.Zero(t, p.Stats().InUse)
}

func tooShort(d time.Duration) bool { return d > 0 && d < time.Millisecond }
