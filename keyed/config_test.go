package keyed

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
)

func TestNewReportsAllFaultsAtOnceAndSaysWhatToDo(t *testing.T) {
	_, err := New(Config[string, int]{MaxTotal: -1, MaxPerKey: -2})
	require.ErrorContains(t, err, "keyed: bad Config: ")
	require.ErrorContains(t, err, "For is nil: set it to the function that describes the pool of a key")
	require.ErrorContains(t, err, "MaxTotal is -1: use 0 for the default, or a positive number")
	require.ErrorContains(t, err, "MaxPerKey is -2: use 0")
}

func TestNewRefusesLimitsThatCannotBe(t *testing.T) {
	for name, tc := range map[string]struct {
		total, perKey int
		says          string
	}{
		"more a key than in all": {5, 6, "MaxPerKey 6 exceeds MaxTotal 5: lower it or raise MaxTotal"},
		"more than the default":  {0, 101, "MaxPerKey 101 exceeds MaxTotal 100"},
		"more than a pool can":   {1 << 30, 1 << 24, "use at most 16777215"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config[string, int]{MaxTotal: tc.total, MaxPerKey: tc.perKey,
				For: func(string) (connpool.Config[int], error) { return connpool.Config[int]{}, nil }}
			_, err := New(cfg)
			require.ErrorContains(t, err, tc.says)
		})
	}
}

func TestDefaultsAreFilledIn(t *testing.T) {
	p, _ := newPool(t, nil)
	require.Equal(t, 100, p.cfg.MaxTotal)
	require.Equal(t, 10, p.cfg.MaxPerKey)
	require.Equal(t, time.Minute, p.cfg.IdleKeyTimeout)
	require.Regexp(t, `^keyed-\d+$`, p.Name())

	small, _ := newPool(t, func(c *Config[string, *fakeConn]) { c.MaxTotal = 3 })
	require.Equal(t, 3, small.cfg.MaxPerKey, "no more than MaxTotal")
	require.NotEqual(t, p.Name(), small.Name())
}

// fitted returns the Stats of a key's pool whose For returned what edit makes of
// a sound Config.
func fitted(t *testing.T, edit func(*connpool.Config[*fakeConn])) connpool.Stats {
	p, f := newPool(t, limits(20, 4))
	p.cfg.Name = "whole"
	p.cfg.For = func(key string) (connpool.Config[*fakeConn], error) {
		c, err := f.describe(key)
		edit(&c)
		return c, err
	}
	acquire(t, p, "k").Release()
	s, ok := p.KeyStats("k")
	require.True(t, ok)
	return s
}

func TestWhatForReturnsIsCutToMaxPerKey(t *testing.T) {
	s := fitted(t, func(c *connpool.Config[*fakeConn]) { c.MaxSize, c.MinSize, c.MinIdle, c.MaxIdle = 50, 6, 5, 40 })
	require.Equal(t, []int{4, 4, 4, 4}, []int{s.MaxSize, s.MinSize, s.MinIdle, s.MaxIdle})

	s = fitted(t, func(c *connpool.Config[*fakeConn]) { c.MaxSize = 0 })
	require.Equal(t, 4, s.MaxSize, "the default")

	s = fitted(t, func(c *connpool.Config[*fakeConn]) { c.MaxSize, c.MinSize, c.MaxIdle = 3, 1, 2 })
	require.Equal(t, []int{3, 1, 2}, []int{s.MaxSize, s.MinSize, s.MaxIdle}, "fewer are as they are")

	s = fitted(t, func(c *connpool.Config[*fakeConn]) { c.MaxIdle = -1 })
	require.Zero(t, s.MaxIdle, "none is none")
}

func TestAPoolWithoutANameIsNumbered(t *testing.T) {
	require.Equal(t, "k", fitted(t, func(*connpool.Config[*fakeConn]) {}).Pool)
	require.Equal(t, "whole/1", fitted(t, func(c *connpool.Config[*fakeConn]) { c.Name = "" }).Pool)
}

func TestABudgetOfForsIsRefused(t *testing.T) {
	p, f := newPool(t, nil)
	p.cfg.For = func(key string) (connpool.Config[*fakeConn], error) {
		c, err := f.describe(key)
		c.Budget, c.MinSize = connpool.NewBudget(5), 1
		return c, err
	}
	_, err := p.Acquire(t.Context(), "k")
	require.ErrorIs(t, err, ErrNoPool)
	require.ErrorContains(t, err, "Budget is set: leave it nil")
	require.Zero(t, f.at("k").dials.Load())
}

func TestAKeyThatForDoesNotKnowIsAnErrorAndLeavesNothing(t *testing.T) {
	p, err := New(Config[string, int]{Name: "tenants", For: func(string) (connpool.Config[int], error) { return connpool.Config[int]{}, nil }})
	require.NoError(t, err)
	defer p.Close()
	for range 3 {
		_, err = p.Acquire(context.Background(), "secret-key")
		require.ErrorIs(t, err, ErrNoPool)
		require.ErrorContains(t, err, `keyed "tenants": no pool for the key: `)
		require.ErrorContains(t, err, "Connect is nil")
		require.NotContains(t, err.Error(), "secret-key")
	}
	require.Zero(t, p.Stats().Keys)
	require.Empty(t, p.mu.making)
}

func TestFault80_AnIdleKeyTimeoutWhoseUnitWasForgottenIsRefused(t *testing.T) {
	for _, d := range []time.Duration{5, time.Millisecond - 1} {
		_, err := New(Config[string, *fakeConn]{For: newFleet(t).describe, IdleKeyTimeout: d})
		require.ErrorContains(t, err, fmt.Sprintf("IdleKeyTimeout is %v: a number without a unit", d))
	}
}
