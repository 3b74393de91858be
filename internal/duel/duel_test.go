package duel

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Nobody but the callers runs in the bubble, so work takes what it sleeps.
func TestTheSlowerOneIsToldByHowMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(1, func() { time.Sleep(time.Millisecond) }, func() { time.Sleep(3 * time.Millisecond) })
		d.Round()
		d.Round()
		require.Equal(t, Result{One: 1e6, Other: 3e6, Ratio: 3, OneP99: 1e6, OtherP99: 3e6}, d.Result())
	})
}

func TestCallersWorkAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(4, func() { time.Sleep(time.Millisecond) }, func() { time.Sleep(time.Millisecond) })
		d.Round()
		require.Equal(t, Result{One: 1e6 / 4, Other: 1e6 / 4, Ratio: 1, OneP99: 1e6, OtherP99: 1e6}, d.Result())
	})
}

func TestATurnIsTheSameAmountOfWorkForBothAndTheFirstDoesNotCount(t *testing.T) {
	var one, other atomic.Int64
	d := New(8, func() { one.Add(1) }, func() { other.Add(1) })
	d.Round()
	require.EqualValues(t, 2*Turn, one.Load())
	require.EqualValues(t, 2*Turn, other.Load())
	require.Len(t, d.one.took, Turn)
}
