package main

import (
	"context"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// dial opens a connection for as many channels.
func dial(ctx context.Context, url string, channels int) (*amqp.Connection, error) {
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName("connpool-example")
	h := handshake{ctx: ctx}
	conn, err := amqp.DialConfig(url, amqp.Config{
		Properties: properties,
		ChannelMax: uint16(channels), // the broker, too, would refuse one more
		Dial:       h.dial,
	})
	if err := h.end(err); err != nil {
		return nil, err
	}
	return conn, nil
}

// handshake ends with its context, of which the client knows nothing: then the
// socket is closed under the client's hands.
type handshake struct {
	ctx    context.Context
	socket net.Conn // nil before it is there
	stop   func() bool
}

func (h *handshake) dial(network, addr string) (net.Conn, error) {
	var dialer net.Dialer
	tcp, err := dialer.DialContext(h.ctx, network, addr)
	if err != nil {
		return nil, err
	}
	h.socket = impatient{tcp, writeTimeout}
	h.stop = context.AfterFunc(h.ctx, func() { tcp.Close() })
	return h.socket, nil
}

// end returns the error of the whole. The client leaves the socket of a handshake
// that has failed open.
func (h *handshake) end(err error) error {
	switch {
	case h.socket == nil:
		return err
	case !h.stop():
		return context.Cause(h.ctx)
	case err != nil:
		h.socket.Close()
	}
	return err
}

// impatient is a socket whose writes do not take for ever. A broker that is short
// of memory reads no more from who publishes, and one that hangs from nobody.
type impatient struct {
	net.Conn
	patience time.Duration
}

const writeTimeout = 10 * time.Second

func (s impatient) Write(p []byte) (int, error) {
	if err := s.SetWriteDeadline(time.Now().Add(s.patience)); err != nil {
		return 0, err
	}
	return s.Conn.Write(p)
}
