package pool

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/connpool/connpool/internal/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEachPoolLendsTakesBackAndReplaces(t *testing.T) {
	dsn := pgtest.New(t, pgtest.Options{}).DSN()
	for _, kind := range Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			p, err := Open(kind, Setup{Max: 1, DSN: dsn})
			require.NoError(t, err)
			first := borrow(t, p)
			c := connOfLease(t, first)
			require.EqualValues(t, 1, c.ID)
			require.True(t, c.Enter())
			require.False(t, c.Enter(), "two at once")
			first.Release()
			require.Equal(t, 1, p.Size())

			again := borrow(t, p)
			require.Same(t, c, connOfLease(t, again))
			again.Discard()
			next := borrow(t, p)
			require.EqualValues(t, 2, connOfLease(t, next).ID)
			next.Release()
			p.Close()
			require.Eventually(t, func() bool { return p.Closes.Load() == 2 }, 10*time.Second, time.Millisecond)
			require.EqualValues(t, 1, c.Closes())
			require.EqualValues(t, 2, p.Opens.Load())
			require.Len(t, p.ClosedAt(), 2)
		})
	}
}

func TestAnUnknownPoolIsRefused(t *testing.T) {
	_, err := Open("another", Setup{Max: 1})
	require.Error(t, err)
	require.False(t, Kind("another").Known())
	require.True(t, Ours.Known())
}

func borrow(t *testing.T, p Pool) Lease {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	l, err := p.Acquire(ctx)
	require.NoError(t, err)
	return l
}

func connOfLease(t *testing.T, l Lease) *Conn {
	t.Helper()
	c, err := l.Conn()
	require.NoError(t, err)
	return c
}
