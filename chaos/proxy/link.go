package proxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// link is one connection through the proxy: a client's and the server's, which
// end together.
type link struct {
	proxy             *Proxy
	client            *net.TCPConn
	requests, replies flow

	mu struct {
		sync.Mutex
		server *net.TCPConn // nil until dialled
		over   bool
	}
	ended chan struct{} // closed when over
}

// flow is one direction of a link.
type flow struct {
	isReply bool
	state   *state // met last
	passed  int    // bytes passed on in that state
}

const pieceSize = 32 << 10

// pass relays both directions until both have ended.
func (l *link) pass(server *net.TCPConn) {
	l.mu.Lock()
	l.mu.server = server
	over := l.mu.over
	l.mu.Unlock()
	if over {
		_ = server.Close()
		return
	}
	l.replies.isReply = true
	var requests sync.WaitGroup
	requests.Go(func() { l.relay(server, l.client, &l.requests) })
	l.relay(l.client, server, &l.replies)
	requests.Wait()
}

// relay passes on what comes from src, and its end.
func (l *link) relay(dst, src *net.TCPConn, f *flow) {
	piece := make([]byte, pieceSize)
	for {
		n, err := src.Read(piece)
		if !l.forward(dst, piece[:n], f) {
			return
		}
		if err != nil {
			l.end(dst, err, f)
			return
		}
	}
}

// forward passes on one piece, as the fault will have it, and reports whether
// there is to be more.
func (l *link) forward(dst io.Writer, piece []byte, f *flow) bool {
	for len(piece) > 0 {
		if !l.clear(f) {
			return false
		}
		n := len(piece)
		if f.isReply {
			n = f.state.most(f.uncut(n))
		}
		if _, err := dst.Write(piece[:n]); err != nil {
			l.close()
			return false
		}
		f.passed += n
		piece = piece[n:]
		if f.isReply && f.uncut(1) == 0 {
			l.close()
			return false
		}
	}
	return true
}

// uncut returns how many of n bytes the fault lets pass before it cuts.
func (f *flow) uncut(n int) int {
	if f.state.CutReply == 0 {
		return n
	}
	return min(n, max(0, f.state.CutReply-f.passed))
}

// clear waits until something may be passed on, and reports whether the link
// still lasts then.
func (l *link) clear(f *flow) bool {
	for {
		now := l.proxy.state.Load()
		if now != f.state {
			f.state, f.passed = now, 0
		}
		switch {
		case now.BlackHole:
			if !l.await(now.over, nil) {
				return false
			}
		case now.Latency > 0:
			return l.await(nil, time.After(now.Latency))
		default:
			return l.lasts()
		}
	}
}

// await waits for one of two things, and reports whether it came before the
// link's end.
func (l *link) await(over <-chan struct{}, elapsed <-chan time.Time) bool {
	select {
	case <-over:
	case <-elapsed:
	case <-l.ended:
		return false
	}
	return l.lasts()
}

func (l *link) lasts() bool {
	select {
	case <-l.ended:
		return false
	default:
		return true
	}
}

// end passes on the end of a direction: a FIN as a FIN, a reset as a reset.
func (l *link) end(dst *net.TCPConn, err error, f *flow) {
	switch {
	case !l.clear(f):
	case errors.Is(err, io.EOF):
		_ = dst.CloseWrite() // it fails only where dst has ended too
	case errors.Is(err, syscall.ECONNRESET):
		l.reset()
	default:
		l.close()
	}
}

func (l *link) close() { l.finish(false) }

// reset ends the link with an RST at both ends.
func (l *link) reset() { l.finish(true) }

func (l *link) finish(reset bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.over {
		return
	}
	l.mu.over = true
	close(l.ended)
	for _, conn := range []*net.TCPConn{l.client, l.mu.server} {
		if conn == nil {
			continue
		}
		if reset {
			_ = conn.SetLinger(0) // fails only on a closed connection
		}
		_ = conn.Close()
	}
}
