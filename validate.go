package connpool

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// validate reports everything that is wrong with the configuration at once.
// Each fault names the field, what it is, and what to do.
func (c *Config[T]) validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	if c.Connect == nil {
		fault("Connect is nil: set it to the function that opens a connection")
	}
	c.validateCounts(fault)
	c.validateDurations(fault)
	if c.LeakStacks < StacksOnPressure || c.LeakStacks > StacksSampled {
		fault("LeakStacks is %d: use StacksOnPressure, StacksAlways, StacksNever or StacksSampled", c.LeakStacks)
	}
	if c.Budget != nil && c.Budget.units == 0 {
		fault("Budget was not made by NewBudget: it has no units")
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("connpool: bad Config: %w", errors.Join(faults...))
}

func (c *Config[T]) validateCounts(fault func(string, ...any)) {
	for _, count := range []struct {
		field string
		value int
	}{
		{"MaxSize", c.MaxSize}, {"MinSize", c.MinSize}, {"MinIdle", c.MinIdle},
		{"MaxConnecting", c.MaxConnecting}, {"MaxWaiting", c.MaxWaiting}, {"MaxUses", c.MaxUses},
	} {
		if count.value < 0 {
			fault("%s is %d: use 0 for the default, or a positive number", count.field, count.value)
		}
	}
	maxSize := cmp.Or(c.MaxSize, defaultMaxSize)
	if maxSize < 0 {
		return // nothing to compare with
	}
	if maxSize > LargestMaxSize {
		fault("MaxSize is %d: use at most %d", maxSize, LargestMaxSize)
	}
	if c.MinSize > maxSize {
		fault("MinSize %d exceeds MaxSize %d: lower it or raise MaxSize", c.MinSize, maxSize)
	}
	if c.MinIdle > maxSize {
		fault("MinIdle %d exceeds MaxSize %d: lower it or raise MaxSize", c.MinIdle, maxSize)
	}
	if c.MaxIdle != 0 && c.MinIdle > max(c.MaxIdle, 0) {
		fault("MinIdle %d exceeds MaxIdle %d: lower it or raise MaxIdle", c.MinIdle, max(c.MaxIdle, 0))
	}
	if c.MaxIdle != 0 && c.MinSize > max(c.MaxIdle, 0) {
		fault("MinSize %d exceeds MaxIdle %d, so connections would be opened only to be closed: lower it or raise MaxIdle", c.MinSize, max(c.MaxIdle, 0))
	}
}

// minDuration is the shortest duration that New takes. No limit of a pool is shorter
// on purpose: its sweep is not run more often. What is shorter is a number whose
// unit was forgotten, and so counts nanoseconds: 1 ms tells it from one meant as
// seconds up to 11 days, and from one meant as milliseconds up to 16 minutes.
const minDuration = time.Millisecond

func (c *Config[T]) validateDurations(fault func(string, ...any)) {
	for _, d := range []struct {
		field    string
		value    time.Duration
		cannotBe bool // off
	}{
		{"AcquireTimeout", c.AcquireTimeout, false}, {"ConnectTimeout", c.ConnectTimeout, false},
		{"CheckTimeout", c.CheckTimeout, false}, {"CloseTimeout", c.CloseTimeout, false},
		{"CheckAfterIdle", c.CheckAfterIdle, false}, {"CheckInterval", c.CheckInterval, false},
		{"IdleTimeout", c.IdleTimeout, false}, {"MaxLifetime", c.MaxLifetime, false},
		{"LifetimeJitter", c.LifetimeJitter, false}, {"DownAfter", c.DownAfter, false},
		{"LeakThreshold", c.LeakThreshold, false},
		{"BackoffMin", c.BackoffMin, true}, {"BackoffMax", c.BackoffMax, true},
		{"SizeInterval", c.SizeInterval, true},
	} {
		switch {
		case d.value < 0 && d.cannotBe:
			fault("%s is %v: it cannot be off; use 0 for the default, or a positive duration", d.field, d.value)
		case d.value > 0 && d.value < minDuration:
			fault("%s is %v: a number without a unit counts nanoseconds; write %d * time.Second "+
				"if it was seconds, and at least %v", d.field, d.value, d.value, minDuration)
		}
	}
	if c.BackoffMax > 0 && c.BackoffMin > c.BackoffMax {
		fault("BackoffMin %v exceeds BackoffMax %v: lower it or raise BackoffMax", c.BackoffMin, c.BackoffMax)
	}
	lifetime := c.MaxLifetime
	if lifetime == 0 {
		lifetime = defaultMaxLifetime
	}
	if lifetime > 0 && c.LifetimeJitter >= lifetime {
		fault("LifetimeJitter %v is not shorter than MaxLifetime %v: a connection could be too old when it is born", c.LifetimeJitter, lifetime)
	}
}
