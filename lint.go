package connpool

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Advice is one finding of Lint.
type Advice struct {
	Field   string // of Config
	Problem string // what will go wrong
	Fix     string // what to do about it
}

// Lint reports what is probably not meant: settings that New refuses, and
// settings that it takes but that have let services down. What may be open is
// compared with what files the process may have open (RLIMIT_NOFILE). New does
// not lint. A Config with Connect, Close, Check and the defaults draws no advice.
//
// Advice is a rule of thumb, not a verdict: a pool may have its reasons for
// every one of these settings. A test is a good place to call Lint; at start-up,
// log what it finds and go on.
func (c Config[T]) Lint() []Advice {
	faults := faultsOf(c.validate())
	faulty := func(field string) bool {
		return slices.ContainsFunc(faults, func(a Advice) bool { return a.Field == field })
	}
	advice := slices.Clone(faults)
	c.fillCounts()
	c.fillDurations()
	c.fillCallbacks()
	for _, r := range append(c.rules(), c.fileRule(fileLimit())) {
		if r.broken && !faulty(r.Field) {
			advice = append(advice, r.Advice)
		}
	}
	return advice
}

// faultsOf takes the error of validate apart. Each of its faults begins with the
// field and says after a colon what to do.
func faultsOf(err error) (advice []Advice) {
	joined, ok := errors.Unwrap(err).(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	for _, fault := range joined.Unwrap() {
		problem, fix, _ := strings.Cut(fault.Error(), ": ")
		field, _, _ := strings.Cut(problem, " ")
		advice = append(advice, Advice{field, problem, fix})
	}
	return advice
}

// rule is one line of the table: what is said of a field, and whether it holds
// for this configuration.
type rule struct {
	broken bool
	Advice
}

func when(broken bool, field, problem, fix string) rule {
	return rule{broken, Advice{field, problem, fix}}
}

// The limits of the rules, with their reasons.
const (
	// What lies between a pool and its server forgets a connection that has been
	// silent for long, often without a word to either end: Azure's load balancer
	// after 4 minutes by default, AWS's after 350 s. An idle connection that is
	// checked more often than that is not silent.
	silenceLimit = 4 * time.Minute

	// A connection outlives fail-overs, DNS changes and revoked passwords; an hour
	// is as long as most operators want to wait for these to take effect.
	longLife = time.Hour
	// Below this a pool is mostly dialling: dials cost tens of milliseconds, and a
	// server pays more for them than for a query.
	shortLife = 30 * time.Second

	// Who has waited a minute for a connection has usually gone, and the work is
	// done for nobody.
	longWait = time.Minute

	// Connections that were opened together close together. From about here up a
	// server notices.
	cliff = 10

	// Databases get slower, not faster, when more connections are busy than they
	// have cores and disks to work with: see CoresSize.
	manyConns = 300

	// The pause between dials to a dead server: too short floods it just when it
	// comes back, too long keeps callers waiting for a server that is up.
	shortBackoff = 10 * time.Millisecond
	longBackoff  = time.Minute

	// Idleness shorter than this is the ordinary gap between two leases.
	shortIdle = 10 * time.Millisecond
	// A shorter window holds too few leases to decide by.
	shortWindow = time.Second
)

// rules is the table, in the order of Config's fields. Defaults have been filled
// in, and what is off is off.
func (c *Config[T]) rules() []rule {
	return slices.Concat(
		c.callbackRules(), c.countRules(), c.timeoutRules(), c.ageRules(),
		c.outageRules(), c.leakRules(), c.sizerRules(),
	)
}

func (c *Config[T]) callbackRules() []rule {
	return []rule{
		when(c.Close == nil, "Close",
			fmt.Sprintf("%v has no Close method, so connections are dropped and never closed", reflect.TypeFor[T]()),
			"set Close, to a function that does nothing if there is nothing to close"),
		when(c.Check == nil && c.Alive == nil, "Check",
			"without Check and Alive, a connection that has died is found by the next user's work",
			"set Check to a cheap round trip, or Alive to a look at the connection"),
	}
}

func (c *Config[T]) countRules() []rule {
	return []rule{
		when(c.MaxSize > manyConns && c.Check != nil, "MaxSize",
			fmt.Sprintf("a server asked for %d connections at once usually does less work than with some dozens", c.MaxSize),
			"ask Recommend, or measure; callers may wait a little instead"),
		when(c.keepsFew(), "MaxIdle",
			fmt.Sprintf("only %d of up to %d connections are kept, so every burst dials again", max(c.MaxIdle, 0), c.MaxSize),
			"raise MaxIdle and let IdleTimeout close what is not needed"),
		when(c.MaxWaiting == 0 && c.AcquireTimeout < 0, "MaxWaiting",
			"with AcquireTimeout off nothing bounds the queue: callers without deadlines gather until memory ends",
			"set MaxWaiting or AcquireTimeout"),
		when(c.Budget != nil && c.Budget.units < max(c.MinSize, c.MinIdle), "Budget",
			fmt.Sprintf("its units are fewer than the %d connections that MinSize and MinIdle ask for", max(c.MinSize, c.MinIdle)),
			"raise the Budget's units, or lower MinSize and MinIdle"),
	}
}

// keepsFew reports whether less than a quarter of a burst is kept for the next.
func (c *Config[T]) keepsFew() bool { return c.MaxIdle != 0 && 4*max(c.MaxIdle, 0) < c.MaxSize }

func (c *Config[T]) timeoutRules() []rule {
	return []rule{
		when(c.AcquireTimeout < 0, "AcquireTimeout",
			"it is off: an Acquire whose context has no deadline may wait for ever",
			"set it, as a cap on what the context allows"),
		when(c.AcquireTimeout > longWait, "AcquireTimeout",
			fmt.Sprintf("callers wait for up to %v, longer than most of their own callers do", c.AcquireTimeout),
			"set it below what your clients wait"),
		when(c.mayFailCold(), "AcquireTimeout",
			fmt.Sprintf("it is %v and a dial may take %v: the first callers may time out before a slow dial is done (which serves later ones)", c.AcquireTimeout, c.ConnectTimeout),
			"call Warm at start-up with a MinSize of at least 1, or lower ConnectTimeout"),
		when(c.ConnectTimeout == off, "ConnectTimeout",
			"it is off: a dial that hangs keeps its slot for ever",
			"set it to what a dial takes at worst"),
		when(c.CheckTimeout == off && (c.Check != nil || c.Reset != nil), "CheckTimeout",
			"it is off: a Check or Reset that hangs keeps its slot for ever",
			"set it to what a round trip takes at worst"),
		when(c.CloseTimeout == off, "CloseTimeout",
			"it is off: a Close that hangs keeps its slot, and Shutdown, for ever",
			"set it to what a Close takes at worst"),
	}
}

// mayFailCold reports whether the first callers of a pool that has nothing open
// may see their time end before a dial that is still within its own.
func (c *Config[T]) mayFailCold() bool {
	return c.AcquireTimeout > 0 && c.AcquireTimeout < c.ConnectTimeout && c.MinSize == 0 && c.MinIdle == 0
}

func (c *Config[T]) ageRules() []rule {
	return []rule{
		when(c.Check != nil && c.Alive == nil && c.CheckAfterIdle == off, "CheckAfterIdle",
			"it is off: a connection that has died while idle is lent all the same",
			"set it to about a second, or set Alive"),
		when(c.CheckAfterIdle < shortIdle, "CheckAfterIdle",
			fmt.Sprintf("at %v nearly every acquire pays for a round trip", c.CheckAfterIdle),
			"raise it to about a second"),
		when(c.Check != nil && min(c.CheckInterval, c.IdleTimeout) > silenceLimit, "CheckInterval",
			fmt.Sprintf("an idle connection may be silent for over %v, and firewalls and load balancers cut such connections without a word", silenceLimit),
			"set CheckInterval, or IdleTimeout, to less than what lies between you and the server allows"),
		when(c.IdleTimeout != off && c.IdleTimeout >= c.MaxLifetime, "IdleTimeout",
			fmt.Sprintf("at %v it never comes: MaxLifetime %v is over before", c.IdleTimeout, c.MaxLifetime),
			"lower it, or turn it off to say so"),
		when(c.MaxLifetime == off, "MaxLifetime",
			"it is off: connections outlive fail-overs, moved addresses and revoked passwords",
			"set it to about half an hour"),
		when(c.MaxLifetime != off && c.MaxLifetime > longLife, "MaxLifetime",
			fmt.Sprintf("connections live for %v, and outlive fail-overs, moved addresses and revoked passwords", c.MaxLifetime),
			"lower it to about half an hour"),
		when(c.MaxLifetime < shortLife, "MaxLifetime",
			fmt.Sprintf("connections live for %v only, so the pool is mostly dialling", c.MaxLifetime),
			"raise it to minutes"),
		when(c.MaxLifetime != off && c.LifetimeJitter == 0 && max(c.MinSize, c.MinIdle) >= cliff, "LifetimeJitter",
			fmt.Sprintf("it is off: the %d connections that are opened together are also replaced together", max(c.MinSize, c.MinIdle)),
			"leave it at its default, a tenth of MaxLifetime"),
	}
}

func (c *Config[T]) outageRules() []rule {
	return []rule{
		when(c.BackoffMax < shortBackoff, "BackoffMax",
			fmt.Sprintf("a dead server is dialled every %v, and flooded when it comes back", c.BackoffMax),
			"raise it to about a second"),
		when(c.BackoffMax > longBackoff, "BackoffMax",
			fmt.Sprintf("callers may wait %v more for a server that has come back", c.BackoffMax),
			"lower it to a few seconds"),
		when(c.DownAfter != off && c.DownAfter > c.patience(), "DownAfter",
			fmt.Sprintf("callers time out after %v, before an outage counts as one after %v", c.patience(), c.DownAfter),
			"set DownAfter below AcquireTimeout"),
	}
}

// patience returns how long the pool lets callers wait whose contexts set no
// limit.
func (c *Config[T]) patience() time.Duration {
	switch {
	case c.AcquireTimeout < 0:
		return off
	case c.AcquireTimeout == 0:
		return defaultAcquireTimeout
	}
	return c.AcquireTimeout
}

func (c *Config[T]) leakRules() []rule {
	return []rule{
		when(c.LeakThreshold == off, "LeakThreshold",
			"it is off: a leaked lease is noticed when none is left",
			"set it to longer than any lease should last, and use KeepLong for those that are meant to"),
		when(c.LeakStacks == StacksNever, "LeakStacks",
			"stacks are never captured, so nobody can say who holds the connections",
			"use StacksOnPressure, which costs nothing while connections are plenty"),
		when(c.OnLeak != nil && c.LeakThreshold == off && !c.ReclaimLost, "OnLeak",
			"it is never called: LeakThreshold and ReclaimLost are off",
			"set one of them"),
	}
}

func (c *Config[T]) sizerRules() []rule {
	if c.Sizer == nil {
		return nil
	}
	return []rule{
		when(max(c.MinSize, 1) == c.MaxSize, "Sizer",
			fmt.Sprintf("it has nothing to decide: MinSize and MaxSize leave only %d", c.MaxSize),
			"lower MinSize, or leave Sizer out"),
		when(c.SizeInterval < shortWindow, "SizeInterval",
			fmt.Sprintf("a window of %v holds too few leases to decide by", c.SizeInterval),
			"raise it to some seconds"),
	}
}
