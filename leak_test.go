package connpool

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Call sites to be found in reports. They are told apart by name, so they must
// not be inlined.

//go:noinline
func leakyUpload(t testing.TB, p *Pool[*fakeConn]) Lease[*fakeConn] {
	lease, err := p.Acquire(t.Context())
	require.NoError(t, err)
	return lease
}

//go:noinline
func leakyDownload(t testing.TB, p *Pool[*fakeConn]) Lease[*fakeConn] {
	lease, err := p.Acquire(t.Context())
	require.NoError(t, err)
	return lease
}

// leaks records what OnLeak is told.
type leaks struct {
	mu  sync.Mutex
	all []Leak
}

func (l *leaks) note(leak Leak) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, leak)
}

func (l *leaks) seen() []Leak {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Leak(nil), l.all...)
}

// TestFault41_ALeaseHeldTooLongIsReportedOnce: the holder sleeps; nobody else
// is there but the sweep.
func TestFault41_ALeaseHeldTooLongIsReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		var reports leaks
		var tp tape
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.Name, c.LeakThreshold, c.LeakStacks = "orders", time.Minute, StacksAlways
			c.OnLeak, c.Logger, c.Trace = reports.note, book.logger(), &Trace{Leaked: traced(tp.record).Leaked}
		})
		lease := leakyUpload(t, p)
		time.Sleep(time.Minute - 1)
		synctest.Wait()
		require.Empty(t, reports.seen())
		time.Sleep(time.Hour)
		synctest.Wait()

		require.Len(t, reports.seen(), 1)
		leak := reports.seen()[0]
		require.Equal(t, "orders", leak.Pool)
		require.NotZero(t, leak.ID)
		require.False(t, leak.Lost)
		require.Equal(t, 1, leak.Count)
		require.Regexp(t, `^connpool\.leakyUpload \(leak_test\.go:\d+\)$`, leak.Caller)
		require.Contains(t, leak.Stack, "connpool.leakyUpload")
		require.GreaterOrEqual(t, leak.Held, time.Minute)
		require.LessOrEqual(t, leak.Held, time.Minute+p.period)
		require.Equal(t, leak, tp.only(t, "Leaked"))
		require.EqualValues(t, 1, p.Stats().Leaks)

		lines := book.lines("leak")
		require.Len(t, lines, 1)
		require.Contains(t, lines[0], `level=WARN msg="connpool: suspected leak" pool=orders`)
		require.Contains(t, lines[0], fmt.Sprintf("leak=%d", leak.ID))
		require.Contains(t, lines[0], "connpool.leakyUpload (leak_test.go:")
		lease.Release()
	})
}

// TestFault41_AnUnnamedLeaseIsReportedTooIfLater: the age of a lease that was
// not written down is known from the first sweep that saw it.
func TestFault41_AnUnnamedLeaseIsReportedTooIfLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reports leaks
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.LeakThreshold, c.LeakStacks, c.OnLeak = time.Minute, StacksNever, reports.note
		})
		acquire(t, p).Release()
		for _, pause := range []time.Duration{0, 7 * time.Second, 5 * time.Minute} {
			time.Sleep(pause)
			before := len(reports.seen())
			lease := acquire(t, p)
			time.Sleep(time.Minute - 1)
			synctest.Wait()
			require.Len(t, reports.seen(), before)
			time.Sleep(2 * p.period)
			synctest.Wait()
			require.Len(t, reports.seen(), before+1)
			leak := reports.seen()[before]
			require.Empty(t, leak.Caller)
			require.Empty(t, leak.Stack)
			require.GreaterOrEqual(t, leak.Held, time.Minute)
			lease.Release()
		}
	})
}

