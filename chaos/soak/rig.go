package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/connpool/connpool"
)

type (
	config = connpool.Config[*conn]
	lease  = connpool.Lease[*conn]
)

// rig is a pool under test with its source and what its users know of it.
type rig struct {
	name   string
	cfg    config
	pool   *connpool.Pool[*conn]
	source *source

	inline bool          // its inline callbacks panic and call Goexit
	shared *atomic.Int64 // leases of all pools of its Budget; nil: no Budget
	units  int           // of the Budget

	retired                  atomic.Uint64 // the generation that the last Retire has left
	leased                   atomic.Int64
	acquired, hijacks, stale atomic.Uint64

	// When the pool was last seen to lend, or to have nobody waiting beside an idle
	// connection; the watch's own.
	stuck struct {
		since    time.Time
		acquires uint64
	}
}

// books says in a line what the users and the source have counted.
func (r *rig) books() string {
	s := r.source
	return fmt.Sprintf("counted: %d acquired, %d hijacked, %d stale; %d dials, %d opened, %d closed, %d slots, %d leased",
		r.acquired.Load(), r.hijacks.Load(), r.stale.Load(),
		s.dials.Load(), s.opened.Load(), s.closed.Load(), s.slots.Load(), r.leased.Load())
}

// state is what the pool says of itself, without the histograms, and what we do.
func (r *rig) state() string {
	stats := r.pool.Stats()
	stats.WaitTime, stats.ConnectTime = connpool.Histogram{}, connpool.Histogram{}
	return fmt.Sprintf("%+v; %s", stats, r.books())
}

// begin counts a lease, which must be one of no more than allowed.
func (r *rig) begin() {
	if n := r.leased.Add(1); n > r.source.ceiling.Load() {
		r.source.verdict.broken("%s: %d leases at once, where %d are allowed", r.name, n, r.source.ceiling.Load())
	}
	if r.shared != nil {
		if n := r.shared.Add(1); n > int64(r.units) {
			r.source.verdict.broken("%s: %d leases at once from the pools of a Budget of %d", r.name, n, r.units)
		}
	}
}

// end is called before the lease ends.
func (r *rig) end() {
	r.leased.Add(-1)
	if r.shared != nil {
		r.shared.Add(-1)
	}
}

// raise allows more connections, before the pool does.
func (r *rig) raise(size int) {
	for now := r.source.ceiling.Load(); now < int64(size) && !r.source.ceiling.CompareAndSwap(now, int64(size)); now = r.source.ceiling.Load() {
	}
}

// retire retires the pool, and then has its users expect newer connections.
func (r *rig) retire() {
	generation := r.source.generation.Add(1)
	r.pool.Retire()
	r.retired.Store(generation)
}

// kit is how a rig differs from the plainest.
type kit struct {
	name   string
	size   int
	tcp    bool
	hangs  bool // its callbacks overstay their time
	inline bool
	edit   func(*config, *source)
}

// newRig returns a rig with a pool of its own.
func (k kit) newRig(v *verdict, seed uint64, echo string) (*rig, error) {
	s := &source{name: k.name, verdict: v, dice: sharedDice{seed: seed}, strict: !k.hangs}
	s.rates.Store(calm)
	s.ceiling.Store(int64(k.size))
	if k.tcp {
		s.addr = echo
	}
	r := &rig{name: k.name, source: s, inline: k.inline}
	r.cfg = config{
		Name: k.name, MaxSize: k.size, Connect: s.connect, Close: s.close,
		BackoffMin: time.Millisecond, BackoffMax: 5 * time.Millisecond, DownAfter: -1,
		Logger: slog.New(slog.DiscardHandler),
	}
	if k.hangs {
		r.cfg.ConnectTimeout, r.cfg.CheckTimeout, r.cfg.CloseTimeout = short, short, short
	}
	if k.edit != nil {
		k.edit(&r.cfg, s)
	}
	var err error
	r.pool, err = connpool.New(r.cfg)
	return r, err
}

