package main

import (
	"context"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
)

func TestARestartOfTheBrokerIsSurvived(t *testing.T) {
	w, broker := newWire(t), sharedBroker(t)
	table := newTable(t, w, 2)
	pool := newPool(t, table, 4)
	var dead []*channel
	for _, lease := range borrow(t, pool, 4) {
		dead = append(dead, lease.Conn())
		lease.Release()
	}
	require.NoError(t, broker.Kill())
	for _, c := range dead {
		eventually(t, func() bool { return c.alive() != nil })
	}

	hurried, cancel := context.WithCancelCause(t.Context())
	gone, served := make(chan error), make(chan connpool.Lease[*channel])
	go func() {
		_, err := pool.Acquire(hurried)
		gone <- err
	}()
	go func() {
		lease, err := pool.Acquire(t.Context())
		if err != nil {
			t.Error(err)
		}
		served <- lease
	}()
	eventually(t, func() bool { s := pool.Stats(); return s.Waiting == 2 && s.ConnectErrors > 0 })
	cancel(errImpatient)
	require.ErrorIs(t, <-gone, errImpatient, "who gives up need not wait for the broker")

	require.NoError(t, broker.Restart(t.Context()))
	lease := <-served
	require.NotContains(t, dead, lease.Conn())
	err := lease.Conn().publish(t.Context(), "", "no-such-queue", amqp.Publishing{})
	require.ErrorIs(t, err, errUnroutable, "the broker answers")
	lease.ReleaseErr(err)
	require.Equal(t, map[connpool.CloseReason]uint64{connpool.ClosedCheck: 4}, pool.Stats().Closes)
	w.awaitOpen(t, 1)
}

func TestABrokenConnectionEndsTheWaitForConfirmations(t *testing.T) {
	w := newWire(t)
	pool := newPool(t, newTable(t, w, 2), 2)
	lease := borrow(t, pool, 1)[0]
	w.lossy.Store(true)
	confirmation, err := lease.Conn().send(t.Context(), "amq.direct", "", amqp.Publishing{})
	require.NoError(t, err)
	w.Stop()
	err = lease.Conn().await(t.Context(), confirmation)
	require.True(t, isBad(err), "%v", err)
	lease.ReleaseErr(err)
}
