package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

func TestAConnectionHasNoMoreChannelsThanItMay(t *testing.T) {
	w := newWire(t)
	table := newTable(t, w, 3)
	leases := borrow(t, newPool(t, table, 8), 8)
	now, dials := table.shares()
	require.ElementsMatch(t, []int{3, 3, 2}, now)
	require.Equal(t, 3, dials)
	require.Equal(t, 3, w.Accepted())
	for _, lease := range leases {
		lease.Release()
	}
}

func TestTheBrokerIsToldHowManyChannelsThereMayBe(t *testing.T) {
	table := newTable(t, newWire(t), 3)
	c, err := table.connect(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 3, c.conn.amqp.Config.ChannelMax)
	require.NoError(t, c.close())
}

func TestAConnectionIsClosedWithItsLastChannel(t *testing.T) {
	w := newWire(t)
	table := newTable(t, w, 2)
	leases := borrow(t, newPool(t, table, 4), 4)
	for _, others := range []int64{1, 0} {
		victim := leases[0].Conn().conn
		left := leases[:0]
		for _, lease := range leases {
			if lease.Conn().conn == victim {
				require.Greater(t, w.open.Load(), others, "it has a channel")
				lease.Discard(nil)
			} else {
				left = append(left, lease)
			}
		}
		leases = left
		w.awaitOpen(t, int(others))
	}
}

func TestTheFullestConnectionIsFilledFirst(t *testing.T) {
	table := newTable(t, newWire(t), 3)
	var all []*channel
	for range 6 {
		all = append(all, connect(t, table))
	}
	require.NoError(t, all[0].close())
	require.NoError(t, all[1].close())
	require.NoError(t, all[3].close())
	now, _ := table.shares()
	require.Equal(t, []int{1, 2}, now)
	another := connect(t, table)
	now, _ = table.shares()
	require.Equal(t, []int{1, 3}, now)
	for _, c := range []*channel{all[2], all[4], all[5], another} {
		require.NoError(t, c.close())
	}
}