// kits are the pools that share the load.
func kits() []kit {
	return []kit{
		{name: "plain", size: 16},
		{name: "without stacks", size: 16, edit: func(c *config, _ *source) { c.LeakStacks = connpool.StacksNever }},
		{name: "single", size: 1, edit: func(c *config, _ *source) { c.LeakStacks = connpool.StacksNever }},
		{name: "short queue", size: 3, edit: func(c *config, _ *source) { c.MaxWaiting = 20 }},
		{name: "large", size: 300, edit: func(c *config, _ *source) { c.MaxConnecting = 64 }},
		{name: "capped waits", size: 4, edit: func(c *config, _ *source) { c.AcquireTimeout = 20 * time.Millisecond }},
		{name: "checked", size: 8, hangs: true, edit: checked},
		{name: "hooked", size: 12, hangs: true, edit: hooked},
		{name: "panicking", size: 12, hangs: true, inline: true, edit: hooked},
		{name: "few idle", size: 12, edit: func(c *config, s *source) {
			c.MinSize, c.MinIdle, c.MaxIdle, c.IdleTimeout = 2, 2, 6, 50*time.Millisecond
		}},
		{name: "none idle", size: 6, edit: func(c *config, _ *source) { c.MaxIdle = -1 }},
		{name: "sockets", size: 24, tcp: true, edit: func(c *config, s *source) { c.Check, c.CheckAfterIdle = s.check, 5*time.Millisecond }},
		{name: "sized sockets", size: 16, tcp: true, hangs: true, edit: sized},
		{name: "losing", size: 8, edit: func(c *config, _ *source) { c.ReclaimLost = true }},
		{name: "everything", size: 20, tcp: true, hangs: true, inline: true, edit: everything},
	}
}

// checked has a Check that is asked all the time.
func checked(c *config, s *source) {
	c.Check, c.CheckAfterIdle, c.CheckInterval = s.check, time.Millisecond, 10*time.Millisecond
	c.IdleTimeout, c.MaxLifetime = 40*time.Millisecond, 200*time.Millisecond
	c.DownAfter = 100 * time.Millisecond
}

// hooked has every callback that there is.
func hooked(c *config, s *source) {
	checked(c, s)
	c.Alive, c.Clean, c.Prepare, c.Reset, c.IsBad = s.alive, s.clean, s.prepare, s.check, s.isBad
	c.LeakThreshold, c.LeakStacks, c.OnLeak = 10*time.Millisecond, connpool.StacksAlways, func(connpool.Leak) {}
	c.Trace = &connpool.Trace{
		Connecting:   func(context.Context, connpool.ConnectingInfo) {},
		Connected:    func(context.Context, connpool.ConnectedInfo) {},
		Waited:       func(context.Context, connpool.WaitedInfo) {},
		Acquired:     func(context.Context, connpool.AcquiredInfo) {},
		Released:     func(context.Context, connpool.ReleasedInfo) {},
		Closed:       func(connpool.ClosedInfo) {},
		Leaked:       func(connpool.Leak) {},
		LeakReturned: func(connpool.Leak) {},
		Outage:       func(connpool.OutageInfo) {},
		Resized:      func(connpool.SizeDecision) {},
	}
}

func sized(c *config, s *source) {
	c.Check, c.CheckAfterIdle = s.check, 5*time.Millisecond
	c.Sizer, c.SizeInterval = connpool.UtilizationSizer{}, 20*time.Millisecond
}

func everything(c *config, s *source) {
	hooked(c, s)
	sized(c, s)
	c.MinSize, c.MinIdle, c.MaxIdle, c.ReclaimLost = 1, 1, 15, true
}

// budgetUnits are fewer than the pools of the Budget would have.
const budgetUnits = 12

// newRigs returns all rigs, those of a Budget last.
func newRigs(v *verdict, seed uint64, echo string) ([]*rig, error) {
	var rigs []*rig
	all := kits()
	budget := connpool.NewBudget(budgetUnits)
	share := func(c *config, _ *source) { c.Budget = budget }
	all = append(all, kit{name: "first of a budget", size: 10, edit: share}, kit{name: "second of a budget", size: 8, edit: share})
	var shared atomic.Int64
	for i, k := range all {
		r, err := k.newRig(v, mix(seed+uint64(i)), echo)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k.name, err)
		}
		if r.cfg.Budget != nil {
			r.shared, r.units = &shared, budgetUnits
		}
		rigs = append(rigs, r)
	}
	return rigs, nil
}
