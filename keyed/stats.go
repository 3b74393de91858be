package keyed

import (
	"iter"
	"math"
	"slices"

	"github.com/connpool/connpool"
)

// Stats is a snapshot of all keys together: their pools' gauges and counters
// added up, those of removed keys included, so that counters only grow. MaxSize
// and Limit are MaxTotal, MaxIdle too; MinSize and MinIdle are sums; OldestWait
// OldestLease and OldestClose are the oldest of all; Paused is always false.
//
// The pools are looked at one after the other. A connection that is closed with
// one key and opened with another meanwhile may be seen twice or not at all.
type Stats struct {
	connpool.Stats
	Keys    int    // that have a pool
	Removed uint64 // keys whose pool has been removed
}

// Stats returns a snapshot of all keys together. It takes a microsecond or two
// a key.
func (p *Pool[K, T]) Stats() Stats {
	p.mu.Lock()
	sum := p.mu.departed
	sum.Removed += uint64(len(p.mu.leaving))
	sum.Closes, sum.WaitTime, sum.ConnectTime = nil, connpool.Histogram{}, connpool.Histogram{}
	sum.addHistory(p.mu.departed.Stats)
	pools := slices.Clone(p.mu.leaving)
	for _, e := range p.keys.all() {
		pools = append(pools, e.pool)
	}
	sum.Keys = p.keys.n
	p.mu.Unlock()

	sum.Pool, sum.MaxSize, sum.Limit, sum.MaxIdle = p.cfg.Name, p.cfg.MaxTotal, p.cfg.MaxTotal, p.cfg.MaxTotal
	for _, pool := range pools {
		s := pool.Stats()
		sum.addGauges(s)
		sum.addCounters(s)
	}
	return sum
}

// KeyStats returns the snapshot of a key's pool, and whether there is one.
func (p *Pool[K, T]) KeyStats(key K) (connpool.Stats, bool) {
	if e := p.keys.load(key); e != nil {
		return e.pool.Stats(), true
	}
	return connpool.Stats{}, false
}

// PerKey yields each key that has a pool, with a snapshot of that, in no order.
func (p *Pool[K, T]) PerKey() iter.Seq2[K, connpool.Stats] {
	return func(yield func(K, connpool.Stats) bool) {
		for key, e := range p.keys.all() {
			if !yield(key, e.pool.Stats()) {
				return
			}
		}
	}
}

func (sum *Stats) addGauges(s connpool.Stats) {
	sum.MinSize += s.MinSize
	sum.MinIdle += s.MinIdle
	sum.Size += s.Size
	sum.Idle += s.Idle
	sum.InUse += s.InUse
	sum.Connecting += s.Connecting
	sum.Checking += s.Checking
	sum.Resetting += s.Resetting
	sum.Closing += s.Closing
	sum.Abandoned += s.Abandoned
	sum.Waiting += s.Waiting
	sum.Wanted += s.Wanted
	sum.OldestWait = max(sum.OldestWait, s.OldestWait)
	sum.OldestLease = max(sum.OldestLease, s.OldestLease)
	sum.OldestClose = max(sum.OldestClose, s.OldestClose)
}

func (sum *Stats) addCounters(s connpool.Stats) {
	sum.Acquires += s.Acquires
	sum.Waits += s.Waits
	sum.Timeouts += s.Timeouts
	sum.Cancels += s.Cancels
	sum.QueueFull += s.QueueFull
	sum.Unreachable += s.Unreachable
	sum.Connects += s.Connects
	sum.ConnectErrors += s.ConnectErrors
	sum.Hijacks += s.Hijacks
	sum.Leaks += s.Leaks
	sum.StaleReleases += s.StaleReleases
	sum.Panics += s.Panics
	sum.EventsDropped += s.EventsDropped
	sum.addHistory(s)
}

// addHistory adds the counters that lie in maps and slices, into ones of its own.
func (sum *Stats) addHistory(s connpool.Stats) {
	if sum.Closes == nil {
		sum.Closes = make(map[connpool.CloseReason]uint64)
	}
	for reason, n := range s.Closes {
		sum.Closes[reason] += n
	}
	addHistogram(&sum.WaitTime, s.WaitTime)
	addHistogram(&sum.ConnectTime, s.ConnectTime)
}

// addHistogram adds up histograms, which all have the same bounds.
func addHistogram(sum *connpool.Histogram, h connpool.Histogram) {
	sum.Count += h.Count
	if sum.Sum += h.Sum; sum.Sum < 0 { // more than fits
		sum.Sum = math.MaxInt64
	}
	if sum.Bounds == nil {
		sum.Bounds, sum.Counts = h.Bounds, make([]uint64, len(h.Counts))
	}
	for i, n := range h.Counts {
		sum.Counts[i] += n
	}
}
