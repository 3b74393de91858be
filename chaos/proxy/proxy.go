package proxy

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
)

// Proxy passes TCP connections on to a target. It is safe for concurrent use.
type Proxy struct {
	target   string
	addr     string // fixed once Start returns
	state    atomic.Pointer[state]
	accepted atomic.Int64
	tasks    sync.WaitGroup

	mu struct {
		sync.Mutex
		listener net.Listener // nil while refusing, and once closed
		links    map[*link]struct{}
		closed   bool
	}
}

var errClosed = errors.New("proxy: closed")

// Start listens on a free port of the loopback interface and passes what comes
// on to target, a host:port, which need not answer yet.
func Start(target string) (*Proxy, error) {
	p := &Proxy{target: target}
	p.state.Store(&state{over: make(chan struct{})})
	p.mu.links = make(map[*link]struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.listenLocked("127.0.0.1:0"); err != nil {
		return nil, err
	}
	p.addr = p.mu.listener.Addr().String()
	return p, nil
}

// Addr returns the address to dial, as host:port.
func (p *Proxy) Addr() string { return p.addr }

// Accepted returns how many connections have been accepted, those reset at once
// included.
func (p *Proxy) Accepted() int64 { return p.accepted.Load() }

// Open returns how many connections are open.
func (p *Proxy) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.mu.links)
}

// Set replaces the fault, for the connections there are and for later ones. It
// fails if the proxy is closed, or cannot have its port back after Refuse.
func (p *Proxy) Set(f Fault) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.closed {
		return errClosed
	}
	before := p.state.Swap(&state{Fault: f, over: make(chan struct{})})
	close(before.over)
	if f.Reset {
		p.endLocked((*link).reset)
	}
	switch {
	case f.Refuse:
		return p.deafenLocked()
	case p.mu.listener == nil:
		return p.listenLocked(p.addr)
	}
	return nil
}

// Close stops listening, closes all connections and waits until the proxy's
// goroutines have ended. Closing a closed proxy does nothing.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.mu.closed = true
	err := p.deafenLocked()
	p.endLocked((*link).close)
	p.mu.Unlock()
	p.tasks.Wait()
	return err
}

func (p *Proxy) endLocked(end func(*link)) {
	for l := range p.mu.links {
		end(l)
	}
}

// deafenLocked closes the listener, if there is one.
func (p *Proxy) deafenLocked() error {
	if p.mu.listener == nil {
		return nil
	}
	err := p.mu.listener.Close()
	p.mu.listener = nil
	return err
}

func (p *Proxy) listenLocked(addr string) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("proxy: %w", err)
	}
	p.mu.listener = listener
	p.tasks.Go(func() { p.accept(listener) })
	return nil
}

func (p *Proxy) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return // closed by Set or Close
		}
		p.accepted.Add(1)
		p.tasks.Go(func() { p.serve(client.(*net.TCPConn)) })
	}
}

// serve passes one connection on, until it ends.
func (p *Proxy) serve(client *net.TCPConn) {
	l := &link{proxy: p, client: client, ended: make(chan struct{})}
	if !p.admit(l) {
		l.reset()
		return
	}
	defer p.dismiss(l)
	if !l.clear(&l.requests) {
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		l.reset() // the nearest thing to a refusal that is left to say
		return
	}
	l.pass(server.(*net.TCPConn))
}

// admit enters a link in the books, unless it is to be reset at once.
func (p *Proxy) admit(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.closed || p.state.Load().Reset {
		return false
	}
	p.mu.links[l] = struct{}{}
	return true
}

func (p *Proxy) dismiss(l *link) {
	l.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.mu.links, l)
}
