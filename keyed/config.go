package keyed

import (
	"cmp"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/connpool/connpool"
)

// Config describes a pool of pools. Only For is required. Zero means the default;
// a negative count is an error.
type Config[K comparable, T any] struct {
	// Name labels the whole in errors and Stats, and the pools whose For gives
	// them no Name: these are called Name/1, Name/2 and so on. A key is never printed,
	// since it may be a secret: a For whose keys are none puts them into Name.
	// Default "keyed-1", numbered within the process.
	Name string

	// MaxTotal is the most connections open at once, over all keys. Default 100.
	MaxTotal int

	// MaxPerKey is the most connections of one key. Default 10, or MaxTotal where
	// that is less. For may ask for fewer.
	MaxPerKey int

	// IdleKeyTimeout is how long a key may go without a connection, a lease or a
	// caller before its pool is removed, with what is known of it: KeyStats, and
	// that its server was down. Removal comes up to a quarter late; and early, for
	// those that had no caller lately either, where there are far more keys than
	// connections. Default 1 min; negative: never.
	//
	// The clock starts once the key's last connection has been closed, by its own
	// IdleTimeout or to make room for others. A key whose For sets MinSize or MinIdle
	// keeps connections, and so stays.
	IdleKeyTimeout time.Duration

	// For describes the pool of a key, or refuses the key with an error that says
	// why. Required. It is called when a key is asked for that has no pool, on a
	// goroutine of its own, for each such key by one goroutine at a time, and for
	// 1,000 keys at once at most: where so many runs hang, callers with other new
	// keys wait for one to return. It may call the Pool, though not for its own key,
	// for which it would wait in vain. Callers wait for it as their contexts allow,
	// without a deadline for 30 s.
	//
	// A caller whose key is refused gets an error that matches ErrNoPool and For's
	// own, and prints that in one line and without passwords. It is not remembered:
	// the next caller has For called again.
	//
	// In what it returns, MaxSize is MaxPerKey if it is zero or more than that, and
	// MinSize, MinIdle and MaxIdle are MaxPerKey if they are more than that. Budget
	// must be nil: the keys share one that has MaxTotal units. A Config that
	// connpool.New refuses, and a panic or runtime.Goexit, are an error that matches
	// ErrNoPool, too.
	For func(key K) (connpool.Config[T], error)
}

const (
	defaultMaxTotal       = 100
	defaultMaxPerKey      = 10
	defaultIdleKeyTimeout = time.Minute
)

var poolNumber atomic.Uint64

// normalize checks the configuration, all of it, and returns a copy with the
// defaults filled in.
func (c Config[K, T]) normalize() (Config[K, T], error) {
	if err := c.validate(); err != nil {
		return c, err
	}
	c.MaxTotal = cmp.Or(c.MaxTotal, defaultMaxTotal)
	c.MaxPerKey = cmp.Or(c.MaxPerKey, min(defaultMaxPerKey, c.MaxTotal))
	c.IdleKeyTimeout = cmp.Or(c.IdleKeyTimeout, defaultIdleKeyTimeout)
	if c.Name == "" {
		c.Name = fmt.Sprintf("keyed-%d", poolNumber.Add(1))
	}
	return c, nil
}

// validate reports everything that is wrong with the configuration at once.
// Each fault names the field, what it is, and what to do.
func (c *Config[K, T]) validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	if c.For == nil {
		fault("For is nil: set it to the function that describes the pool of a key")
	}
	for _, count := range []struct {
		field string
		value int
	}{{"MaxTotal", c.MaxTotal}, {"MaxPerKey", c.MaxPerKey}} {
		if count.value < 0 {
			fault("%s is %d: use 0 for the default, or a positive number", count.field, count.value)
		}
	}
	if total := cmp.Or(c.MaxTotal, defaultMaxTotal); total > 0 && c.MaxPerKey > total {
		fault("MaxPerKey %d exceeds MaxTotal %d: lower it or raise MaxTotal", c.MaxPerKey, total)
	}
	if c.MaxPerKey > connpool.LargestMaxSize {
		fault("MaxPerKey is %d: use at most %d", c.MaxPerKey, connpool.LargestMaxSize)
	}
	if d := c.IdleKeyTimeout; d > 0 && d < time.Millisecond {
		fault("IdleKeyTimeout is %v: a number without a unit counts nanoseconds; write %d * time.Second "+
			"if it was seconds, and at least 1ms", d, d)
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("keyed: bad Config: %w", errors.Join(faults...))
}

var errBudgetSet = errors.New("keyed: bad Config from For: Budget is set: leave it nil, the keys share a budget of MaxTotal")

// fit makes what For has returned for a key a member of the whole.
func (p *Pool[K, T]) fit(c connpool.Config[T]) (connpool.Config[T], error) {
	if c.Budget != nil {
		return c, errBudgetSet
	}
	c.Budget = p.budget
	if c.MaxSize == 0 {
		c.MaxSize = p.cfg.MaxPerKey
	}
	for _, count := range []*int{&c.MaxSize, &c.MinSize, &c.MinIdle, &c.MaxIdle} {
		*count = min(*count, p.cfg.MaxPerKey)
	}
	if c.Name == "" {
		c.Name = fmt.Sprintf("%s/%d", p.cfg.Name, p.unnamed.Add(1))
	}
	return c, nil
}
