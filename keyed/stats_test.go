package keyed

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
)

func TestStatsAddUpAndTellTheKeysApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool(t, func(c *Config[string, *fakeConn]) { c.Name = "shards"; limits(9, 3)(c) })
		held := acquireN(t, p, "a", 2)
		time.Sleep(time.Second)
		held = append(held, acquire(t, p, "b"))
		acquire(t, p, "c").Release()

		s := p.Stats()
		require.Equal(t, "shards", s.Pool)
		require.Equal(t, []int{3, 9, 9, 4, 3, 1}, []int{s.Keys, s.MaxSize, s.Limit, s.Size, s.InUse, s.Idle})
		require.EqualValues(t, 4, s.Acquires)
		require.EqualValues(t, 4, s.ConnectTime.Count)
		require.GreaterOrEqual(t, s.OldestLease, time.Second)

		each := maps.Collect(p.PerKey())
		require.Len(t, each, 3)
		require.Equal(t, 2, each["a"].InUse)
		one, ok := p.KeyStats("b")
		require.True(t, ok)
		require.Equal(t, 1, one.InUse)
		_, ok = p.KeyStats("unknown")
		require.False(t, ok)
		release(held...)
	})
}

// Counters outlive their keys; gauges do not.
func TestCountersGoOnWhenTheirKeysAreRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := newPool(t, nil)
		for round := range 3 {
			lease := acquire(t, p, "k")
			lease.Discard(errors.New("bad"))
			f.down("down")
			_, err := p.Acquire(within(t, 3*time.Second), "down")
			require.Error(t, err)
			before := p.Stats()
			time.Sleep(2 * removal)
			s := p.Stats()
			require.Zero(t, s.Keys)
			require.EqualValues(t, 2*(round+1), s.Removed)
			require.Zero(t, s.Size)
			require.EqualValues(t, round+1, s.Acquires)
			require.EqualValues(t, round+1, s.Connects)
			require.EqualValues(t, round+1, s.Closes[connpool.ClosedDiscarded])
			require.EqualValues(t, round+1, s.ConnectTime.Count)
			require.GreaterOrEqual(t, s.ConnectErrors, before.ConnectErrors)
		}
	})
}

func TestASnapshotIsTheCallersOwn(t *testing.T) {
	p, _ := newPool(t, nil)
	p.mu.departed.addCounters(connpool.Stats{Closes: map[connpool.CloseReason]uint64{connpool.ClosedIdle: 1},
		WaitTime: connpool.Histogram{Count: 1, Bounds: []time.Duration{1}, Counts: []uint64{1, 0}}})
	s := p.Stats()
	s.Closes[connpool.ClosedIdle], s.WaitTime.Counts[0] = 9, 9
	s = p.Stats()
	require.EqualValues(t, 1, s.Closes[connpool.ClosedIdle])
	require.EqualValues(t, 1, s.WaitTime.Counts[0])
}

// A field that connpool.Stats gains must be added up here, or be among those that
// are not sums.
func TestEveryFieldOfStatsIsAddedUp(t *testing.T) {
	notSums := map[string]bool{"Pool": true, "MaxSize": true, "MaxIdle": true, "Limit": true, "Paused": true}
	var one connpool.Stats
	fill(reflect.ValueOf(&one).Elem())
	var sum Stats
	for range 2 {
		sum.addGauges(one)
		sum.addCounters(one)
	}
	got := reflect.ValueOf(sum.Stats)
	for i := range got.NumField() {
		name := got.Type().Field(i).Name
		switch v := got.Field(i); {
		case notSums[name]:
			require.True(t, v.IsZero(), name)
		case name == "OldestWait" || name == "OldestLease" || name == "OldestClose":
			require.EqualValues(t, 1, v.Int(), name)
		case v.CanInt():
			require.EqualValues(t, 2, v.Int(), name)
		case v.CanUint():
			require.EqualValues(t, 2, v.Uint(), name)
		case v.Kind() == reflect.Map:
			require.Equal(t, map[connpool.CloseReason]uint64{1: 2}, v.Interface(), name)
		default:
			require.Equal(t, connpool.Histogram{Count: 2, Sum: 2, Bounds: []time.Duration{1}, Counts: []uint64{2, 2}}, v.Interface(), name)
		}
	}
}

// fill sets every field to one.
func fill(v reflect.Value) {
	for i := range v.NumField() {
		switch f := v.Field(i); {
		case f.CanInt():
			f.SetInt(1)
		case f.CanUint():
			f.SetUint(1)
		case f.Kind() == reflect.Map:
			f.Set(reflect.ValueOf(map[connpool.CloseReason]uint64{1: 1}))
		case f.Type() == reflect.TypeFor[connpool.Histogram]():
			f.Set(reflect.ValueOf(connpool.Histogram{Count: 1, Sum: 1, Bounds: []time.Duration{1}, Counts: []uint64{1, 1}}))
		}
	}
}

func TestStatsMarshalToJSON(t *testing.T) {
	p, _ := newPool(t, nil)
	acquire(t, p, "k").Release()
	text, err := json.Marshal(p.Stats())
	require.NoError(t, err)
	require.Contains(t, string(text), `"Keys":1`)
	require.Contains(t, string(text), `"Acquires":1`)
}
