package proxy

import "time"

// Fault is what a proxy does to its connections. The zero value passes everything
// on as it comes. Faults may be combined; Refuse and Reset leave nothing for the
// others to do.
type Fault struct {
	// Latency is how long each piece is held up, in either direction. Pieces are
	// held up one after the other, so this bounds the throughput too.
	Latency time.Duration

	// BlackHole passes nothing on, the ends of connections included, and keeps
	// them open. New connections are accepted, as the kernel of a frozen server
	// does it. What was held back is passed on when the fault ends, as TCP would
	// have sent it again.
	BlackHole bool

	// Reset ends the connections there are, and each new one at once, with an RST.
	Reset bool

	// Refuse closes the listener, so that dials get "connection refused".
	// Connections that exist go on.
	Refuse bool

	// CutReply, if not 0, passes on this many bytes of what the server says on
	// each connection from now on, and then closes it in an orderly way (FIN).
	CutReply int

	// ByteByByte passes replies on one byte at a time, each as a segment of its
	// own.
	ByteByByte bool
}

// state is a fault while it lasts.
type state struct {
	Fault
	over chan struct{} // closed when another takes its place
}

// most returns how many of n bytes of a reply may be passed on at once.
func (f Fault) most(n int) int {
	if f.ByteByByte {
		return min(n, 1)
	}
	return n
}