func TestFault41_ASuspectThatIsReturnedIsClearedByTheSameNumber(t *testing.T) {
	for name, end := range map[string]func(p *Pool[*fakeConn], f *factory, l Lease[*fakeConn]){
		"Release":    func(_ *Pool[*fakeConn], _ *factory, l Lease[*fakeConn]) { l.Release() },
		"ReleaseErr": func(_ *Pool[*fakeConn], _ *factory, l Lease[*fakeConn]) { l.ReleaseErr(ErrBadConn) },
		"Discard":    func(_ *Pool[*fakeConn], _ *factory, l Lease[*fakeConn]) { l.Discard(nil) },
		"Hijack":     func(_ *Pool[*fakeConn], f *factory, l Lease[*fakeConn]) { f.close(context.Background(), l.Hijack()) },
		"closed":     func(p *Pool[*fakeConn], _ *factory, l Lease[*fakeConn]) { p.Close(); l.Release() },
	} {
		for mode, stacks := range map[string]StackMode{"named": StacksAlways, "unnamed": StacksNever} {
			t.Run(name+" "+mode, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { // the holder sleeps until the report is out
					var book logbook
					var tp tape
					p, f := newPool(t, func(c *Config[*fakeConn]) {
						c.LeakThreshold, c.LeakStacks, c.Logger = time.Minute, stacks, book.logger()
						c.Trace = &Trace{Leaked: traced(tp.record).Leaked, LeakReturned: traced(tp.record).LeakReturned}
					})
					acquire(t, p).Release() // so that both leases are of one slot
					other := acquire(t, p)
					time.Sleep(5 * time.Minute)
					other.Release()
					synctest.Wait()
					tp.clear()
					lease := acquire(t, p)
					time.Sleep(5 * time.Minute)
					end(p, f, lease)
					synctest.Wait()

					reported, returned := tp.only(t, "Leaked").(Leak), tp.only(t, "LeakReturned").(Leak)
					require.EqualValues(t, 2, reported.ID)
					require.Equal(t, reported.ID, returned.ID)
					require.Equal(t, reported.Caller, returned.Caller)
					require.InDelta(t, 5*time.Minute, returned.Held, float64(p.period))
					require.LessOrEqual(t, returned.Held, 5*time.Minute, "a lower bound")
					require.Len(t, book.lines("suspected leak was returned after all"), 2)
					require.Len(t, book.lines("leak=2"), 2)
					require.EqualValues(t, 2, p.Stats().Leaks)
				})
			})
		}
	}
}

func TestALeaseThatIsReturnedInTimeIsNoLeak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // one borrower after another on one connection
		var reports leaks
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.LeakThreshold, c.OnLeak = 1, time.Minute, reports.note })
		for range 100 {
			lease := acquire(t, p)
			time.Sleep(59 * time.Second)
			lease.Release()
		}
		require.Empty(t, reports.seen(), "in use for long, but by many")
	})
}

func TestLeakThresholdOffReportsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the holder sleeps
		var reports leaks
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.LeakThreshold, c.OnLeak, c.LeakStacks = -1, reports.note, StacksAlways })
		lease := acquire(t, p)
		time.Sleep(1000 * time.Hour)
		require.Empty(t, reports.seen())
		require.Equal(t, 1000*time.Hour, p.Holders()[0].Held)
		lease.Release()
	})
}

func TestKeepLongIsNoLeak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the holder sleeps
		var reports leaks
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.LeakThreshold, c.OnLeak = 1, time.Minute, reports.note })
		lease := acquire(t, p)
		lease.KeepLong()
		lease.KeepLong()
		time.Sleep(time.Hour)
		require.Empty(t, reports.seen())
		require.Equal(t, 1, p.Holders()[0].Count, "it holds all the same")
		lease.Release()
		require.Zero(t, p.Stats().StaleReleases)

		next := acquire(t, p)
		lease.KeepLong() // stale: must not touch the next
		time.Sleep(time.Hour)
		require.Len(t, reports.seen(), 1, "it holds for one lease, not for the connection")
		next.Release()
	})
}

