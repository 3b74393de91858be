package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
)

func TestTheConfigurationDrawsNoAdvice(t *testing.T) {
	require.Empty(t, poolConfig(&connections{}, options{channels: 12}).Lint())
}

func TestAChannelErrorCostsOneChannel(t *testing.T) {
	w, queue := newWire(t), newQueue(t, nil)
	pool := newPool(t, newTable(t, w, 3), 3)
	leases := borrow(t, pool, 3)
	err := leases[0].Conn().publish(t.Context(), "no-such-exchange", "", amqp.Publishing{})
	require.True(t, refused(err), "%v", err)
	require.ErrorContains(t, err, "NOT_FOUND")
	again := leases[0].Conn().publish(t.Context(), "no-such-exchange", "", amqp.Publishing{})
	require.Equal(t, err, again, "the reason is remembered")

	for _, lease := range leases[1:] {
		require.NoError(t, lease.Conn().publish(t.Context(), "", queue, amqp.Publishing{}))
		lease.Release()
	}
	leases[0].ReleaseErr(err)
	eventually(t, func() bool { return pool.Stats().Size == 2 })
	require.Equal(t, map[connpool.CloseReason]uint64{connpool.ClosedClean: 1}, pool.Stats().Closes)
	require.Equal(t, 1, w.Accepted())
}

func TestAChannelWithUnconfirmedPublishingsIsNotLentAgain(t *testing.T) {
	w := newWire(t)
	pool := newPool(t, newTable(t, w, 3), 3)
	lease := borrow(t, pool, 1)[0]
	c := lease.Conn()
	release := w.hold(t)
	confirmation, err := c.send(t.Context(), "amq.direct", "", amqp.Publishing{})
	require.NoError(t, err)
	require.ErrorIs(t, c.clean(), errUnconfirmed)
	lease.Release()
	release()
	next := borrow(t, pool, 1)[0]
	require.NotSame(t, c, next.Conn())
	next.Release()
	require.EqualValues(t, 1, pool.Stats().Closes[connpool.ClosedClean])
	<-confirmation.Done() // it has come, or the channel's end has
}

func TestAChannelWhosePublishingsAreConfirmedIsLentAgain(t *testing.T) {
	pool := newPool(t, newTable(t, newWire(t), 3), 3)
	lease := borrow(t, pool, 1)[0]
	c := lease.Conn()
	for range 10 {
		_, err := c.send(t.Context(), "amq.direct", "", amqp.Publishing{})
		require.NoError(t, err)
	}
	eventually(t, func() bool { return c.clean() == nil })
	lease.Release()
	next := borrow(t, pool, 1)[0]
	require.Same(t, c, next.Conn())
	next.Release()
}

func TestWhoGivesUpOnAConfirmationLeavesAnUncleanChannel(t *testing.T) {
	w := newWire(t)
	pool := newPool(t, newTable(t, w, 3), 3)
	lease := borrow(t, pool, 1)[0]
	c := lease.Conn()
	release := w.hold(t)
	confirmation, err := c.send(t.Context(), "amq.direct", "", amqp.Publishing{})
	require.NoError(t, err)
	hurried, giveUp := context.WithCancel(t.Context())
	giveUp()
	err = c.await(hurried, confirmation)
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, isBad(err), "that is for Clean to judge")
	require.ErrorIs(t, c.publish(t.Context(), "amq.direct", "", amqp.Publishing{}), errUnconfirmed)
	lease.ReleaseErr(err)
	require.EqualValues(t, 1, pool.Stats().Closes[connpool.ClosedClean])
	release()
}

func TestNothingIsPublishedForWhoHasGivenUp(t *testing.T) {
	c := connect(t, newTable(t, newWire(t), 3))
	hurried, giveUp := context.WithCancel(t.Context())
	giveUp()
	require.ErrorIs(t, c.publish(hurried, "amq.direct", "", amqp.Publishing{}), context.Canceled)
	require.NoError(t, c.clean())
	require.NoError(t, c.close())
}

