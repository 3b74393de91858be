package connpool

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sound is a configuration that there is nothing to say about.
func sound() Config[*fakeConn] {
	return Config[*fakeConn]{
		Connect: func(context.Context) (*fakeConn, error) { return new(fakeConn), nil },
		Close:   func(context.Context, *fakeConn) error { return nil },
		Check:   func(context.Context, *fakeConn) error { return nil },
	}
}

func alwaysAlive(*fakeConn) error { return nil }

func TestLintHasNothingToSayAboutDefaults(t *testing.T) {
	require.Empty(t, sound().Lint())
}

func TestLintHasNothingToSayAboutAPoolThatUsesEverythingWell(t *testing.T) {
	c := sound()
	c.Alive = alwaysAlive
	c.MaxSize, c.MinSize, c.MinIdle, c.MaxIdle = 64, 16, 4, 32
	c.MaxWaiting, c.Budget = 1000, NewBudget(40)
	c.AcquireTimeout = 2 * time.Second
	c.OnLeak, c.ReclaimLost = func(Leak) {}, true
	c.Sizer = UtilizationSizer{}
	require.Empty(t, c.Lint())
}

// lintCases has, for each rule, a configuration that breaks it and the nearest
// that does not.
var lintCases = []struct {
	name          string
	field         string
	says          string // part of the problem
	broken, whole func(*Config[*fakeConn])
}{
	{"nothing closes a connection", "Close", "*connpool.fakeConn has no Close method",
		func(c *Config[*fakeConn]) { c.Close = nil },
		func(c *Config[*fakeConn]) {}},
	{"nobody looks whether it is alive", "Check", "found by the next user",
		func(c *Config[*fakeConn]) { c.Check = nil },
		func(c *Config[*fakeConn]) { c.Check, c.Alive = nil, alwaysAlive }},
	{"too many for a server", "MaxSize", "asked for 301 connections",
		func(c *Config[*fakeConn]) { c.MaxSize = 301 },
		func(c *Config[*fakeConn]) { c.MaxSize = 300 }},
	{"many local ones", "MaxSize", "",
		nil,
		func(c *Config[*fakeConn]) { c.MaxSize, c.Check, c.Alive = 301, nil, alwaysAlive }},
	{"keeps few of a burst", "MaxIdle", "only 2 of up to 10",
		func(c *Config[*fakeConn]) { c.MaxIdle = 2 },
		func(c *Config[*fakeConn]) { c.MaxIdle = 3 }},
	{"keeps none of a burst", "MaxIdle", "only 0 of up to 10",
		func(c *Config[*fakeConn]) { c.MaxIdle = -1 },
		func(c *Config[*fakeConn]) { c.MaxIdle = 10 }},
	{"queue without bounds", "MaxWaiting", "nothing bounds the queue",
		func(c *Config[*fakeConn]) { c.AcquireTimeout = -1 },
		func(c *Config[*fakeConn]) { c.AcquireTimeout, c.MaxWaiting = -1, 100 }},
	{"budget below MinSize", "Budget", "fewer than the 5",
		func(c *Config[*fakeConn]) { c.Budget, c.MinSize = NewBudget(4), 5 },
		func(c *Config[*fakeConn]) { c.Budget, c.MinSize = NewBudget(5), 5 }},
	{"budget below MinIdle", "Budget", "fewer than the 5",
		func(c *Config[*fakeConn]) { c.Budget, c.MinIdle = NewBudget(4), 5 },
		func(c *Config[*fakeConn]) { c.Budget = NewBudget(1) }},
	{"waits for ever", "AcquireTimeout", "may wait for ever",
		func(c *Config[*fakeConn]) { c.AcquireTimeout = -1 },
		func(c *Config[*fakeConn]) { c.AcquireTimeout = 0 }},
	{"waits for long", "AcquireTimeout", "up to 1m1s",
		func(c *Config[*fakeConn]) { c.AcquireTimeout = 61 * time.Second },
		func(c *Config[*fakeConn]) { c.AcquireTimeout = time.Minute }},
	{"gives up before a cold dial", "AcquireTimeout", "first callers may time out",
		func(c *Config[*fakeConn]) { c.AcquireTimeout = 2 * time.Second },
		func(c *Config[*fakeConn]) { c.AcquireTimeout, c.MinSize = 2*time.Second, 1 }},
	{"as patient as a dial", "AcquireTimeout", "",
		nil,
		func(c *Config[*fakeConn]) { c.AcquireTimeout = 10 * time.Second }},
	{"dials hang", "ConnectTimeout", "keeps its slot",
		func(c *Config[*fakeConn]) { c.ConnectTimeout = -1 },
		func(c *Config[*fakeConn]) { c.ConnectTimeout = time.Minute }},
	{"checks hang", "CheckTimeout", "keeps its slot",
		func(c *Config[*fakeConn]) { c.CheckTimeout = -1 },
		func(c *Config[*fakeConn]) { c.CheckTimeout, c.Check, c.Alive = -1, nil, alwaysAlive }},
	{"resets hang", "CheckTimeout", "keeps its slot",
		func(c *Config[*fakeConn]) {
			c.CheckTimeout, c.Check, c.Reset = -1, nil, c.Check
		},
		func(c *Config[*fakeConn]) { c.CheckTimeout = time.Second }},
	{"closes hang", "CloseTimeout", "and Shutdown",
		func(c *Config[*fakeConn]) { c.CloseTimeout = -1 },
		func(c *Config[*fakeConn]) { c.CloseTimeout = time.Minute }},
	{"lends the dead", "CheckAfterIdle", "died while idle",
		func(c *Config[*fakeConn]) { c.CheckAfterIdle = -1 },
		func(c *Config[*fakeConn]) { c.CheckAfterIdle, c.Alive = -1, alwaysAlive }},
	{"checks all the time", "CheckAfterIdle", "nearly every acquire",
		func(c *Config[*fakeConn]) { c.CheckAfterIdle = 9 * time.Millisecond },
		func(c *Config[*fakeConn]) { c.CheckAfterIdle = 10 * time.Millisecond }},
	{"silent for long", "CheckInterval", "silent for over 4m0s",
		func(c *Config[*fakeConn]) { c.CheckInterval = 5 * time.Minute },
		func(c *Config[*fakeConn]) { c.CheckInterval, c.IdleTimeout = 5*time.Minute, 4*time.Minute }},
	{"silent for ever", "CheckInterval", "silent for over 4m0s",
		func(c *Config[*fakeConn]) { c.CheckInterval, c.IdleTimeout = -1, -1 },
		func(c *Config[*fakeConn]) { c.CheckInterval = 4 * time.Minute }},
	{"dies before it is idle enough", "IdleTimeout", "MaxLifetime 5m0s is over before",
		func(c *Config[*fakeConn]) { c.MaxLifetime = 5 * time.Minute },
		func(c *Config[*fakeConn]) { c.MaxLifetime, c.IdleTimeout = 5*time.Minute, -1 }},
	{"lives for ever", "MaxLifetime", "outlive fail-overs",
		func(c *Config[*fakeConn]) { c.MaxLifetime = -1 },
		func(c *Config[*fakeConn]) { c.MaxLifetime = 0 }},
	{"lives for long", "MaxLifetime", "live for 2h0m0s",
		func(c *Config[*fakeConn]) { c.MaxLifetime = 2 * time.Hour },
		func(c *Config[*fakeConn]) { c.MaxLifetime = time.Hour }},
	{"hardly lives", "MaxLifetime", "mostly dialling",
		func(c *Config[*fakeConn]) { c.MaxLifetime = 29 * time.Second },
		func(c *Config[*fakeConn]) { c.MaxLifetime = 30 * time.Second }},
	{"replaced together", "LifetimeJitter", "the 10 connections",
		func(c *Config[*fakeConn]) { c.MinSize, c.LifetimeJitter = 10, -1 },
		func(c *Config[*fakeConn]) { c.MinSize, c.LifetimeJitter = 9, -1 }},
	{"many, replaced apart", "LifetimeJitter", "",
		nil,
		func(c *Config[*fakeConn]) { c.MinSize = 10 }},
	{"many, never replaced", "LifetimeJitter", "",
		nil,
		func(c *Config[*fakeConn]) { c.MinSize, c.LifetimeJitter, c.MaxLifetime = 10, -1, -1 }},
	{"storms", "BackoffMax", "flooded",
		func(c *Config[*fakeConn]) { c.BackoffMax = 9 * time.Millisecond },
		func(c *Config[*fakeConn]) { c.BackoffMax = 10 * time.Millisecond }},
	{"slow to come back", "BackoffMax", "wait 2m0s more",
		func(c *Config[*fakeConn]) { c.BackoffMax = 2 * time.Minute },
		func(c *Config[*fakeConn]) { c.BackoffMax = time.Minute }},
	{"down later than the patience", "DownAfter", "time out after 500ms",
		func(c *Config[*fakeConn]) { c.AcquireTimeout = 500 * time.Millisecond },
		func(c *Config[*fakeConn]) { c.AcquireTimeout, c.DownAfter = 500*time.Millisecond, 500*time.Millisecond }},
	{"down later than the default patience", "DownAfter", "time out after 30s",
		func(c *Config[*fakeConn]) { c.DownAfter = time.Minute },
		func(c *Config[*fakeConn]) { c.DownAfter, c.AcquireTimeout = time.Minute, -1 }},
	{"never down", "DownAfter", "",
		nil,
		func(c *Config[*fakeConn]) { c.DownAfter = -1 }},
	{"leaks unseen", "LeakThreshold", "noticed when none is left",
		func(c *Config[*fakeConn]) { c.LeakThreshold = -1 },
		func(c *Config[*fakeConn]) { c.LeakThreshold = time.Hour }},
	{"leaks unnamed", "LeakStacks", "nobody can say",
		func(c *Config[*fakeConn]) { c.LeakStacks = StacksNever },
		func(c *Config[*fakeConn]) { c.LeakStacks = StacksAlways }},
	{"leaks untold", "OnLeak", "never called",
		func(c *Config[*fakeConn]) { c.OnLeak, c.LeakThreshold = func(Leak) {}, -1 },
		func(c *Config[*fakeConn]) { c.OnLeak, c.LeakThreshold, c.ReclaimLost = func(Leak) {}, -1, true }},
	{"nothing to size", "Sizer", "leave only 10",
		func(c *Config[*fakeConn]) { c.Sizer, c.MinSize = UtilizationSizer{}, 10 },
		func(c *Config[*fakeConn]) { c.Sizer, c.MinSize = UtilizationSizer{}, 9 }},
	{"one to size", "Sizer", "leave only 1",
		func(c *Config[*fakeConn]) { c.Sizer, c.MaxSize = UtilizationSizer{}, 1 },
		func(c *Config[*fakeConn]) { c.Sizer, c.MaxSize = UtilizationSizer{}, 2 }},
	{"sizes by too little", "SizeInterval", "too few leases",
		func(c *Config[*fakeConn]) { c.Sizer, c.SizeInterval = UtilizationSizer{}, 999*time.Millisecond },
		func(c *Config[*fakeConn]) { c.SizeInterval = 999 * time.Millisecond }},
}

