package work

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/connpool/connpool/bench/rival"
)

// The works in which callers are many, connections few, and each is held for a
// while: throughput, the length of waits, and who waits.

const (
	saturatedCallers = 64
	saturatedConns   = 4
)

// Keys of what the saturated works are measured for.
const (
	Throughput    = "throughput"
	P50           = "p50"
	P99           = "p99"
	P999          = "p99.9"
	Longest       = "longest"
	Uneven        = "uneven"
	Overtaken     = "overtaken"
	OvertakenLate = "overtaken late"
)

var saturatedMetrics = []Metric{
	{Throughput, "borrows/s", PerSecond},
	{P50, "wait p50", Duration},
	{P99, "p99", Duration},
	{P999, "p99.9", Duration},
	{Longest, "longest", Duration},
	{Uneven, "most / least", Ratio},
	{Overtaken, "overtaken, per 1,000", Count},
	{OvertakenLate, "by 5 ms or more, per 1,000", Count},
}

// late is the time by which a borrow is overtaken that counts as late.
const late = 5 * time.Millisecond

const saturatedHow = "64 callers in a closed loop on 4 connections, each held for %s. A wait is from just before the borrow until the " +
	"connection is there; the longest includes those that had not ended yet. Most / least compares the callers by how often " +
	"they were served. A borrow counts as overtaken if one that was asked for later got its connection earlier, by the two " +
	"clock readings of each. %s"

const (
	busyNoise = "That is not all the pool's doing: a caller can lose its processor between reading the clock and joining the queue, " +
		"or between being granted a connection and running with it, and where the processors are busy Go's scheduler may let it " +
		"wait for its time slice of 10 ms. So a strict queue, too, shows some here. The order of the queue is judged by the two " +
		"works beside this one, where the processors are free."
	freeNoise = "Here the processors are free, so that whoever is overtaken by 5 ms or more was overtaken in the pool."
)

func saturatedBusy() Work {
	return saturated("saturated/50us", "50 µs, busily", "50 µs, in which the CPU is busy", busyNoise, func() {
		for began := time.Now(); time.Since(began) < 50*time.Microsecond; {
		}
	})
}

func saturatedSleeping() Work {
	hold := func() { time.Sleep(time.Millisecond) }
	return saturated("saturated/1ms", "1 ms, asleep", "1 ms, in which the caller sleeps", freeNoise, hold)
}

func saturated(name, title, held, noise string, hold func()) Work {
	return Work{
		Name:    name,
		Title:   "Saturated: 64 callers on 4 connections, held " + title,
		How:     fmt.Sprintf(saturatedHow, held, noise),
		Metrics: saturatedMetrics,
		Rivals:  Bounded(),
		Run: func(e Effort, r rival.Rival) (Figures, error) {
			pool, err := r.New(rival.Setup{Max: saturatedConns})
			if err != nil {
				return nil, err
			}
			defer pool.Close()
			runtime.GC()
			return saturate(pool, 4*e.Sample, hold)
		},
	}
}

// Bounded returns the rivals that make callers wait.
func Bounded() []rival.Rival {
	return slices.DeleteFunc(rival.All(), func(r rival.Rival) bool { return !r.Bounded })
}

// service is one borrow: when it was asked for and when it was served, both since
// the start.
type service struct{ asked, served time.Duration }

func (s service) wait() time.Duration { return s.served - s.asked }

// saturate runs the callers for a while and tells of the borrows asked for in it,
// less the first eighth of the time.
func saturate(pool rival.Pool, sample time.Duration, hold func()) (Figures, error) {
	var (
		wg   sync.WaitGroup
		stop atomic.Bool
		fail atomic.Pointer[error]
		logs [saturatedCallers][]service
	)
	began := time.Now()
	for i := range saturatedCallers {
		wg.Go(func() {
			var log []service
			for !stop.Load() {
				s := service{asked: time.Since(began)}
				err := pool.Use(context.Background(), func() { s.served = time.Since(began); hold() })
				if err != nil {
					fail.Store(&err)
					return
				}
				log = append(log, s)
			}
			logs[i] = log
		})
	}
	time.Sleep(sample / 8)
	from := time.Since(began)
	time.Sleep(sample)
	until := time.Since(began)
	stop.Store(true)
	wg.Wait()
	if err := fail.Load(); err != nil {
		return nil, *err
	}
	return window{from, until}.describe(logs[:]), nil
}

// window is a span of time in which services are looked at.
type window struct{ from, until time.Duration }

func (w window) served(s service) bool { return s.served >= w.from && s.served < w.until }

// waiting reports whether a service had been asked for and was to come when the
// window ended. Those who starve are among them.
func (w window) waiting(s service) bool { return s.asked < w.until && s.served >= w.until }

// describe sums up what each caller was served.
func (w window) describe(logs [][]service) Figures {
	var services, pending []service
	var least, most int
	for i, log := range logs {
		before := len(services)
		for _, s := range log {
			switch {
			case w.served(s):
				services = append(services, s)
			case w.waiting(s):
				pending = append(pending, s)
			}
		}
		n := len(services) - before
		most = max(most, n)
		if least = min(least, n); i == 0 {
			least = n
		}
	}
	all := append(services[:len(services):len(services)], pending...)
	f := Figures{
		Throughput:    float64(len(services)) / (w.until - w.from).Seconds(),
		Uneven:        float64(most) / float64(max(least, 1)),
		Overtaken:     perThousand(overtaken(all, 0), len(all)),
		OvertakenLate: perThousand(overtaken(all, late), len(all)),
	}
	w.describeWaits(f, services, pending)
	return f
}

func (w window) describeWaits(f Figures, services, pending []service) {
	var waits []time.Duration
	for _, s := range services {
		waits = append(waits, s.wait())
	}
	slices.Sort(waits)
	f[P50], f[P99], f[P999], f[Longest] = quantile(waits, 0.5), quantile(waits, 0.99), quantile(waits, 0.999), quantile(waits, 1)
	for _, s := range pending {
		f[Longest] = max(f[Longest], float64(w.until-s.asked))
	}
}

func perThousand(n, of int) float64 { return 1000 * float64(n) / float64(max(of, 1)) }

// quantile returns a quantile of sorted durations.
func quantile(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[int(q*float64(len(sorted)-1))])
}

// overtaken counts the services that were overtaken: another one, asked for later
// by more than the given time, was served earlier.
func overtaken(all []service, by time.Duration) (n int) {
	byService := slices.SortedFunc(slices.Values(all), func(a, b service) int { return int(a.served - b.served) })
	var lastAsked time.Duration // of those served so far
	for _, s := range byService {
		if lastAsked-s.asked > by {
			n++
		}
		lastAsked = max(lastAsked, s.asked)
	}
	return n
}
