package main

import (
	"io"
	"net"
	"os"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

func TestTheSocketOfAHandshakeThatFailsIsClosed(t *testing.T) {
	ours, theirs := net.Pipe()
	h := handshake{ctx: t.Context(), socket: ours, stop: func() bool { return true }}
	require.ErrorIs(t, h.end(amqp.ErrSASL), amqp.ErrSASL)
	_, err := theirs.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, theirs.Close())
}

func TestAWriteThatNobodyReadsIsGivenUp(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	defer ours.Close()
	_, err := impatient{ours, time.Millisecond}.Write([]byte("hello"))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}
