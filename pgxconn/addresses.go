package pgxconn

import (
	"context"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// unansweredAfter is how long an address may take before other dials begin
	// elsewhere.
	unansweredAfter = time.Second
	// avoidedFor is how long an address that has failed is tried last.
	avoidedFor = time.Minute
	// mostNames bounds the names whose addresses are known: BeforeConnect may
	// bring a new one each time.
	mostNames = 100
)

// addresses is what is known of a server's addresses, so that one dial after the
// other does not begin at the same dead one.
type addresses struct {
	mu struct {
		sync.Mutex
		since map[string]time.Time // by address: without an answer since then
		found map[string][]string  // by name: what it led to last
	}
}

func newAddresses() *addresses {
	a := &addresses{}
	a.mu.since, a.mu.found = map[string]time.Time{}, map[string][]string{}
	return a
}

// tried notes that an address is dialled.
func (a *addresses) tried(address string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	for other, since := range a.mu.since {
		if now.Sub(since) >= avoidedFor {
			delete(a.mu.since, other)
		}
	}
	if _, known := a.mu.since[address]; !known {
		a.mu.since[address] = now
	}
}

// failed notes that a dial has given up an address.
func (a *addresses) failed(address string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.since[address] = time.Now().Add(-unansweredAfter)
}

// succeeded notes that a server has answered.
func (a *addresses) succeeded(address string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.mu.since, address)
}

func (a *addresses) deadLocked(address string) bool {
	since, known := a.mu.since[address]
	age := time.Since(since)
	return known && unansweredAfter <= age && age < avoidedFor
}

// addressOf returns the address that pgx makes of what a look-up returns, which may
// have a port.
func addressOf(found string, port uint16) string {
	if _, _, err := net.SplitHostPort(found); err == nil {
		return found
	}
	_, address := pgconn.NetworkAddress(found, port)
	return address
}

// hostDeadLocked reports whether none of a host's addresses answers.
func (a *addresses) hostDeadLocked(host *pgconn.FallbackConfig) bool {
	found, known := a.mu.found[host.Host]
	if !known { // a socket's path, or not looked up yet
		found = []string{host.Host}
	}
	for _, f := range found {
		if !a.deadLocked(addressOf(f, host.Port)) {
			return false
		}
	}
	return true
}

// deadLast sorts by whether all is known to be dead.
func deadLast[E any](of []E, dead func(E) bool) []E {
	alive := slices.DeleteFunc(slices.Clone(of), dead)
	return append(alive, slices.DeleteFunc(slices.Clone(of), func(e E) bool { return !dead(e) })...)
}

// attempt is one dial, through all its addresses.
type attempt struct {
	*addresses
	dial    pgconn.DialFunc
	lookup  pgconn.LookupFunc
	timeout time.Duration
	hosts   []*pgconn.FallbackConfig
	last    string      // the address that is being tried
	over    atomic.Bool // pgx dials for its cancel requests too
}

// attempt begins a dial with settings, which are its own: dead addresses are tried
// last, and what becomes of those that are tried is noted.
func (a *addresses) attempt(settings *pgx.ConnConfig) *attempt {
	t := &attempt{
		addresses: a, dial: settings.DialFunc, lookup: settings.LookupFunc,
		timeout: settings.ConnectTimeout,
	}
	first := &pgconn.FallbackConfig{
		Host: settings.Host, Port: settings.Port, TLSConfig: settings.TLSConfig,
	}
	a.mu.Lock()
	t.hosts = deadLast(append([]*pgconn.FallbackConfig{first}, settings.Fallbacks...), a.hostDeadLocked)
	a.mu.Unlock()
	first = t.hosts[0]
	settings.Host, settings.Port, settings.TLSConfig = first.Host, first.Port, first.TLSConfig
	settings.Fallbacks = t.hosts[1:]
	settings.DialFunc, settings.LookupFunc = t.dialNext, t.lookUp
	return t
}

// dialNext is a DialFunc. That pgx dials another address tells that the last one has
// failed, whatever it accepted before.
func (t *attempt) dialNext(ctx context.Context, network, address string) (net.Conn, error) {
	if t.over.Load() {
		return t.dial(ctx, network, address)
	}
	if t.last != "" && t.last != address {
		t.failed(t.last)
	}
	t.last = address
	t.tried(address)
	return t.dial(ctx, network, address)
}

// lookUp is a LookupFunc.
func (t *attempt) lookUp(ctx context.Context, name string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	found, err := t.lookup(ctx, name)
	if err != nil {
		return found, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.mu.found) >= mostNames {
		clear(t.mu.found)
	}
	t.mu.found[name] = slices.Clone(found)
	return deadLast(found, func(f string) bool {
		return slices.ContainsFunc(t.hosts, func(host *pgconn.FallbackConfig) bool {
			return host.Host == name && t.deadLocked(addressOf(f, host.Port))
		})
	}), nil
}

// end ends the attempt.
func (t *attempt) end(err error) {
	t.over.Store(true)
	switch {
	case t.last == "":
	case err == nil:
		t.succeeded(t.last)
	default:
		t.failed(t.last)
	}
}