func TestKeepLongWithinEveryFlagOfALease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the holder sleeps; the sweep marks the word meanwhile
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.LeakThreshold, c.MaxLifetime = 1, time.Minute, 10*time.Minute })
		lease := acquire(t, p)
		time.Sleep(5 * time.Minute) // quiet and leaked
		lease.KeepLong()
		time.Sleep(20 * time.Minute) // expired
		lease.KeepLong()
		lease.Conn().claim()
		lease.Conn().release()
		lease.Release()
		synctest.Wait()
		require.EqualValues(t, 1, p.Stats().Closes[ClosedLifetime])
	})
}

// Stacks

func TestStacksAlwaysNamesEveryBorrower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // one borrower
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.LeakStacks = StacksAlways })
		leakyUpload(t, p).Release() // dialled
		lease := leakyUpload(t, p)  // idle
		requireHolders(t, p, "1 leakyUpload")
		lease.Release()
		requireHolders(t, p)
	})
}

func TestStacksSampledNamesAsManyBorrowersAsItMayCapture(t *testing.T) {
	const burst = int(captureBurst / captureEvery)
	synctest.Test(t, func(t *testing.T) { // one borrower
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.LeakStacks = burst+3, StacksSampled })
		var leases []Lease[*fakeConn]
		hold := func(lease Lease[*fakeConn]) { leases = append(leases, lease) }
		for range burst {
			hold(leakyUpload(t, p))
		}
		hold(leakyDownload(t, p))
		requireHolders(t, p, fmt.Sprint(burst, " leakyUpload"), "1 unnamed")
		time.Sleep(captureEvery)
		hold(leakyDownload(t, p))
		hold(leakyDownload(t, p))
		requireHolders(t, p, fmt.Sprint(burst, " leakyUpload"), "2 unnamed", "1 leakyDownload")
		for _, lease := range leases {
			lease.Release()
		}
	})
}

// TestFault74_TheSecondLeakOfAQuietServiceIsNamed: a service that never runs short
// loses a lease now and then.
func TestFault74_TheSecondLeakOfAQuietServiceIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		var reports leaks
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize, c.OnLeak, c.Logger = 100, reports.note, book.logger()
		})
		release(acquireN(t, p, 10)...)
		var lost []Lease[*fakeConn]
		for range 3 {
			for range 5 {
				acquire(t, p).Release()
				time.Sleep(30 * time.Second)
			}
			lost = append(lost, leakyUpload(t, p))
			time.Sleep(3 * time.Minute)
		}
		synctest.Wait()
		require.Len(t, reports.seen(), 3)
		require.Empty(t, reports.seen()[0].Caller)
		require.Contains(t, reports.seen()[1].Caller, "leakyUpload")
		require.Contains(t, reports.seen()[2].Caller, "leakyUpload")
		lines := book.lines("suspected leak")
		require.Contains(t, lines[0], "a caller whose stack was not captured")
		require.Contains(t, lines[0], "stacks are captured from now on, so that the next leak is named")
		require.Len(t, book.lines("from now on"), 1, "said once")
		release(lost...)
	})
}

// TestFault74_StacksNeverStaysSo: the holder sleeps.
func TestFault74_StacksNeverStaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.LeakStacks, c.Logger = StacksNever, book.logger() })
		release(acquireN(t, p, 2)...)
		lease := acquire(t, p)
		time.Sleep(3 * time.Minute)
		next := leakyUpload(t, p)
		time.Sleep(3 * time.Minute)
		require.Empty(t, book.lines("from now on"))
		requireHolders(t, p, "2 unnamed")
		release(lease, next)
	})
}

// TestFault74_ALostLeaseHasTheNextNamed: the first is garbage before anybody has
// looked at its age.
func TestFault74_ALostLeaseHasTheNextNamed(t *testing.T) {
	p, f := newPool(t, func(c *Config[*fakeConn]) { c.ReclaimLost = true })
	release(acquireN(t, p, 2)...)
	_ = acquire(t, p)
	require.Eventually(t, func() bool { runtime.GC(); return f.closes.Load() == 1 }, time.Minute, time.Millisecond)
	lease := leakyUpload(t, p)
	requireHolders(t, p, "1 leakyUpload")
	lease.Release()
}

func TestStacksNeverNamesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // one borrower, and one who waits for it
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.LeakStacks = 1, StacksNever })
		lease := leakyUpload(t, p)
		a := begin(t.Context(), p)
		synctest.Wait()
		lease.Release()
		lease = a.get(t)
		requireHolders(t, p, "1 unnamed")
		lease.Release()
	})
}

// requireHolders checks the number of leases and the function that took them, in
// order.
func requireHolders(t *testing.T, p *Pool[*fakeConn], want ...string) {
	t.Helper()
	var got []string
	for _, h := range p.Holders() {
		name := "unnamed"
		for _, function := range []string{"leakyUpload", "leakyDownload", "begin"} {
			if strings.Contains(h.Stack, "connpool."+function) {
				name = function
			}
		}
		require.Equal(t, name == "unnamed", h.Caller == "" && h.Stack == "", "%+v", h)
		got = append(got, fmt.Sprintf("%d %s", h.Count, name))
	}
	require.Equal(t, want, got)
}

// TestStacksOnPressureFromAnAcquireThatFindsNoneIdle: one borrower. Seven of ten
// are opened by callers that wait, and name themselves; what follows is about
// those who find one idle.
func TestStacksOnPressureFromAnAcquireThatFindsNoneIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, only(10))
		release(acquireN(t, p, 7)...)
		var leases []Lease[*fakeConn]
		for range 7 {
			leases = append(leases, leakyUpload(t, p))
		}
		requireHolders(t, p, "7 unnamed")
		leases = append(leases, leakyDownload(t, p))
		requireHolders(t, p, "7 unnamed", "1 leakyDownload") // it had to wait; 7 of 10 is no pressure
		leases[0].Release()
		leases[0] = leakyUpload(t, p)
		requireHolders(t, p, "7 unnamed", "1 leakyDownload")

		leases = append(leases, leakyDownload(t, p)) // none idle, 8 of 10 open
		leases[0].Release()
		leases[0] = leakyUpload(t, p)
		requireHolders(t, p, "6 unnamed", "2 leakyDownload", "1 leakyUpload")
		release(leases...)
	})
}

// TestStacksOnPressureHasHysteresis: one borrower, who sleeps for two sweeps
// after each move.
func TestStacksOnPressureHasHysteresis(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.LeakThreshold = 10, -1 })
		release(acquireN(t, p, 10)...)
		var leases []Lease[*fakeConn]
		hold := func(n int) {
			for len(leases) > n {
				leases[0].Release()
				leases = leases[1:]
			}
			for len(leases) < n {
				leases = append(leases, acquire(t, p))
			}
			time.Sleep(2 * p.period)
			synctest.Wait()
		}
		for i, step := range []struct {
			leased int
			named  bool // is the next who finds one idle
		}{
			{0, false}, {7, false}, {8, true}, {7, true}, {6, true}, {5, false},
			{6, false}, {7, false}, {8, true}, {5, false}, {9, true}, {0, false},
		} {
			hold(step.leased)
			lease := leakyDownload(t, p)
			named := false
			for _, h := range p.Holders() {
				named = named || strings.Contains(h.Stack, "leakyDownload")
			}
			require.Equal(t, step.named, named, "step %d: %d leased", i, step.leased)
			lease.Release()
		}
		hold(0)
	})
}

func TestHoldersAreGroupedByCallSiteLongestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // one borrower, who sleeps in between
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.LeakStacks = StacksAlways })
		var leases []Lease[*fakeConn]
		upload := func() Lease[*fakeConn] { lease, _ := p.Acquire(t.Context()); return lease }
		download := func() Lease[*fakeConn] { lease, _ := p.Acquire(t.Context()); return lease }
		leases = append(leases, download())
		time.Sleep(time.Second)
		for range 3 {
			leases = append(leases, upload())
			time.Sleep(time.Second)
		}
		leases = append(leases, download())

		holders := p.Holders()
		require.Len(t, holders, 2)
		require.Equal(t, 2, holders[0].Count)
		require.Equal(t, 4*time.Second, holders[0].Held)
		require.Equal(t, 3, holders[1].Count)
		require.Equal(t, 3*time.Second, holders[1].Held)
		require.NotEqual(t, holders[0].Caller, holders[1].Caller)
		require.Regexp(t, `^2 leases, longest held 4s by connpool\.TestHoldersAre.+ \(leak_test\.go:\d+\)$`, holders[0].String())

		leases[0].Release()
		require.Equal(t, 3, p.Holders()[0].Count, "the order follows")
		release(leases[1:]...)
		require.Empty(t, p.Holders())
	})
}

