// Package tcpserver is the other end of the examples' connections: a TCP server
// on the loopback interface that counts what it accepts and can be cut off.
package tcpserver

import (
	"context"
	"errors"
	"log"
	"net"
	"sync"
	"sync/atomic"
)

// Server is a listening server. It is safe for concurrent use.
type Server struct {
	listener net.Listener
	serve    func(ctx context.Context, conn net.Conn)
	ctx      context.Context // ends with Stop
	cancel   context.CancelFunc

	accepted   atomic.Int64
	goroutines sync.WaitGroup

	mu struct {
		sync.Mutex
		stopped bool
		conns   map[net.Conn]bool // being served
	}
}

// Start listens on addr and calls serve for each connection, on a goroutine of
// its own. The connection is closed when serve returns. Stop ends the context
// and closes the connection under serve's hands, which must then return.
func Start(addr string, serve func(ctx context.Context, conn net.Conn)) (*Server, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &Server{listener: listener, serve: serve}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.mu.conns = make(map[net.Conn]bool)
	s.goroutines.Go(s.accept)
	return s, nil
}

// Addr returns the address to dial.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Accepted returns how many connections have been accepted so far.
func (s *Server) Accepted() int { return int(s.accepted.Load()) }

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				log.Printf("the server accepts no more connections: %v", err)
			}
			return
		}
		s.accepted.Add(1)
		s.goroutines.Go(func() { s.attend(conn) })
	}
}

func (s *Server) attend(conn net.Conn) {
	defer conn.Close()
	if s.enter(conn) {
		defer s.leave(conn)
		s.serve(s.ctx, conn)
	}
}

// enter reports whether the connection may be served: not one that was accepted
// while the server was being stopped.
func (s *Server) enter(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.stopped {
		return false
	}
	s.mu.conns[conn] = true
	return true
}

func (s *Server) leave(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.conns, conn)
}

// Stop takes the server down: nobody can connect any more, and every connection
// is closed, whatever it is in the middle of. When Stop returns, the clients'
// ends have been told. It returns how many connections it cut; stopping a
// stopped server does nothing.
func (s *Server) Stop() int {
	s.cancel()
	s.listener.Close()
	conns := s.stop()
	for conn := range conns {
		cut(conn)
	}
	s.goroutines.Wait()
	return len(conns)
}

// stop returns the connections that are being served.
func (s *Server) stop() map[net.Conn]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.stopped = true
	conns := s.mu.conns
	s.mu.conns = nil // delete from nil does nothing
	return conns
}

// cut closes a connection and waits until the other end has acknowledged that.
// Without the lingering, Close would return with the news still on its way.
func cut(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(1)
	}
	conn.Close()
}