func TestWhoComesInTheMeantimeSharesTheDial(t *testing.T) {
	w := newWire(t)
	table := newTable(t, w, 5)
	release := w.hold(t)
	var borrowers sync.WaitGroup
	for range 5 {
		borrowers.Go(func() {
			c, err := table.connect(t.Context())
			if err == nil {
				err = c.close()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, func() bool { now, _ := table.shares(); return len(now) == 1 && now[0] == 5 })
	release()
	borrowers.Wait()
	require.Equal(t, 1, w.Accepted())
}

// The dial is nobody's: it goes on for those who stay.
func TestWhoGivesUpOnADialTakesItFromNobody(t *testing.T) {
	w := newWire(t)
	table := newTable(t, w, 5)
	release := w.hold(t)
	hurried, giveUp := context.WithCancelCause(t.Context())
	gone := make(chan error)
	go func() {
		_, err := table.connect(hurried)
		gone <- err
	}()
	eventually(t, func() bool { now, _ := table.shares(); return len(now) == 1 })
	stayed := make(chan *channel)
	go func() { stayed <- connect(t, table) }()
	eventually(t, func() bool { now, _ := table.shares(); return now[0] == 2 })

	giveUp(errImpatient)
	require.ErrorIs(t, <-gone, errImpatient)
	release()
	c := <-stayed
	require.Equal(t, 1, w.Accepted())
	require.NoError(t, c.close())
}

func TestTheLastWhoGivesUpOnADialEndsIt(t *testing.T) {
	w := newWire(t)
	table := newTable(t, w, 5)
	w.hold(t)
	hurried, giveUp := context.WithCancelCause(t.Context())
	gone := make(chan error)
	go func() {
		_, err := table.connect(hurried)
		gone <- err
	}()
	w.awaitOpen(t, 1)
	giveUp(errImpatient)
	require.ErrorIs(t, <-gone, errImpatient)
	w.awaitOpen(t, 0)
}

func TestADialThatHangsHoldsNobodyForEver(t *testing.T) {
	w := newWire(t)
	table := newTable(t, w, 5)
	table.dialTimeout = 50 * time.Millisecond
	release := w.hold(t)
	_, err := table.connect(t.Context())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	release()
	table.dialTimeout = time.Hour
	require.NoError(t, connect(t, table).close())
	require.Equal(t, 2, w.Accepted())
}

// The channel that comes too late is closed, and its share given back.
func TestAConnectionThatDoesNotAnswerGetsNoMoreChannels(t *testing.T) {
	w := newWire(t)
	table := newTable(t, w, 5)
	first := connect(t, table)
	release := w.hold(t)
	hurried, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := table.connect(hurried)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	release()

	second := connect(t, table)
	require.NotSame(t, first.conn, second.conn)
	eventually(t, func() bool {
		table.mu.Lock()
		defer table.mu.Unlock()
		return first.conn.shares == 1
	})
	require.NoError(t, first.amqp.ExchangeDeclarePassive("amq.direct", "direct", true, false, false, false, nil), "it has its share still")
	require.NoError(t, first.close())
	require.NoError(t, second.close())
}

func TestADeadConnectionGetsNoMoreChannels(t *testing.T) {
	w := newWire(t)
	table := newTable(t, w, 5)
	first := connect(t, table)
	require.NoError(t, first.conn.amqp.Close())
	second := connect(t, table)
	require.NotSame(t, first.conn, second.conn)
	require.NoError(t, first.close())
	now, _ := table.shares()
	require.Equal(t, []int{1}, now)
	require.NoError(t, second.close())
}

func TestAChannelThatCannotBeOpenedGivesItsShareBack(t *testing.T) {
	table := newTable(t, newWire(t), 2)
	c := connect(t, table)
	_, err := c.conn.amqp.Channel() // behind the table's back
	require.NoError(t, err)
	_, err = table.connect(t.Context())
	require.ErrorIs(t, err, amqp.ErrChannelMax)
	now, _ := table.shares()
	require.Equal(t, []int{1}, now)
	require.NoError(t, c.close())
}

func TestADialThatIsRefusedIsAnError(t *testing.T) {
	w := newWire(t)
	table := newTable(t, w, 5)
	table.url = "amqp://guest:wrong@" + w.Addr() + "/"
	_, err := table.connect(t.Context())
	require.ErrorContains(t, err, "403")
	table.url = "amqp://" + w.Addr() + "/no-such-host"
	_, err = table.connect(t.Context())
	require.Error(t, err)
	table.url = "no URL"
	_, err = table.connect(t.Context())
	require.Error(t, err)
}

// All that can happen to a share, at once. The client itself refuses a channel too
// many.
func TestSharesComeAndGo(t *testing.T) {
	w := newWire(t)
	table := newTable(t, w, 3)
	var borrowers sync.WaitGroup
	for range 12 {
		borrowers.Go(func() {
			for range 20 {
				if err := useOnce(t.Context(), table); err != nil {
					t.Error(err)
				}
			}
		})
	}
	borrowers.Wait()
}

// useOnce opens and closes a channel, or gives up early, or breaks the connection.
func useOnce(ctx context.Context, table *connections) error {
	hurried, cancel := context.WithCancel(ctx)
	defer cancel()
	dice := rand.IntN(10)
	if dice == 0 {
		time.AfterFunc(rand.N(5*time.Millisecond), cancel)
	}
	c, err := table.connect(hurried)
	if err != nil {
		if hurried.Err() != nil || isBad(err) { // somebody has broken it
			return nil
		}
		return err
	}
	if dice == 1 {
		_ = c.conn.amqp.Close() // nil, or somebody else has closed it
	}
	if err := c.close(); err != nil && !isBad(err) {
		return err
	}
	return nil
}

func connect(t *testing.T, table *connections) *channel {
	t.Helper()
	c, err := table.connect(t.Context())
	if err != nil {
		t.Error(err) // not require: some call it from a goroutine
	}
	return c
}