func TestHolderAndLeakTexts(t *testing.T) {
	h := Holder{Caller: "main.handleUpload (upload.go:88)", Count: 1, Held: 45 * time.Second}
	require.Equal(t, "1 lease held 45s by main.handleUpload (upload.go:88)", h.String())
	require.Equal(t, "3 leases, longest held 2s by a caller whose stack was not captured", Holder{Count: 3, Held: 2 * time.Second}.String())
	require.Equal(t, `connpool "orders": suspected leak 7: held 45s by main.handleUpload (upload.go:88)`, Leak{Pool: "orders", ID: 7, Holder: h}.String())
	require.Equal(t, `connpool "orders": lost lease 7: held 45s by main.handleUpload (upload.go:88)`, Leak{Pool: "orders", ID: 7, Holder: h, Lost: true}.String())
}

// OnLeak and the logger

func TestFault41_AnOnLeakThatPanicsIsHarmless(t *testing.T) {
	for how, end := range map[string]func(){"panics": func() { panic("on leak") }, "exits": runtime.Goexit} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // the holder sleeps
				p, _ := newPool(t, func(c *Config[*fakeConn]) { c.OnLeak = func(Leak) { end() } })
				leases := acquireN(t, p, 3)
				time.Sleep(time.Hour)
				s := p.Stats()
				require.EqualValues(t, 3, s.Panics)
				require.EqualValues(t, 3, s.Leaks)
				release(leases...)
			})
		})
	}
}

func TestFault41_AnOnLeakThatHangsIsHarmless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the hung callbacks end when the test says so
		hang := make(chan struct{})
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.MaxSize, c.OnLeak, c.LeakThreshold = 2, func(Leak) { <-hang }, time.Minute
		})
		for i := range 5 {
			leases := acquireN(t, p, 2)
			time.Sleep(2 * time.Minute)
			require.EqualValues(t, 2*(i+1), p.Stats().Leaks)
			release(leases...)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, 1, p.Stats().Abandoned, "the others are told after it")
		acquire(t, p).Discard(nil) // dialling goes on
		acquire(t, p).Release()
		close(hang)
		synctest.Wait()
		require.Zero(t, p.Stats().Abandoned)
	})
}

func TestShutdownDoesNotWaitForAHungOnLeak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the hung callback ends when the test says so
		hang := make(chan struct{})
		p, _ := newPool(t, func(c *Config[*fakeConn]) { c.OnLeak = func(Leak) { <-hang } })
		lease := acquire(t, p)
		time.Sleep(time.Hour)
		lease.Release()
		require.NoError(t, p.Shutdown(within(t, 10*time.Second)))
		close(hang)
	})
}

// handler is a slog.Handler that does something with each record.
type handler func()

func (h handler) Enabled(context.Context, slog.Level) bool  { return true }
func (h handler) Handle(context.Context, slog.Record) error { h(); return nil }
func (h handler) WithAttrs([]slog.Attr) slog.Handler        { return h }
func (h handler) WithGroup(string) slog.Handler             { return h }

// TestALoggerThatHangsHoldsUpNobody: the log line hangs; sweeps and borrowers go
// on.
func TestALoggerThatHangsHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		var reports leaks
		p, _ := newPool(t, func(c *Config[*fakeConn]) {
			c.Logger, c.OnLeak = slog.New(handler(func() { <-hang })), reports.note
		})
		leases := acquireN(t, p, 3)
		time.Sleep(time.Hour)
		require.Len(t, reports.seen(), 3)
		release(leases...)
		release(acquireN(t, p, 3)...)
		close(hang)
	})
}