func TestADedicatedChannelIsNotLentAgain(t *testing.T) {
	pool := newPool(t, newTable(t, newWire(t), 3), 3)
	queue := newQueue(t, nil)
	for name, use := range map[string]func(*amqp.Channel) error{
		"a limit on deliveries": func(ch *amqp.Channel) error { return ch.Qos(1, 0, false) },
		"an unacknowledged get": func(ch *amqp.Channel) error { _, _, err := ch.Get(queue, false); return err },
		"a consumer": func(ch *amqp.Channel) error {
			_, err := ch.Consume(queue, "", true, false, false, false, nil)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			lease := borrow(t, pool, 1)[0]
			c := lease.Conn()
			require.NoError(t, use(c.dedicate()))
			lease.Release()
			next := borrow(t, pool, 1)[0]
			require.NotSame(t, c, next.Conn())
			next.Release()
		})
	}
}

func TestATransactionIsRefused(t *testing.T) {
	pool := newPool(t, newTable(t, newWire(t), 3), 3)
	lease := borrow(t, pool, 1)[0]
	require.True(t, refused(lease.Conn().dedicate().Tx()))
	require.Error(t, lease.Conn().clean())
	lease.Release()
}

func TestAMessageThatTheBrokerDoesNotTakeIsAnErrorOfTheMessageAlone(t *testing.T) {
	pool := newPool(t, newTable(t, newWire(t), 3), 3)
	full := newQueue(t, amqp.Table{"x-max-length": int32(1), "x-overflow": "reject-publish"})
	lease := borrow(t, pool, 1)[0]
	c := lease.Conn()
	require.NoError(t, c.publish(t.Context(), "", full, amqp.Publishing{}))
	err := c.publish(t.Context(), "", full, amqp.Publishing{})
	require.ErrorIs(t, err, errNacked)
	lease.ReleaseErr(err)
	next := borrow(t, pool, 1)[0]
	require.Same(t, c, next.Conn())
	next.Release()
}

// Also where the one before was given up and has come back since.
func TestAMessageThatNoQueueWantsIsAnErrorOfTheMessageAlone(t *testing.T) {
	queue := newQueue(t, nil)
	c := connect(t, newTable(t, newWire(t), 3))
	err := c.publish(t.Context(), "", "no-such-queue", amqp.Publishing{})
	require.ErrorIs(t, err, errUnroutable)
	require.False(t, isBad(err))
	require.NoError(t, c.clean())

	_, err = c.post(t.Context(), "", "no-such-queue", true, amqp.Publishing{})
	require.NoError(t, err)
	eventually(t, func() bool { return c.clean() == nil })
	require.NoError(t, c.publish(t.Context(), "", queue, amqp.Publishing{}))
	require.NoError(t, c.close())
}

func TestAMessageThatCannotBeSentBreaksNothing(t *testing.T) {
	c := connect(t, newTable(t, newWire(t), 3))
	err := c.publish(t.Context(), "amq.direct", "", amqp.Publishing{Headers: amqp.Table{"no": struct{}{}}})
	require.Error(t, err)
	require.NoError(t, c.clean())
	require.NoError(t, c.close())
}

func TestCheckIsARoundTrip(t *testing.T) {
	c := connect(t, newTable(t, newWire(t), 3))
	require.NoError(t, c.check())
	require.NoError(t, c.clean(), "it leaves nothing behind")
	require.NoError(t, c.close())
	require.Error(t, c.check())
	require.ErrorIs(t, c.alive(), connpool.ErrBadConn)
}

func TestErrorsOfTheConnectionAreBadAndThoseOfTheChannelAreNot(t *testing.T) {
	for _, c := range []struct {
		error
		bad, refused bool
	}{
		{&amqp.Error{Code: amqp.NotFound, Recover: true}, false, true},
		{&amqp.Error{Code: amqp.ConnectionForced}, true, false},
		{amqp.ErrClosed, true, false},
		{&net.OpError{Op: "write", Err: io.ErrClosedPipe}, true, false},
		{errNacked, false, false},
		{context.DeadlineExceeded, false, false},
	} {
		wrapped := fmt.Errorf("wrapped: %w", c.error)
		require.Equal(t, c.bad, isBad(wrapped), "%v", c.error)
		require.Equal(t, c.refused, refused(wrapped), "%v", c.error)
	}
}
