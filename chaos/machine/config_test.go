package machine

import (
	"log/slog"
	"time"

	"pgregory.net/rapid"

	"github.com/connpool/connpool"
)

// Durations are whole milliseconds, and so are the machine's own steps in time.
// What the world adds to its delays (see world.odd) is less, so that the machine
// never acts at the very instant at which something else happens by itself.

type config = connpool.Config[*conn]

// drawConfig draws a small pool with short limits: everything that can happen
// does within a few steps.
func drawConfig(t *rapid.T, w *world, name string) config {
	c := config{
		Name:           name,
		Connect:        w.connect,
		Close:          w.close,
		Logger:         slog.New(slog.DiscardHandler),
		MaxConnecting:  rapid.IntRange(1, 4).Draw(t, "MaxConnecting"),
		MaxWaiting:     rapid.SampledFrom([]int{0, 0, 1, 3}).Draw(t, "MaxWaiting"),
		AcquireTimeout: drawDuration(t, "AcquireTimeout", 0, -1, 400*time.Millisecond, 7*time.Second),
		ConnectTimeout: drawDuration(t, "ConnectTimeout", 50*time.Millisecond, time.Second),
		CheckTimeout:   drawDuration(t, "CheckTimeout", 30*time.Millisecond, 3*time.Second),
		CloseTimeout:   drawDuration(t, "CloseTimeout", 40*time.Millisecond, 700*time.Millisecond),
		CheckAfterIdle: drawDuration(t, "CheckAfterIdle", -1, 100*time.Millisecond, time.Second),
		CheckInterval:  drawDuration(t, "CheckInterval", -1, 2*time.Second, 9*time.Second),
		IdleTimeout:    drawDuration(t, "IdleTimeout", -1, 3*time.Second, 20*time.Second),
		MaxLifetime:    drawDuration(t, "MaxLifetime", -1, 5*time.Second, 5*time.Second, 30*time.Second),
		LifetimeJitter: drawDuration(t, "LifetimeJitter", -1, -1, time.Second),
		DownAfter:      drawDuration(t, "DownAfter", -1, 200*time.Millisecond, time.Second),
		LeakThreshold:  drawDuration(t, "LeakThreshold", -1, 4*time.Second),
		LeakStacks:     rapid.SampledFrom([]connpool.StackMode{connpool.StacksOnPressure, connpool.StacksAlways, connpool.StacksNever, connpool.StacksSampled}).Draw(t, "LeakStacks"),
		IsBad:          w.isBad,
	}
	drawSizes(t, &c)
	drawBackoff(t, &c)
	if c.CheckTimeout > time.Second && rapid.Bool().Draw(t, "distant") {
		w.trip = w.odd(drawDuration(t, "round trip", 60*time.Millisecond, 2500*time.Millisecond))
	}
	drawCallbacks(t, &c, w)
	return c
}

func drawDuration(t *rapid.T, name string, from ...time.Duration) time.Duration {
	return rapid.SampledFrom(from).Draw(t, name)
}

func drawSizes(t *rapid.T, c *config) {
	c.MaxSize = rapid.IntRange(1, 6).Draw(t, "MaxSize")
	c.MaxIdle = rapid.SampledFrom([]int{0, 0, 0, -1, 1, 2, 3}).Draw(t, "MaxIdle")
	most := c.MaxSize
	if c.MaxIdle != 0 {
		most = min(most, max(c.MaxIdle, 0))
	}
	if rapid.Bool().Draw(t, "minimums") {
		c.MinSize = rapid.IntRange(0, most).Draw(t, "MinSize")
		c.MinIdle = rapid.IntRange(0, most).Draw(t, "MinIdle")
	}
}

// drawBackoff draws a pause after failed dials that is either long enough for a
// server that stays down, or so short that little chance is left in it and a run can
// mostly be replayed.
func drawBackoff(t *rapid.T, c *config) {
	switch rapid.IntRange(0, 2).Draw(t, "backoff") {
	case 0:
		c.BackoffMin, c.BackoffMax = time.Millisecond, time.Millisecond
	case 1:
		c.BackoffMin, c.BackoffMax = 20*time.Millisecond, 200*time.Millisecond
	case 2:
		c.BackoffMin, c.BackoffMax = 50*time.Millisecond, time.Second
	}
}

func drawCallbacks(t *rapid.T, c *config, w *world) {
	if rapid.Bool().Draw(t, "Alive") {
		c.Alive = w.alive
	}
	if rapid.Bool().Draw(t, "Check") {
		c.Check = w.check
	}
	if rapid.Bool().Draw(t, "Clean") {
		c.Clean = w.clean
	}
	if rapid.Bool().Draw(t, "Reset") {
		c.Reset = w.reset
	}
	if rapid.Bool().Draw(t, "Prepare") {
		c.Prepare = w.prepare
	}
	drawSizer(t, c, w)
	c.ReclaimLost = rapid.Bool().Draw(t, "ReclaimLost") // all leases end; see lost_test.go
	c.FIFO = rapid.Bool().Draw(t, "FIFO")
	c.MaxUses = rapid.SampledFrom([]int{0, 0, 1, 3}).Draw(t, "MaxUses")
	if rapid.Bool().Draw(t, "OnLeak") {
		c.OnLeak = func(connpool.Leak) { w.reenter() }
	}
}

// period is the most time between two looks of the pool at its connections.
func period(c config) time.Duration {
	shortest := 4 * time.Minute
	limits := []time.Duration{c.IdleTimeout, c.MaxLifetime, c.LeakThreshold}
	if c.Check != nil {
		limits = append(limits, c.CheckAfterIdle, c.CheckInterval)
	}
	for _, limit := range limits {
		if limit > 0 {
			shortest = min(shortest, limit)
		}
	}
	return max(shortest/4, time.Millisecond)
}

// acquireTimeout is when the pool itself ends a wait that starts now under a
// context with the given deadline, 0 for none; and 0 for never.
func acquireTimeout(c config, deadline time.Duration) time.Duration {
	switch {
	case c.AcquireTimeout > 0:
		return c.AcquireTimeout
	case c.AcquireTimeout == 0 && deadline == 0:
		return 30 * time.Second
	}
	return 0
}