// about returns the advice on a field.
func about(advice []Advice, field string) (problems []string) {
	for _, a := range advice {
		if a.Field == field {
			problems = append(problems, a.Problem)
		}
	}
	return problems
}

func TestLintFindsWhatIsProbablyNotMeantAndNothingElse(t *testing.T) {
	for _, tc := range lintCases {
		t.Run(tc.name, func(t *testing.T) {
			if tc.broken != nil {
				c := sound()
				tc.broken(&c)
				require.Contains(t, strings.Join(about(c.Lint(), tc.field), "\n"), tc.says)
			}
			c := sound()
			tc.whole(&c)
			for _, problem := range about(c.Lint(), tc.field) {
				require.True(t, tc.says != "" && !strings.Contains(problem, tc.says), "unwanted: %s", problem)
			}
			_, err := New(c)
			require.NoError(t, err, "the example is no good")
		})
	}
}

// The table above knows every rule: a rule that no case breaks is not tested.
func TestEveryLintRuleHasACaseThatBreaksIt(t *testing.T) {
	type place struct {
		field string
		n     int
	}
	untested := make(map[place]bool)
	visit := func(c Config[*fakeConn], f func(place, rule)) {
		c.fillCounts()
		c.fillDurations()
		c.fillCallbacks()
		seen := make(map[string]int)
		for _, r := range c.rules() {
			f(place{r.Field, seen[r.Field]}, r)
			seen[r.Field]++
		}
	}
	all := sound()
	all.Sizer = UtilizationSizer{} // without it two rules are left out
	visit(all, func(at place, _ rule) { untested[at] = true })
	for _, tc := range lintCases {
		c := sound()
		c.Sizer = UtilizationSizer{}
		if tc.broken != nil {
			tc.broken(&c)
		}
		visit(c, func(at place, r rule) {
			if r.broken && r.Field == tc.field {
				delete(untested, at)
			}
		})
	}
	require.Empty(t, untested)
}