func TestFault42_OnLeakMayCallThePool(t *testing.T) {
	for what, do := range map[string]func(p *Pool[*fakeConn]){
		"Stats":   func(p *Pool[*fakeConn]) { p.Stats() },
		"Holders": func(p *Pool[*fakeConn]) { p.Holders() },
		"Acquire": func(p *Pool[*fakeConn]) {
			lease, _ := p.Acquire(context.Background())
			lease.Release()
		},
		"Close": func(p *Pool[*fakeConn]) { p.Close() },
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // the holder sleeps
				var done atomic.Bool
				var pool atomic.Pointer[Pool[*fakeConn]]
				p, _ := newPool(t, func(c *Config[*fakeConn]) {
					c.MaxSize, c.OnLeak = 2, func(Leak) { do(pool.Load()); done.Store(true) }
				})
				pool.Store(p)
				lease := acquire(t, p)
				time.Sleep(time.Hour)
				require.True(t, done.Load())
				lease.Release()
			})
		})
	}
}

// Lost leases. These wait for the garbage collector, so they run in real time.

// lose drops a lease, and the stack that still knows it.
//
//go:noinline
func lose(t *testing.T, p *Pool[*fakeConn]) { leakyUpload(t, p) }

// collectUntil collects garbage until something has happened.
func collectUntil(t *testing.T, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !happened(); {
		require.True(t, time.Now().Before(deadline), "the lost lease was not found")
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
}

func TestFault41_ALostLeaseIsReportedAndItsConnectionClosed(t *testing.T) {
	var reports leaks
	var book logbook
	var tp tape
	p, f := newPool(t, func(c *Config[*fakeConn]) {
		c.Name, c.MaxSize, c.ReclaimLost, c.LeakStacks = "orders", 1, true, StacksAlways
		c.OnLeak, c.Logger, c.Trace = reports.note, book.logger(), traced(tp.record)
	})
	lose(t, p)
	collectUntil(t, func() bool { return len(reports.seen()) > 0 && f.closes.Load() > 0 })
	leak := reports.seen()[0]
	require.True(t, leak.Lost)
	require.Equal(t, "orders", leak.Pool)
	require.Contains(t, leak.Stack, "connpool.leakyUpload")
	require.NotZero(t, leak.ID)

	acquire(t, p).Release() // the one slot is free
	s := p.Stats()
	require.EqualValues(t, 1, s.Leaks)
	require.EqualValues(t, 1, s.Closes[ClosedLost])
	require.Zero(t, s.StaleReleases)
	require.EqualValues(t, 2, s.Acquires)
	require.Len(t, reports.seen(), 1)
	require.Zero(t, inProfile(t, "connpool.leakyUpload"))
	require.NoError(t, p.Shutdown(within(t, 10*time.Second)))
	require.Len(t, book.lines("a lease was lost"), 1)
	require.Equal(t, leak, tp.only(t, "Leaked"))
	require.Len(t, tp.of("Acquired"), 2)
	require.Len(t, tp.of("Released"), 2, "a lost lease has ended too")
}

func TestFault41_ALostLeaseServesWhoWaits(t *testing.T) {
	p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.ReclaimLost = 1, true })
	lose(t, p)
	served := make(chan struct{})
	go func() {
		defer close(served)
		lease, err := p.Acquire(t.Context())
		if err != nil {
			t.Error(err)
		}
		lease.Release()
	}()
	collectUntil(t, func() bool {
		select {
		case <-served:
			return true
		default:
			return false
		}
	})
}

