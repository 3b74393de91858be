package scenario

import "time"

// Sample is what there was at one time.
type Sample struct {
	At      time.Duration // since the callers came
	Open    int           // connections, those from before included
	InUse   int
	Waiting int // callers that are neither served nor being served
}

// afterLast goes on after the last change for so long that a chart shows what it
// has led to.
const afterLast = 10 * time.Millisecond

// samples reads the ledger at equal steps, until a little after the last change.
func (l *ledger) samples(every time.Duration) []Sample {
	l.mu.Lock()
	defer l.mu.Unlock()
	var samples []Sample
	entries := l.mu.entries
	now, next := entries[0], 1
	end := entries[len(entries)-1].at + max(afterLast, every)
	for at := time.Duration(0); at <= end; at += every {
		for next < len(entries) && entries[next].at <= at {
			now, next = entries[next], next+1
		}
		samples = append(samples, Sample{at, now.opened, now.inUse, l.callers - now.served - now.inUse})
	}
	return samples
}

// lastServed is when the last caller had been served.
func (l *ledger) lastServed() (at time.Duration, then counts) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.mu.entries {
		if e.served > then.served {
			at, then = e.at, e.counts
		}
	}
	return at, then
}