func TestLintNamesFieldsOfConfigAndSaysWhatToDo(t *testing.T) {
	for _, tc := range lintCases {
		c := sound()
		if tc.broken != nil {
			tc.broken(&c)
		}
		requireWellFormed(t, c.Lint())
	}
	requireWellFormed(t, everythingWrong().Lint())
}

func requireWellFormed(t *testing.T, advice []Advice) {
	t.Helper()
	for _, a := range advice {
		_, ok := reflect.TypeFor[Config[*fakeConn]]().FieldByName(a.Field)
		require.True(t, ok, "no field %q", a.Field)
		require.NotEmpty(t, a.Problem)
		require.NotEmpty(t, a.Fix)
		require.NotContains(t, a.Problem+a.Fix, "%!")
	}
}

// everythingWrong breaks every rule of validate that can be broken together.
func everythingWrong() Config[*fakeConn] {
	return Config[*fakeConn]{
		MaxSize: -1, MinSize: -2, MinIdle: -3, MaxConnecting: -4, MaxWaiting: -5,
		BackoffMin: -1, BackoffMax: -1, SizeInterval: -1,
		LifetimeJitter: time.Hour, LeakStacks: 7, Budget: new(Budget),
	}
}

func TestLintReportsWhatNewRefusesInsteadOfPanicking(t *testing.T) {
	c := everythingWrong()
	_, err := New(c)
	require.Error(t, err)
	advice := c.Lint()
	for _, field := range []string{"Connect", "MaxSize", "MinSize", "MinIdle", "MaxConnecting", "MaxWaiting",
		"BackoffMin", "BackoffMax", "SizeInterval", "LifetimeJitter", "LeakStacks", "Budget"} {
		require.Len(t, about(advice, field), 1, "advice on %s", field)
		require.Contains(t, err.Error(), about(advice, field)[0])
	}
	require.NotEmpty(t, about(advice, "Close"), "what can be said beside the faults is said")
}

func TestLintOfTheZeroConfigDoesNotPanic(t *testing.T) {
	require.NotEmpty(t, about(Config[int]{}.Lint(), "Connect"))
	require.NotEmpty(t, about(Config[any]{}.Lint(), "Close"))
}

func TestLintChangesNothingAndNumbersNoPool(t *testing.T) {
	c := sound()
	c.MaxSize = 77
	before := poolNumber.Load()
	c.Lint()
	require.Equal(t, 77, c.MaxSize)
	require.Zero(t, c.MinSize)
	require.Zero(t, c.ConnectTimeout)
	require.Equal(t, before, poolNumber.Load())
}