func TestALostLeaseThatWasSuspectedKeepsItsNumber(t *testing.T) {
	var reports leaks
	p, _ := newPool(t, func(c *Config[*fakeConn]) {
		c.MaxSize, c.ReclaimLost, c.LeakThreshold, c.OnLeak = 1, true, 10*time.Millisecond, reports.note
	})
	func() {
		lease := leakyUpload(t, p)
		for len(reports.seen()) == 0 {
			time.Sleep(time.Millisecond)
		}
		runtime.KeepAlive(lease)
	}()
	collectUntil(t, func() bool { return len(reports.seen()) > 1 })
	seen := reports.seen()
	require.False(t, seen[0].Lost)
	require.True(t, seen[1].Lost)
	require.Equal(t, seen[0].ID, seen[1].ID)
}

func TestALeaseIsNotLostWhileACopyLives(t *testing.T) {
	p, _ := newPool(t, func(c *Config[*fakeConn]) { c.ReclaimLost = true })
	lease := leakyUpload(t, p)
	kept := lease
	lease = Lease[*fakeConn]{}
	for range 10 {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	require.Equal(t, 1, p.Stats().InUse)
	kept.Release()
	require.Zero(t, p.Stats().StaleReleases)
	_ = lease
}

func TestWithoutReclaimLostALostLeaseIsOnlySuspected(t *testing.T) {
	var reports leaks
	p, f := newPool(t, func(c *Config[*fakeConn]) {
		c.MaxSize, c.LeakThreshold, c.OnLeak, c.LeakStacks = 2, 10*time.Millisecond, reports.note, StacksAlways
	})
	lose(t, p)
	collectUntil(t, func() bool { return len(reports.seen()) > 0 })
	for range 5 {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	require.False(t, reports.seen()[0].Lost)
	require.Equal(t, 1, p.Stats().InUse)

	// Nobody can end it but the pool's own clean-up.
	s := p.seats.at(0)
	Lease[*fakeConn]{seat: s, word: s.word.Load().Lease()}.Release()
	require.Equal(t, 1, len(f.made()))
}

func TestALeaseLostInAClosedPoolLetsShutdownEnd(t *testing.T) {
	p, _ := newPool(t, func(c *Config[*fakeConn]) { c.ReclaimLost = true })
	lose(t, p)
	require.NoError(t, p.Close())
	done := make(chan error, 1)
	go func() { done <- p.Shutdown(within(t, 20*time.Second)) }()
	collectUntil(t, func() bool { return len(done) > 0 })
	require.NoError(t, <-done)
}

// TestALateCleanUpIsNoStaleRelease runs the clean-up by hand: the collector's
// comes when it likes.
func TestALateCleanUpIsNoStaleRelease(t *testing.T) {
	var reports leaks
	p, f := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.ReclaimLost, c.OnLeak = 1, true, reports.note })
	lease := acquire(t, p)
	lease.Release()
	lease.reclaim()
	next := acquire(t, p)
	lease.reclaim()
	next.Conn().claim()
	next.Conn().release()
	next.Release()
	require.Zero(t, p.Stats().StaleReleases)
	require.Zero(t, p.Stats().Leaks)
	require.Empty(t, reports.seen())
	require.Zero(t, f.closes.Load())
}

func TestSeam14_AReleaseAndACleanUpAtOnceEndALeaseOnce(t *testing.T) {
	p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.ReclaimLost = 2, true })
	const rounds = 2000
	for range rounds {
		lease := acquire(t, p)
		var wg sync.WaitGroup
		wg.Go(lease.Release)
		wg.Go(lease.reclaim)
		wg.Wait()
	}
	s := p.Stats()
	require.Zero(t, s.InUse)
	require.Equal(t, s.Leaks, s.Closes[ClosedLost], "those that the clean-up ended")
	require.Equal(t, s.Leaks, s.StaleReleases, "for each of them the release was stale")
}

// The profile

// inProfile returns how many captured leases the process's profile lists whose
// stack contains the function.
func inProfile(t *testing.T, function string) (n int) {
	t.Helper()
	profile := pprof.Lookup("connpool")
	if profile == nil {
		return 0
	}
	var buf bytes.Buffer
	require.NoError(t, profile.WriteTo(&buf, 1))
	for block := range strings.SplitSeq(buf.String(), "\n\n") {
		if !strings.Contains(block, function+"+") {
			continue
		}
		for line := range strings.Lines(block) { // "2 @ 0x47 0x48"
			var count int
			if _, err := fmt.Sscanf(line, "%d @ 0x", &count); err == nil {
				n += count
			}
		}
	}
	return n
}

