package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// echoServer sends back what it gets.
type echoServer struct {
	listener net.Listener
	open     atomic.Int64
	sessions sync.WaitGroup
}

func startEcho() (*echoServer, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	e := &echoServer{listener: listener}
	e.sessions.Go(e.accept)
	return e, nil
}

func (e *echoServer) accept() {
	for {
		c, err := e.listener.Accept()
		if err != nil {
			return // closed
		}
		e.open.Add(1)
		e.sessions.Go(func() {
			defer e.open.Add(-1)
			defer c.Close()
			// It ends with the connection, whatever ends that. Undisguised, the two ends
			// would be joined by a pipe, which the runtime keeps open for the next copy.
			_, _ = io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c})
		})
	}
}

// stop is for when no client is left.
func (e *echoServer) stop() error {
	err := e.listener.Close()
	e.sessions.Wait()
	return err
}

// echo sends a number and expects it back: another would have been meant for
// somebody else. A socket that fails is bad, not wrong.
func (c *conn) echo(number uint64) error {
	var sent, got [8]byte
	binary.LittleEndian.PutUint64(sent[:], number)
	if err := c.socket.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	if _, err := c.socket.Write(sent[:]); err != nil {
		return err
	}
	if _, err := io.ReadFull(c.socket, got[:]); err != nil {
		return err
	}
	if got != sent {
		c.source.verdict.broken("%s: connection %d returned the answer to another's question", c.source.name, c.id)
		return fmt.Errorf("sent %x, got %x", sent, got)
	}
	return nil
}
