package main

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// points is an address that can be turned over to another server, as points turn
// a train: what is on its way stays on its track, what comes next takes the
// other. That is what a failover by DNS or by a virtual address looks like: the
// old server still answers on the connections that it has.
type points struct {
	listener net.Listener
	target   atomic.Pointer[string]
	links    sync.WaitGroup
	quit     chan struct{}
}

// layPoints listens on a free port and passes on what comes to target.
func layPoints(target string) (*points, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &points{listener: listener, quit: make(chan struct{})}
	p.set(target)
	p.links.Go(p.accept)
	return p, nil
}

func (p *points) addr() string { return p.listener.Addr().String() }

// set turns the address over: connections made from now on lead to target.
func (p *points) set(target string) { p.target.Store(&target) }

// close ends all connections and waits until they have.
func (p *points) close() error {
	err := p.listener.Close()
	close(p.quit)
	p.links.Wait()
	return err
}

func (p *points) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.links.Go(func() { p.pass(client) })
	}
}

// pass relays a connection until either side ends it, or close does.
func (p *points) pass(client net.Conn) {
	server, err := net.Dial("tcp", *p.target.Load())
	if err != nil {
		client.Close()
		return
	}
	over := make(chan struct{}, 2)
	var relays sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		relays.Go(func() {
			// Whatever ends the copy ends the connection, at both sides.
			_, _ = io.Copy(way[0], way[1])
			over <- struct{}{}
		})
	}
	select {
	case <-over:
	case <-p.quit:
	}
	client.Close()
	server.Close()
	relays.Wait()
}