//go:noinline
func profiledSite(t *testing.T, p *Pool[*fakeConn]) Lease[*fakeConn] { return leakyUpload(t, p) }

func TestTheProfileListsHeldLeasesAndNoOthers(t *testing.T) {
	const site = "connpool.profiledSite"
	for name, end := range map[string]func(f *factory, l Lease[*fakeConn]){
		"Release":    func(_ *factory, l Lease[*fakeConn]) { l.Release() },
		"ReleaseErr": func(_ *factory, l Lease[*fakeConn]) { l.ReleaseErr(ErrBadConn) },
		"Discard":    func(_ *factory, l Lease[*fakeConn]) { l.Discard(nil) },
		"Hijack":     func(f *factory, l Lease[*fakeConn]) { f.close(context.Background(), l.Hijack()) },
		"reclaim":    func(_ *factory, l Lease[*fakeConn]) { l.reclaim() },
	} {
		t.Run(name, func(t *testing.T) {
			p, f := newPool(t, func(c *Config[*fakeConn]) { c.LeakStacks = StacksAlways })
			require.Zero(t, inProfile(t, site))
			first := profiledSite(t, p)
			require.Equal(t, 1, inProfile(t, site))
			second := profiledSite(t, p)
			require.Equal(t, 2, inProfile(t, site))
			end(f, first)
			require.Equal(t, 1, inProfile(t, site))
			first.Release() // stale
			require.Equal(t, 1, inProfile(t, site))
			end(f, second)
			require.Zero(t, inProfile(t, site))
		})
	}
}

//go:noinline
func profiledIdleSite(p *Pool[*fakeConn]) []Lease[*fakeConn] { return p.AcquireIdle() }

func TestTheProfileListsEachLeaseOfAcquireIdle(t *testing.T) {
	const site = "connpool.profiledIdleSite"
	p, _ := newPool(t, func(c *Config[*fakeConn]) { c.LeakStacks = StacksAlways })
	release(acquireN(t, p, 3)...)
	leases := profiledIdleSite(p)
	require.Len(t, leases, 3)
	require.Equal(t, 3, inProfile(t, site))
	require.Equal(t, 3, p.Holders()[0].Count)
	leases[0].Release()
	require.Equal(t, 2, inProfile(t, site))
	release(leases[1:]...)
	require.Zero(t, inProfile(t, site))
}

func TestTheProfileDoesNotListWhoGotNothing(t *testing.T) {
	const site = "connpool.profiledSite"
	p, _ := newPool(t, func(c *Config[*fakeConn]) {
		c.LeakStacks = StacksAlways
		c.Prepare = func(context.Context, *fakeConn) error { panic("prepare") }
	})
	require.Panics(t, func() { profiledSite(t, p) })
	require.Zero(t, inProfile(t, site))
}

func TestTheProfileDoesNotListWhatWasNotCaptured(t *testing.T) {
	p, _ := newPool(t, func(c *Config[*fakeConn]) { c.LeakStacks = StacksNever })
	lease := profiledSite(t, p)
	require.Zero(t, inProfile(t, "connpool.profiledSite"))
	lease.Release()
}

func TestNoHolderHasHeldForLessThanNothing(t *testing.T) {
	p, _ := newPool(t, func(c *Config[*fakeConn]) { c.MaxSize, c.LeakStacks = 300, StacksAlways })
	release(acquireN(t, p, 300)...)
	var over atomic.Bool
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for !over.Load() {
				acquire(t, p).Release()
			}
		})
	}
	for range 500 {
		for _, h := range p.Holders() {
			require.GreaterOrEqual(t, h.Held, time.Duration(0), h.String())
		}
	}
	over.Store(true)
	group.Wait()
}
